"""What a cut goes by: the image and the transcripts around one cell, in the pixels of its labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.assignment import moved
from ..core.labels import Transcripts
from ..core.patch import Window
from ..core.transform import Affine
from ..errors import BadInput
from .counting import counted_points
from .document import GLOBAL, Document
from .gather import full_resolution
from .transcripts import index_of

__all__ = ["image_near", "pixel_um", "transcripts_near"]


def pixel_um(document: Document, labels: str) -> tuple[float, float]:
    """Return the size (y, x) of a pixel in µm, which need not be square."""
    placed = document.placed(labels)
    linear = document.affine(labels, GLOBAL if GLOBAL in placed else placed[0]).matrix[:2, :2]
    y, x = (float(np.hypot(*linear[:, axis])) for axis in (0, 1))
    return y, x


def image_near(document: Document, labels: str, box: Window, image: str, channel: str) -> npt.NDArray[np.float64]:
    """Return a channel of an image where a window of labels lies, one value for each of its pixels.

    Parameters
    ----------
    document, labels
        The document and the labels.
    box
        A window of the labels.
    image
        An image; the one from which the labels were made, or the only one, if empty.
    channel
        A channel of it; may be empty if it has one only.

    Raises
    ------
    BadInput
        When there is no such image or channel, the two do not lie in one coordinate system, or the image
        does not cover the window.

    Notes
    -----
    Only the window's part of the full resolution is read. An image with other pixels is interpolated; one
    with finer pixels is blurred first to the pixels of the labels.
    """
    name = _image(document, labels, image)
    pixels = full_resolution(document, name)
    pixels = pixels.isel(c=_channel(name, [str(c) for c in pixels.coords["c"].to_numpy()], channel))
    to_image = document.affine(name, system := _shared(document, labels, name)).inverse()
    return _sampled(pixels, (to_image @ document.affine(labels, system)), box, name)


def _sampled(pixels: Any, to_image: Affine, box: Window, name: str) -> npt.NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter, map_coordinates

    y0, y1, x0, x1 = box
    rows, columns = np.mgrid[y0:y1, x0:x1] + 0.5
    at = moved(to_image.matrix, np.stack([rows.ravel(), columns.ravel()], 1)) - 0.5
    # as many pixels more as the blur reaches
    blur = [max(0.0, float(np.abs(to_image.matrix[i, :2]).max()) - 1) / 2 for i in (0, 1)]
    margin = [int(np.ceil(4 * b)) + 1 for b in blur]
    shape = (pixels.sizes["y"], pixels.sizes["x"])
    low = [max(int(np.floor(at[:, i].min())) - margin[i], 0) for i in (0, 1)]
    high = [min(int(np.ceil(at[:, i].max())) + margin[i] + 1, shape[i]) for i in (0, 1)]
    outside = ((at < -0.5) | (at > np.array(shape) - 0.5)).any(axis=1)
    if outside.any():
        raise BadInput(
            f"The image '{name}' covers {100 * (1 - outside.mean()):.0f} % of the cell only.",
            "Choose an image that covers it, or cut it straight.",
        )
    window = np.asarray(pixels.isel(y=slice(low[0], high[0]), x=slice(low[1], high[1])).data, dtype=np.float64)
    if not np.isfinite(window).all():
        raise BadInput(f"The image '{name}' holds NaN here.", "Choose another image, or cut it straight.")
    if max(blur) > 0:
        window = gaussian_filter(window, blur, mode="nearest")
    found = map_coordinates(window, (at - low).T, order=1, mode="nearest")
    return np.asarray(found.reshape(rows.shape))


def _image(document: Document, labels: str, image: str) -> str:
    images = document.names("images")
    said = str(document.attribute("segmentations", {}).get(labels, {}).get("image", ""))
    name = image or (said if said in images else images[0] if len(images) == 1 else "")
    if name not in images:
        have = f"It has: {', '.join(images)}." if images else "It has none; cut the cell straight."
        raise BadInput(f"The section has no image '{name}'." if name else "No image of membranes is chosen.", have)
    return name


def _channel(name: str, channels: list[str], channel: str) -> int:
    if not channel and len(channels) == 1:
        return 0
    if channel not in channels:
        said = f"'{name}' has no channel '{channel}'." if channel else f"No channel of '{name}' is chosen."
        raise BadInput(said, f"It has: {', '.join(channels)}.")
    return channels.index(channel)


def _shared(document: Document, labels: str, image: str) -> str:
    both = [s for s in document.placed(labels) if s in document.placed(image)]
    if not both:
        raise BadInput(f"'{labels}' and '{image}' lie in no common coordinate system.", "Register them first.")
    return GLOBAL if GLOBAL in both else both[0]


def transcripts_near(document: Document, labels: str, box: Window, points: str) -> Transcripts:
    """Return the transcripts in a window of labels; only those of the tiles it touches are read.

    Parameters
    ----------
    document, labels, box
        As in `image_near`.
    points
        A points element with genes; the one that the cells count, or the first, if empty.

    Raises
    ------
    BadInput
        When the section has no transcripts where the labels lie.
    DocumentError
        When the points are not there, or have no genes.
    """
    said = str(document.attribute("segmentations", {}).get(labels, {}).get("transcripts", ""))
    name = points or counted_points(document, document.placed(labels), said)
    if not name or GLOBAL not in document.placed(labels):
        raise BadInput(f"There are no transcripts where '{labels}' lies.", "Cut the cell straight.")
    index, to_um = index_of(document, name), document.affine(labels, GLOBAL)
    y0, y1, x0, x1 = box
    um = moved(to_um.matrix, np.array([[y0, x0], [y0, x1], [y1, x0], [y1, x1]], dtype=np.float64))
    (low_y, low_x), (high_y, high_x) = um.min(0), um.max(0)
    where, genes = index.near(low_y, high_y, low_x, high_x)
    return Transcripts(moved((to_um.inverse() @ index.to_um).matrix, where), genes)
