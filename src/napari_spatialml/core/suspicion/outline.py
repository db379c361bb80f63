"""Measures of a cell's outline, of what lies across its border, and of the neighbours it touches."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .evidence import Field
from .measure import Cells, Columns, quantiles

__all__ = ["neighbour_columns", "outline_columns"]

_NONE = np.zeros((1, 1), np.float32)


def outline_columns(cells: Cells) -> Columns:
    """Measure size and shape of each cell.

    Notes
    -----
    ``ellipse`` is the area over that of the ellipse with the same second moments: 1 for an ellipse, less
    for anything hollow, bent or in pieces. ``bay`` is the depth of the deepest bay in radii.
    """
    from . import kernels

    n = len(cells.ids)
    area, y, x, yy, yx, xx = cells.moments.T
    half, gap = (yy + xx) / 2, np.sqrt(((yy - xx) / 2) ** 2 + yx**2)
    hull = kernels.hulls(cells.order, cells.start, cells.codes, np.arange(n), np.full(n, -1))
    euler, perimeter, rim = kernels.euler_numbers(cells.codes, n).T
    pieces, largest = kernels.pieces(cells.codes, n).T
    radius = np.sqrt(area / np.pi)
    return {
        "area": area,
        "y": y.copy(),
        "x": x.copy(),
        "ellipse": area / (4 * np.pi * np.sqrt(np.maximum(half**2 - gap**2, 1e-9))),
        "axes": np.sqrt(np.maximum(half - gap, 1e-9) / (half + gap)),
        "solidity": area / hull[:, 0],
        "bay": hull[:, 1] / radius,
        "roundness": 4 * np.pi * area / np.maximum(perimeter, 1) ** 2,
        "holes": np.maximum(np.round(pieces - euler), 0),
        "pieces": pieces.astype(np.float64),
        "largest": largest / area,
        "edge": rim / np.maximum(perimeter, 1),
    }


def neighbour_columns(
    cells: Cells, stain: npt.NDArray[np.float32] | None, field: Field | None
) -> tuple[Columns, npt.NDArray[np.int64]]:
    """Measure the borders; return the columns, and for each cell the neighbour that may be its other half."""
    from . import crossings

    n = len(cells.ids)
    chance = _NONE if field is None else np.ascontiguousarray(field.logit, np.float32)
    flows = np.zeros((2, 1, 1), np.float32) if field is None else np.ascontiguousarray(field.flows, np.float32)
    image = _NONE if stain is None else stain
    cell, behind, values = crossings.cracks(cells.codes, cells.moments[:, 0], image, chance, flows)
    at = {name: values[:, i] for i, name in enumerate(crossings.CRACK)}
    cell = cell - 1
    length = np.bincount(cell, minlength=n).astype(np.float64)
    columns = {"touching": 1 - np.bincount(cell, weights=behind == 0, minlength=n) / np.maximum(length, 1)}
    if stain is not None:
        columns |= _edge_of_stain(at, cell, behind, n)
    if field is not None:
        columns |= _edge_of_field(at, cell, behind, n)
    halves, partners = _halves(cells, cell, behind, at, length, stain is not None, field is not None)
    return columns | halves, partners


def _mean(values: npt.NDArray[Any], owner: npt.NDArray[Any], n: int, where: Any = None) -> npt.NDArray[np.float64]:
    if where is not None:
        values, owner = values[where], owner[where]
    count = np.bincount(owner, minlength=n)
    total = np.bincount(owner, weights=values, minlength=n)
    return np.asarray(np.divide(total, count, out=np.full(n, np.nan), where=count > 0))


def _edge_of_stain(at: Any, cell: Any, behind: Any, n: int) -> Columns:
    """Measure how the stain falls across the border; ``shift`` > 0: the true border lies further out."""
    open_ = (behind == 0) & (at["open"] > 0)
    drop = at["inner"] - at["outer"]
    shift = _mean(at["shift"], cell, n, open_)
    return {
        "drop": _mean(drop, cell, n),
        "drop_open": _mean(drop, cell, n, open_),
        "drop_low": quantiles(drop, cell, n, 0.1),
        "drop_quarter": quantiles(drop, cell, n, 0.25),
        "slope": _mean(at["slope"], cell, n),
        "slope_low": quantiles(at["slope"], cell, n, 0.15),
        "outside": _mean(at["outer"], cell, n),
        "shift": shift,
        "shift_spread": np.sqrt(np.maximum(_mean(at["shift"] ** 2, cell, n, open_) - shift**2, 0)),
    }


def _edge_of_field(at: Any, cell: Any, behind: Any, n: int) -> Columns:
    open_ = (behind == 0) & (at["open"] > 0)
    return {
        "chance_in": _mean(at["p_in"], cell, n),
        "chance_out": _mean(at["p_out"], cell, n, open_),
        "missed": _mean(at["p_out"] > 0, cell, n, open_),
        "inward": _mean(at["inward"], cell, n),
        "inward_low": quantiles(at["inward"], cell, n, 0.15),
    }


def _halves(
    cells: Cells, cell: Any, behind: Any, at: Any, length: Any, has_stain: bool, has_field: bool
) -> tuple[Columns, npt.NDArray[np.int64]]:
    """Of the neighbours that a cell touches, take the one with which it makes the best whole."""
    from . import kernels

    n = len(cells.ids)
    names = ("share", "whole", "whole_gain", "partner_area", "dip", "apart", "chance_dip")
    columns = {f"half_{name}": np.full(n, np.nan) for name in names}
    touching = behind > 0
    keys, pair = np.unique(cell[touching].astype(np.int64) * (n + 1) + behind[touching], return_inverse=True)
    one, other = keys // (n + 1), keys % (n + 1) - 1
    if len(keys) == 0:
        return columns, np.zeros(n, np.int64)
    contact = np.bincount(pair).astype(np.float64)
    area = cells.moments[:, 0]
    share = contact / np.minimum(length[one], length[other])
    whole = (area[one] + area[other]) / kernels.hulls(cells.order, cells.start, cells.codes, one, other)[:, 0]
    alone = area / kernels.hulls(cells.order, cells.start, cells.codes, np.arange(n), np.full(n, -1))[:, 0]
    gain = whole - (area[one] * alone[one] + area[other] * alone[other]) / (area[one] + area[other])
    # two cells that lie side by side lose solidity together, two halves gain; a longer border says more
    merit = gain + 0.3 * np.minimum(share, 0.5)
    best = np.lexsort((contact, merit, one))
    last = np.flatnonzero(np.append(np.diff(one[best]) > 0, True))
    chosen = best[last]
    rows = one[chosen]
    found = {"share": share, "whole": whole, "whole_gain": gain, "partner_area": area[other] / area[one]}
    for name, key, there in (
        ("dip", "dip", has_stain),
        ("apart", "apart", has_field),
        ("chance_dip", "p_dip", has_field),
    ):
        if there:
            found[name] = np.bincount(pair, weights=at[key][touching]) / contact
    for name, values in found.items():
        columns[f"half_{name}"][rows] = values[chosen]
    partners = np.zeros(n, np.int64)
    partners[rows] = cells.ids[other[chosen]]
    return columns, partners
