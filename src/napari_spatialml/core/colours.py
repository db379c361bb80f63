"""Colours of categories, limits of continuous values, and look-up tables from labels to values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from .arrays import frozen, require

__all__ = [
    "DIVERGING_MAPS",
    "PERCEPTUAL_MAPS",
    "LookupTable",
    "category_colours",
    "limits",
    "lookup_table",
    "match_labels",
    "palette",
]

OKABE_ITO = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
"""Okabe and Ito's colours without black."""

PERCEPTUAL_MAPS = ("viridis", "magma", "inferno", "plasma", "cividis")
"""Maps of evenly growing lightness, for values with one direction; cividis also for the colour-blind."""

DIVERGING_MAPS = ("PiYG", "coolwarm")
"""Maps with a neutral middle, for values around 0."""

DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
)
"""Linear RGB as a person without green cones sees it (Machado et al. 2009, severity 1)."""

Floats = npt.NDArray[np.float64]
_LARGE = 100_000
"""From so many labels a compiled loop is worth its start."""


def palette(n: int) -> npt.NDArray[np.float64]:
    """Return ``n`` distinct colours that colour-blind people can tell apart as far as possible.

    Parameters
    ----------
    n
        How many, ≥ 0.

    Returns
    -------
    npt.NDArray[np.float64]
        (n, 3) red, green, blue in 0..1. The first k colours of any palette are the same, and none
        is near black or white.

    Raises
    ------
    BadInput
        If ``n`` is negative.

    Notes
    -----
    Okabe and Ito's seven come first. Each further colour is the one of a fixed grid that lies
    farthest from all before it, by the smaller of the distances in Oklab with ordinary and with
    deuteranopic sight. Beyond the grid's 600 or so colours the palette repeats.

    References
    ----------
    Okabe and Ito, Color universal design, 2008. Ottosson, A perceptual color space for image
    processing, 2020. Machado, Oliveira and Fernandes, IEEE TVCG 15, 1291 (2009), table 1.
    """
    require(n >= 0, f"A palette of {n} colours was asked for.", "Ask for 0 or more.")
    size = max(64, 1 << max(0, int(n - 1).bit_length()))
    colours = _grown(min(size, 512))
    return np.take(colours, np.arange(n), axis=0, mode="wrap").copy()


@lru_cache(maxsize=8)
def _grown(n: int) -> Floats:
    """Return the first ``n`` colours: farthest-point sampling of a grid of sRGB."""
    start = np.array([[int(code[k : k + 2], 16) for k in (1, 3, 5)] for code in OKABE_ITO]) / 255
    steps = np.linspace(0.0, 1.0, 13)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    normal, blind = _oklab(grid), _oklab(_as_deuteranope(grid))
    chroma = np.hypot(normal[:, 1], normal[:, 2])
    # neither near black nor near white, where category colours vanish on glass or on the canvas
    usable = (normal[:, 0] > 0.40) & (normal[:, 0] < 0.88) & (chroma > 0.05) & (chroma < 0.23)
    grid, normal, blind = grid[usable], normal[usable], blind[usable]
    start_normal, start_blind = _oklab(start), _oklab(_as_deuteranope(start))
    nearest = np.full(len(grid), np.inf)
    colours = list(start)
    for a, b in zip(start_normal, start_blind, strict=True):
        nearest = np.minimum(nearest, _distance(normal, a, blind, b))
    while len(colours) < n:
        k = int(nearest.argmax())
        colours.append(grid[k])
        nearest = np.minimum(nearest, _distance(normal, normal[k], blind, blind[k]))
    return frozen(np.array(colours[:n]))


def _distance(normal: Floats, a: Floats, blind: Floats, b: Floats) -> Floats:
    """Return the distance that counts: with deuteranopic sight colours may lie half as far apart."""
    return np.asarray(np.minimum(np.linalg.norm(normal - a, axis=1), 2 * np.linalg.norm(blind - b, axis=1)))


def _linear(rgb: Floats) -> Floats:
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _as_deuteranope(rgb: Floats) -> Floats:
    seen = np.clip(_linear(rgb) @ DEUTERANOPIA.T, 0, 1)
    return np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)


