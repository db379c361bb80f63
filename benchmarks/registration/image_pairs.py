"""Pairs of images with landmarks, turned and mirrored as a scanner may deliver them, and pairs that do not belong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spatialml.core import Affine, Pair, Side, Transform

__all__ = ["BLADDER_PX", "DATA", "Known", "bladder", "kidney", "picture", "turned", "wrong"]

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
BLADDER_PX = 2.86
IONS_PX = 10.0
LANDMARKS = Path(__file__).resolve().parents[2] / "tests" / "acceptance" / "bladder_landmarks.csv"
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Known:
    """A pair with landmarks (k, 2) in µm of either side that no method sees."""

    pair: Pair
    moving: Array
    fixed: Array

    @property
    def diagonal(self) -> float:
        """The fixed image's diagonal in µm."""
        assert self.pair.fixed.image is not None
        return float(np.hypot(*self.pair.fixed.image.shape[1:]) * self.pair.fixed.pixel_size_um)

    def errors(self, transform: Transform) -> Array:
        """Return the landmarks' distances after the transform, in % of the diagonal (rTRE)."""
        return 100 * np.linalg.norm(transform.apply(self.moving) - self.fixed, axis=1) / self.diagonal


def picture(name: str) -> Array:
    """Return an image (c, y, x): he, cytokeratin, bulb 1, bulb 2, bladder, slide, ions."""
    import tifffile
    from PIL import Image

    files = {
        "he": "kidney_pair/Rat-Kidney_HE.jpg",
        "cytokeratin": "kidney_pair/Rat-Kidney_PanCytokeratin.jpg",
        "bulb 1": "olfactory_bulb_he/section1.jpg",
        "bulb 2": "olfactory_bulb_he/section2.jpg",
    }
    if name in files:
        return np.moveaxis(np.asarray(Image.open(DATA / files[name]).convert("RGB")), -1, 0)
    if name == "bladder":
        return np.moveaxis(tifffile.imread(DATA / "bladder_msi" / "bladder_he.tif")[..., :3], -1, 0)
    if name == "slide":
        whole = tifffile.imread(DATA / "slide" / "CMU-1-Small-Region.svs")[:2960, :2220]
        return np.moveaxis(whole.reshape(740, 4, 555, 4, 3).mean((1, 3)).astype(np.uint8), -1, 0)
    if name == "ions":
        return _ions()
    raise KeyError(name)


def _ions() -> Array:
    import anndata

    table = anndata.read_h5ad(DATA / "bladder_msi" / "bladder.h5ad")
    at = np.asarray(table.obsm["spatial"]).astype(int) - 1
    grid = np.zeros((table.n_vars, *(at.max(0)[::-1] + 1)), np.float32)
    grid[:, at[:, 1], at[:, 0]] = np.asarray(table.X.todense() if hasattr(table.X, "todense") else table.X).T
    return grid


def turned(
    image: Array, degrees: float, mirror: bool = False, stretch: float = 1.0, fill: float | None = None
) -> tuple[Array, Affine]:
    """Turn an image in an enlarged frame; return it and the map of its pixels.

    Parameters
    ----------
    image
        (c, y, x).
    degrees, mirror, stretch
        Rows are stretched first, then the image is mirrored, then turned.
    fill
        Beyond the image; None takes the channels' median along the edge.
    """
    from scipy import ndimage

    _, height, width = image.shape
    change = Affine.similarity(1.0, degrees, reflect=mirror) @ Affine.scale(stretch, 1.0)
    corners = change.apply([[0, 0], [height, 0], [0, width], [height, width]])
    change = Affine.translation(*(-corners.min(0))) @ change
    shape = tuple(np.ceil(np.ptp(corners, axis=0)).astype(int))
    back = change.inverse().matrix
    rim = np.median(np.concatenate([image[:, 0], image[:, -1], image[:, :, 0], image[:, :, -1]], 1), 1)
    fills = rim if fill is None else np.full(len(image), fill)
    planes = [
        ndimage.affine_transform(plane.astype(np.float32), back[:2, :2], back[:2, 2], shape, order=1, cval=float(f))
        for plane, f in zip(image, fills, strict=True)
    ]
    made = np.stack(planes)
    return (np.clip(made, 0, 255).astype(np.uint8) if image.dtype == np.uint8 else made), change


def kidney(degrees: float, mirror: bool, fill: float | None = None) -> Known:
    """Return rat kidney, PanCytokeratin on H&E, with its 69 landmarks."""
    import pandas as pd

    folder = DATA / "kidney_pair"
    he, ck = (pd.read_csv(folder / f"Rat-Kidney_{stain}.csv", index_col=0) for stain in ("HE", "PanCytokeratin"))
    shared = he.index.intersection(ck.index)
    fixed, moving = (table.loc[shared, ["Y", "X"]].to_numpy(float) for table in (he, ck))
    image, change = turned(picture("cytokeratin"), degrees, mirror, fill=fill)
    return Known(Pair(Side(image=picture("he")), Side(image=image)), change.apply(moving), fixed)


def bladder(degrees: float, mirror: bool, stretch: float = 1.0) -> Known:
    """Return the bladder's ions on its H&E, with ten landmarks placed by eye; stretched rows are not told."""
    import pandas as pd

    table = pd.read_csv(LANDMARKS, comment="#")
    fixed, moving = (table[[f"{s}_y_um", f"{s}_x_um"]].to_numpy(float) for s in ("fixed", "moving"))
    image, change = turned(picture("ions"), degrees, mirror, stretch, fill=0.0)
    sides = Side(image=picture("bladder"), pixel_size_um=BLADDER_PX), Side(image=image, pixel_size_um=IONS_PX)
    return Known(Pair(*sides), change.apply(moving / IONS_PX) * IONS_PX, fixed)


def wrong(fixed: str, moving: str, degrees: float) -> Pair:
    """Return two images that show different organs."""
    image, _ = turned(picture(moving), degrees)
    sizes = [IONS_PX / 4 if name == "ions" else 1.0 for name in (fixed, moving)]
    return Pair(Side(image=picture(fixed), pixel_size_um=sizes[0]), Side(image=image, pixel_size_um=sizes[1]))
