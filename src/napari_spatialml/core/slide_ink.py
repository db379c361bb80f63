"""What was put on a slide over its tissue: ink, a label, a black border. Found, so that it is not compared."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["foreign"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
_EDGE = 700
"""Pixels of the longer edge, at most, on which it is looked for."""
_FLAT = 0.025
"""Of the light: standard deviation in 5 × 5 pixels below which nothing is textured."""
_STAINED = 0.12
_DENSE = 0.3
"""Mean optical densities above which a pixel is no glass, and above which it may be ink."""
_ADDED = 0.75
"""Tissue under ink lets through no more than the ink does: of its density, as the ink's thickness varies."""
_STROKE = 0.03
"""Half the width of a stroke, of the longer edge, at most."""
_SMALLEST = 12
"""Pixels of a flat piece from which a stroke is followed."""
_DARKER = 1.2
"""Times the density of nearly all of the tissue."""
_BLACK = 2.0
"""Optical density in every channel: what is stained lets some colour pass."""
_FEW = 10
"""Pieces that hold half of what is flat, at most: nuclei stained black are many, and ink is not."""
_FAR = 4.0
"""Standard deviations from the tissue's hue."""
_STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78], [0.10, 0.72, 0.69]])
"""Optical densities, of unit length, of haematoxylin, eosin, diaminobenzidine and blood."""
_UNEXPLAINED = 0.12
"""Share of a colour's density that no mixture of them explains."""
_RIM = 2


def foreign(values: Float, known: Float) -> Bool:
    """Return where something opaque or coloured lies on the tissue: (h, w), mostly nowhere.

    Parameters
    ----------
    values
        (3, h, w): light in red, green and blue, tissue on a bright ground.
    known
        (h, w), 0 where nothing was scanned.

    Notes
    -----
    Tissue is textured wherever it is stained, at a few µm a pixel as at twenty; ink over glass, frosted glass and blank
    borders are not. So a dense piece without texture is foreign where it is also darker than nearly all of the
    tissue, or of another hue. It is followed to where ink lies over tissue: there each channel is at least as
    dense as the ink alone. What would be wider than a stroke is not followed.
    """
    none = np.zeros(known.shape, bool)
    step = -(-max(known.shape) // _EDGE)
    small, seen = _blocks(values, step), _blocks(known, step) > 0.5
    if min(seen.shape) < 5 or seen.sum() < 100:
        return none
    light = np.maximum(np.percentile(small[:, seen], 95, axis=1), 1e-6).astype(np.float32)[:, None, None]
    share = np.minimum(small / light, 1)
    density = np.log(1.03 / (ndimage.uniform_filter(share, (0, 3, 3)) + 0.03))
    dense = density.mean(0)
    even = seen & (_roughness(share) < _FLAT)
    flat = even & (dense > _DENSE)
    if not flat.any() or flat.sum() > (even & (dense < _STAINED)).sum():
        return none  # nothing, or the ground itself is dark
    found = _followed(flat, density, dense, seen)
    if not found.any():
        return none
    wide = ndimage.binary_dilation(found, iterations=_RIM)
    wide = np.kron(wide, np.ones((step, step), bool))
    out = np.pad(wide, [(0, max(0, n - m)) for n, m in zip(known.shape, wide.shape, strict=True)], mode="edge")
    return np.asarray(out[: known.shape[0], : known.shape[1]])


def _blocks(plane: Float, step: int) -> Float:
    """Average whole blocks of pixels of the last two axes."""
    height, width = (n // step for n in plane.shape[-2:])
    cut = plane[..., : height * step, : width * step]
    return np.asarray(cut.reshape(*plane.shape[:-2], height, step, width, step).mean((-3, -1)), np.float32)


def _roughness(share: Float) -> Float:
    mean, square = (ndimage.uniform_filter(plane, (0, 5, 5)) for plane in (share, share**2))
    return np.asarray(np.sqrt(np.maximum(square - mean**2, 0)).mean(0))


def _followed(flat: Bool, density: Float, dense: Float, seen: Bool) -> Bool:
    """Return the flat pieces that are no tissue, and the strokes that go on from them."""
    whole = ndimage.binary_dilation(flat, iterations=2) & (dense > _DENSE) & seen  # the window shrank them
    pieces, count = ndimage.label(whole, np.ones((3, 3)))
    sizes = np.bincount(pieces[flat], minlength=count + 1)
    found = np.zeros(flat.shape, bool)
    if np.sort(sizes[1:])[-_FEW:].sum() < 0.5 * flat.sum():
        return found
    colours = np.stack([ndimage.median(plane, np.where(flat, pieces, 0), np.arange(count + 1)) for plane in density])
    near = ndimage.binary_dilation(whole, iterations=4)
    tissue = density[:, seen & (dense > _STAINED) & ~near]
    widest = _STROKE * max(flat.shape)
    for piece in np.argsort(-sizes[1:])[:50] + 1:
        if sizes[piece] < _SMALLEST:
            break
        colour = colours[:, piece]
        if found[pieces == piece].mean() > 0.5 or not _unlike(colour, tissue):
            continue
        found |= pieces == piece
        added = seen & (density > _ADDED * colour[:, None, None]).all(0)
        parts, _ = ndimage.label(added, np.ones((3, 3)))
        own = np.unique(parts[(pieces == piece) & added])
        stroke = np.isin(parts, own[own > 0])
        if ndimage.distance_transform_edt(np.pad(stroke, 1)).max() <= widest:
            found |= stroke
    return found


def _unlike(colour: Float, tissue: Float) -> bool:
    """Say whether an optical density (3,) is too dark for the tissue's (3, n), or of a hue that no stain explains.

    References
    ----------
    Ruifrok and Johnston, Analytical and Quantitative Cytology and Histology 23, 291 (2001), for the stains.
    """
    from scipy.optimize import nnls

    if tissue.shape[1] < 100 or colour.min() > _BLACK:
        return True
    if colour.mean() > _DARKER * np.percentile(tissue.mean(0), 99):
        return True
    if nnls(_STAINS.T, colour)[1] < _UNEXPLAINED * np.linalg.norm(colour):
        return False
    hues = _hue(tissue)
    spread = np.cov(hues) + 0.02**2 * np.eye(2)
    away = _hue(colour[:, None])[:, 0] - np.median(hues, axis=1)
    return bool(away @ np.linalg.solve(spread, away) > _FAR**2)


def _hue(density: Float) -> Float:
    total = np.maximum(density.sum(0), 1e-3)
    return np.asarray(np.stack([(density[0] - density[2]) / total, density[1] / total]))