def _oklab(rgb: Floats) -> Floats:
    """Return Oklab coordinates (Ottosson 2020), in which distances are about perceptual."""
    to_lms = np.array(
        [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
         [0.0883024619, 0.2817188376, 0.6299787005]]
    )  # fmt: skip
    to_lab = np.array(
        [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
         [0.0259040371, 0.7827717662, -0.8086757660]]
    )  # fmt: skip
    return np.asarray(np.cbrt(_linear(rgb) @ to_lms.T) @ to_lab.T)


def category_colours(names: Sequence[str], stored: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give every category a colour, and keep those that have one.

    Parameters
    ----------
    names
        The categories, in the order of the legend.
    stored
        Colours from before as ``{name: "#RRGGBB"}``; names that are not asked for reserve theirs.

    Returns
    -------
    dict[str, str]
        ``{name: "#RRGGBB"}`` in the order of ``names``.

    Examples
    --------
    >>> category_colours(["tumour", "stroma"])
    {'tumour': '#E69F00', 'stroma': '#56B4E9'}
    >>> category_colours(["stroma", "fat"], {"stroma": "#56B4E9"})
    {'stroma': '#56B4E9', 'fat': '#E69F00'}
    """
    known = dict(stored or {})
    taken = {colour.upper() for colour in known.values()}
    unique = list(dict.fromkeys(names))
    offered = palette(len(unique) + len(taken))
    free = (code for code in map(_hex, offered) if code not in taken)
    return {name: known[name] if name in known else next(free) for name in unique}


def _hex(rgb: npt.NDArray[np.float64]) -> str:
    return "#" + "".join(f"{round(255 * float(value)):02X}" for value in rgb)


def match_labels(old: npt.ArrayLike, new: npt.ArrayLike) -> npt.NDArray[np.intp]:
    """Renumber a new clustering so that it agrees with the old one as far as possible.

    Parameters
    ----------
    old, new
        (n,) labels 0..k-1 of the same rows; negative ones (unknown) do not vote.

    Returns
    -------
    npt.NDArray[np.intp]
        (k_new,) ``matched``: show new label i as ``matched[i]``. All values differ; a new label
        without an old partner gets a number that no old label has.

    Raises
    ------
    BadInput
        If the lengths differ.

    References
    ----------
    Kuhn, Naval Research Logistics Quarterly 2, 83 (1955): the assignment of largest overlap.
    """
    a, b = np.asarray(old).ravel().astype(np.intp), np.asarray(new).ravel().astype(np.intp)
    require(len(a) == len(b), f"There are {len(a)} old and {len(b)} new labels.", "Give labels of the same rows.")
    n_old, n_new = int(a.max(initial=-1)) + 1, int(b.max(initial=-1)) + 1
    both = (a >= 0) & (b >= 0)
    overlap = np.bincount(b[both] * n_old + a[both], minlength=n_new * n_old).reshape(n_new, n_old)
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    matched = np.full(n_new, -1, np.intp)
    # a pair without a common row is no match
    real = overlap[rows, columns] > 0
    matched[rows[real]] = columns[real]
    lonely = matched < 0
    matched[lonely] = n_old + np.arange(int(lonely.sum()))
    return matched


class LookupTable:
    """Values by label: ``table[labels]`` gives an array of the labels' shape.

    Parameters
    ----------
    ids
        (k,) labels, unique, ≥ 0.
    values
        (k,) or (k, c) what each label shows as.
    fill
        What all other labels show as.
    dense
        Whether a table over 0..largest id is kept, instead of a search among sorted ids.
    """

    def __init__(self, ids: npt.NDArray[np.int64], values: npt.NDArray[Any], fill: Any, dense: bool) -> None:
        if not _ascend(ids):
            order = np.argsort(ids, kind="stable")
            ids, values = ids[order], values[order]
        self.ids, blank = ids, np.full((1, *values.shape[1:]), fill, values.dtype)
        self.values = np.concatenate([values, blank])
        self.table: npt.NDArray[Any] | None = None
        if dense:
            size = int(ids.max(initial=-1)) + 2
            self.table = np.repeat(blank, size, axis=0)
            self.table[self.ids] = values

    def __getitem__(self, labels: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return the values of labels of any shape."""
        at = np.asarray(labels)
        if self.table is not None and self.table.ndim == 1 and at.dtype.kind in "iu" and at.size >= _LARGE:
            from .lookup_kernels import spread

            out = np.empty(at.shape, self.table.dtype)
            spread(self.table, np.ascontiguousarray(at).ravel(), out.ravel())
            return out
        if self.table is not None:
            last = len(self.table) - 1  # holds the fill value: for labels beyond the table, and negative ones
            inside = at if at.dtype.kind == "u" else np.where(at < 0, last, at)
            return np.asarray(self.table[np.minimum(inside, last).astype(np.intp)])
        if not len(self.ids):
            return np.asarray(self.values[np.full(at.shape, -1)])
        place = np.minimum(np.searchsorted(self.ids, at), len(self.ids) - 1)
        return np.asarray(self.values[np.where(self.ids[place] == at, place, -1)])


def lookup_table(labels_max: int, ids: npt.ArrayLike, values: npt.ArrayLike, fill: Any) -> LookupTable:
    """Make a compact table from label to value, for colouring label rasters.

    Parameters
    ----------
    labels_max
        Largest label that will be looked up.
    ids
        (k,) labels, unique.
    values
        (k,) or (k, c): a category's number, a measurement, a colour.
    fill
        What labels without a value show as.

    Returns
    -------
    LookupTable
        Indexed by labels of any shape.

    Raises
    ------
    BadInput
        If ids and values do not fit, or an id is negative or occurs twice.

    Notes
    -----
    A dense table costs one gather a pixel. Where ids are sparse and large (a vendor's 64-bit cell
    numbers) it would not fit in memory, and a binary search in the sorted ids takes its place.

    Examples
    --------
    >>> lookup_table(4, [1, 3], [10, 30], fill=-1)[[0, 1, 2, 3, 4]]
    array([-1, 10, -1, 30, -1])
    """
    keys, shown = np.asarray(ids).astype(np.int64).ravel(), np.asarray(values)
    require(shown.ndim >= 1 and len(shown) == len(keys), f"There are {len(keys)} ids for {shown.shape} values.",
            "Give one value a label.")  # fmt: skip
    require(bool((keys >= 0).all()), "A label is negative.", "Labels are 0 or more.")
    once = _ascend(keys) or len(np.unique(keys)) == len(keys)
    require(once, "A label occurs twice.", "Give every label once.")
    largest = max(int(labels_max), int(keys.max(initial=0)))
    return LookupTable(keys, shown, fill, dense=largest <= max(4_000_000, 16 * len(keys)))


def _ascend(ids: npt.NDArray[np.int64]) -> bool:
    """Whether each is larger than the one before, as nearly always: nothing need be sorted then."""
    return bool((ids[1:] > ids[:-1]).all())


def limits(values: npt.ArrayLike, low: float = 1.0, high: float = 99.0) -> tuple[float, float]:
    """Return contrast limits between two percentiles, ignoring NaN and infinity.

    Parameters
    ----------
    values
        Any shape.
    low, high
        Percentiles, 0 ≤ low < high ≤ 100.

    Returns
    -------
    tuple[float, float]
        Lower and upper limit; the upper is always the larger. (0, 1) if there is no finite value.

    Notes
    -----
    Where the percentiles coincide, as for a gene found in few spots, the extremes take their place.

    Raises
    ------
    BadInput
        If the percentiles are out of order or of range.
    """
    require(0 <= low < high <= 100, f"The percentiles are {low:g} and {high:g}.", "Give 0 ≤ low < high ≤ 100.")
    array = np.asarray(values, dtype=np.float64).ravel()
    finite = array[np.isfinite(array)]
    if not finite.size:
        return 0.0, 1.0
    bottom, top = (float(v) for v in np.percentile(finite, [low, high]))
    if not top > bottom:
        bottom, top = float(finite.min()), float(finite.max())
    if not top > bottom:
        top = bottom + max(1.0, abs(bottom) * 1e-6)
    return bottom, top
