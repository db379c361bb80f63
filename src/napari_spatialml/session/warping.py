"""Elements moved by a transform that SpatialData cannot store: resampled copies beside the originals."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.transform import Transform, warp_image, warp_labels
from .changes import Change, Put
from .document import Document
from .elements import new_labels, with_matrices

__all__ = ["warped_elements"]

_EDGE = 32
"""Points along each edge of an element by which its warped extent is found."""


def warped_elements(
    document: Document, names: list[str], moving: str, fixed: str, transform: Transform
) -> list[Change]:
    """Return the changes that add ``<name>_warped`` for images, labels and circles.

    Parameters
    ----------
    document
        The document.
    names
        Elements that lie in ``moving``.
    moving, fixed
        Coordinate systems.
    transform
        Maps moving coordinates to fixed ones, in µm.
    """
    changes: list[Change] = []
    origins = dict(document.attribute("warped_from") or {})
    for name in names:
        if name in origins:
            continue
        kind = document.type_of(name)
        made = _warped(document, name, kind, moving, fixed, transform)
        if made is not None:
            slot = (kind, f"{name}_warped")
            changes.append(Put(slot, document.get(slot), made))
            origins[f"{name}_warped"] = name
    changes.append(Put(("attrs", "warped_from"), document.attribute("warped_from"), origins or None))
    return changes


def _warped(document: Document, name: str, kind: str, moving: str, fixed: str, transform: Transform) -> Any:
    if kind == "shapes":
        return _warped_circles(document, name, moving, fixed, transform)
    if kind not in ("images", "labels"):
        return None
    return _warped_raster(document, name, kind, moving, fixed, transform)


def _warped_circles(document: Document, name: str, moving: str, fixed: str, transform: Transform) -> Any:
    import geopandas
    import shapely
    from spatialdata.models import ShapesModel

    frame = document.element(name)
    own = document.affine(name, moving)

    def move(xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return transform.apply(own.apply(xy[:, ::-1]))[:, ::-1]

    geometry = shapely.transform(frame.geometry.to_numpy(), move)
    columns = {c: frame[c].to_numpy() for c in frame.columns if c != "geometry"}
    if "radius" in columns:
        columns["radius"] = columns["radius"] * np.sqrt(np.prod(own.scale_factors))
    made = geopandas.GeoDataFrame(columns, geometry=list(geometry), index=frame.index)
    return with_matrices(ShapesModel.parse(made), {fixed: np.eye(3).tolist()})


def _warped_raster(document: Document, name: str, kind: str, moving: str, fixed: str, transform: Transform) -> Any:
    from spatialdata.models import Image2DModel

    from .gather import full_resolution

    own = document.affine(name, moving)
    size = float(np.sqrt(np.prod(own.scale_factors)))
    pixels = document.grid(name).read() if kind == "labels" else np.asarray(full_resolution(document, name).data)
    whole = _Placed(transform, own, pixels.shape[-2:])
    low, high = whole.extent()
    shape = tuple(int(n) for n in np.ceil((high - low) / size))
    placed = whole.from_origin(low, size)
    matrix = [[size, 0.0, float(low[1])], [0.0, size, float(low[0])], [0.0, 0.0, 1.0]]
    if kind == "labels":
        made = warp_labels(pixels, placed, (shape[0], shape[1]), size, 1.0)
        return new_labels(made, {fixed: matrix})
    channels = [str(c) for c in full_resolution(document, name).coords["c"].to_numpy()]
    made = warp_image(pixels, placed, (shape[0], shape[1]), size, 1.0)
    return with_matrices(Image2DModel.parse(made, dims=("c", "y", "x"), c_coords=channels), {fixed: matrix})


class _Placed:
    """The way from an element's pixel centres to the fixed frame."""

    def __init__(self, transform: Transform, own: Any, shape: tuple[int, ...]) -> None:
        self.transform, self.own, self.shape = transform, own, shape

    def extent(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the warped extent's low and high corner in µm, from the element's border."""
        h, w = self.shape
        y, x = np.linspace(0, h, _EDGE), np.linspace(0, w, _EDGE)
        sides = [np.stack(np.broadcast_arrays(a, b), -1) for a, b in ((y, 0.0), (y, float(w)), (0.0, x), (float(h), x))]
        moved = self.transform.apply(self.own.apply(np.concatenate(sides)))
        return moved.min(0), moved.max(0)

    def from_origin(self, low: npt.NDArray[np.float64], size: float) -> Any:
        """Return the transform from pixel indices to µm from the centre of the first output pixel."""
        from ..core.transform import Affine, Chain

        centre = Affine.translation(0.5, 0.5)
        to_origin = Affine.translation(-float(low[0]) - size / 2, -float(low[1]) - size / 2)
        return Chain((self.own @ centre, self.transform, to_origin))
