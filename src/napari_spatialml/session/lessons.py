"""The windows that are done, as a method learns from them: which are held out, and their pixels and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.learning import Lesson, held_out
from ..core.segmentation import Pixels
from ..errors import BadInput
from .document import Document
from .done import Done, done_windows
from .evidence import offset_of, sources_of
from .fingerprints import fingerprint
from .gather import full_resolution, pixel_size
from .planes import split_plane

__all__ = ["Chosen", "about_windows", "choose_windows", "gathered"]

_SAMPLE, _PATCHES = 512, 4  # edge and number, along either axis, of the patches that stand for a large image
_WHOLE = 4_000_000
_LARGEST = 64_000_000


@dataclass(frozen=True)
class Chosen:
    """A window of an image to learn from, or to judge by.

    Parameters
    ----------
    done
        The window as it was marked; of a single one, each half is one.
    image
        The image.
    held_out
        Whether it is for judging alone.
    """

    done: Done
    image: str
    held_out: bool


def choose_windows(document: Document, labels: Sequence[str] = (), image: str = "") -> tuple[Chosen, ...]:
    """Return the windows that are done, and which of them are held out.

    Parameters
    ----------
    document
        The document.
    labels
        Whose windows to take: those of all readers if empty.
    image
        The image; that from which the labels come if empty.

    Raises
    ------
    BadInput
        When no window is done, or an image does not fit its labels.

    Notes
    -----
    Every third window is held out, beginning with the second, in the order in which they were marked.
    Windows that overlap stay on one side. Where all are on one side, the largest is cut across its longer
    edge: the first half is learned from, the second held out, and nothing else is used.
    """
    found = [d for d in done_windows(document) if not labels or d.labels in labels]
    if not found:
        whose = f" of {', '.join(labels)}" if labels else ""
        raise BadInput(
            f"No window{whose} is marked as done.",
            "Correct every cell in view, then press 'Mark what is in view as done' under Correct.",
        )
    images = {name: _image_of(document, name, image) for name in dict.fromkeys(d.labels for d in found)}
    placed = [(images[d.labels], _in_image(document, d, images[d.labels])) for d in found]
    out = held_out(placed)
    if any(out):
        return tuple(Chosen(d, images[d.labels], o) for d, o in zip(found, out, strict=True))
    first, second = _halves(max(found, key=lambda d: _area(d.window)))
    return Chosen(first, images[first.labels], False), Chosen(second, images[first.labels], True)


def gathered(
    document: Document, labels: Sequence[str] = (), image: str = ""
) -> tuple[tuple[Chosen, ...], tuple[Lesson, ...]]:
    """Return the windows that are done, and each as a method learns from it.

    Raises
    ------
    BadInput
        As `choose_windows` does; or when they are too large together.
    """
    chosen = choose_windows(document, labels, image)
    pixels = sum(_area(c.done.window) for c in chosen)
    if pixels > _LARGEST:
        raise BadInput(f"The windows hold {pixels / 1e6:.0f} million pixels.", "Mark smaller ones: 500 × 500 is ample.")
    samples = {name: _sample(document, name) for name in dict.fromkeys(c.image for c in chosen)}
    return chosen, tuple(_lesson(document, c, samples[c.image]) for c in chosen)


def about_windows(chosen: Sequence[Chosen], lessons: Sequence[Lesson]) -> list[dict[str, Any]]:
    """Return what is kept of windows: where they lie, who marked them, and a hash of their pixels and labels."""
    return [_window(c, o) for c, o in zip(chosen, lessons, strict=True)]


def _lesson(document: Document, chosen: Chosen, sample: Pixels) -> Lesson:
    """Return a window as a method learns from it."""
    y0, y1, x0, x1 = chosen.done.window
    top, bottom, left, right = _in_image(document, chosen.done, chosen.image)
    labels = document.grid(chosen.done.labels).read((y0, y1, x0, x1))
    window = full_resolution(document, chosen.image).isel(y=slice(top, bottom), x=slice(left, right))
    pixels = Pixels(np.asarray(window.data), sample.pixel_size_um, sample.channels)
    # numbered from 1: ids of a whole slide may be larger than the pixels are many
    codes = np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
    return Lesson(pixels, (codes + (0 if (labels == 0).any() else 1)).astype(np.int32), sample)


def _image_of(document: Document, labels: str, image: str) -> str:
    if split_plane(labels)[1] is not None:
        raise BadInput(f"'{labels}' is a plane of a stack.", "Only labels without planes can be learned from so far.")
    found = image or sources_of(document, labels).image
    if not found or document.type_of(found) != "images" or offset_of(document, labels, found) is None:
        raise BadInput(f"No image has the same pixels as '{labels}'.", "Segment an image of this section first.")
    return found


def _in_image(document: Document, done: Done, image: str) -> tuple[int, int, int, int]:
    offset = offset_of(document, done.labels, image)
    assert offset is not None  # seen to by `_image_of`
    (dy, dx), (y0, y1, x0, x1) = offset, done.window
    sizes = full_resolution(document, image).sizes
    if y0 + dy < 0 or x0 + dx < 0 or y1 + dy > sizes["y"] or x1 + dx > sizes["x"]:
        raise BadInput(f"A window of '{done.labels}' reaches beyond '{image}'.", "Mark it again, within the image.")
    return y0 + dy, y1 + dy, x0 + dx, x1 + dx


def _halves(done: Done) -> tuple[Done, Done]:
    y0, y1, x0, x1 = done.window
    if y1 - y0 >= x1 - x0:
        cuts = (y0, (y0 + y1) // 2, x0, x1), ((y0 + y1) // 2, y1, x0, x1)
    else:
        cuts = (y0, y1, x0, (x0 + x1) // 2), (y0, y1, (x0 + x1) // 2, x1)
    first, second = (Done(done.labels, cut, done.who, done.when) for cut in cuts)
    return first, second


def _area(window: tuple[int, int, int, int]) -> int:
    return (window[1] - window[0]) * (window[3] - window[2])


def _sample(document: Document, image: str) -> Pixels:
    """Return pixels from all over an image: all of a small one, patches on a grid of a large one."""
    whole = full_resolution(document, image)
    height, width = whole.sizes["y"], whole.sizes["x"]
    names = tuple(str(c) for c in whole.coords["c"].to_numpy())
    size = pixel_size(document, image)
    if height * width <= _WHOLE:
        return Pixels(np.asarray(whole.data), size, names)
    h, w = min(_SAMPLE, height), min(_SAMPLE, width)
    corners = [(y, x) for y in np.linspace(0, height - h, _PATCHES) for x in np.linspace(0, width - w, _PATCHES)]
    patches = [whole.isel(y=slice(int(y), int(y) + h), x=slice(int(x), int(x) + w)).data for y, x in corners]
    return Pixels(np.concatenate([np.asarray(p) for p in patches], axis=1), size, names)


def _window(chosen: Chosen, lesson: Lesson) -> dict[str, Any]:
    return {
        "labels": chosen.done.labels,
        "image": chosen.image,
        "window": list(chosen.done.window),
        "pixel_size_um": lesson.pixels.pixel_size_um,
        "cells": len(np.unique(lesson.labels[lesson.labels > 0])),
        "who": chosen.done.who,
        "when": chosen.done.when,
        "held_out": chosen.held_out,
        "fingerprint": fingerprint((np.asarray(lesson.pixels.values), np.asarray(lesson.labels))),
    }
