"""Corrected windows as files that ``cellpose --train`` reads: images beside their masks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..core.learning import Lesson
from ..core.report import Report, silent
from ..errors import BadInput
from .document import Document
from .lessons import about_windows, gathered

__all__ = ["export_lessons"]

_MOST = 2**16 - 1


def export_lessons(
    document: Document,
    folder: Path,
    labels: Sequence[str] = (),
    image: str = "",
    channels: Sequence[str] = (),
    report: Report = silent,
) -> str:
    """Write the windows that are done as training data for Cellpose; return what was written, in one line.

    Parameters
    ----------
    document
        The document.
    folder
        A new or empty folder. ``train`` and ``test`` in it get, for each window, ``NAME.tif``,
        ``NAME_masks.tif`` and ``NAME_seg.npy``; the windows held out go to ``test``.
    labels, image
        As `choose_windows` takes them.
    channels
        Channels to write, in this order; all if empty.

    Raises
    ------
    BadInput
        When nothing is done, a channel is not there, or the folder holds something already.
    """
    chosen, lessons = gathered(document, labels, image)
    if folder.exists() and any(folder.iterdir()):
        raise BadInput(f"'{folder}' is not empty.", "Choose a new folder.")
    counts = {"train": 0, "test": 0}
    try:
        for i, (one, lesson) in enumerate(zip(chosen, lessons, strict=True)):
            report(i / len(lessons), f"window {i + 1} of {len(lessons)}")
            side = "test" if one.held_out else "train"
            y0, _, x0, _ = one.done.window
            counts[side] += 1
            (folder / side).mkdir(parents=True, exist_ok=True)
            _write(folder / side / f"{one.done.labels}_{y0}_{x0}.tif", lesson, channels)
        told = json.dumps(about_windows(chosen, lessons), indent=1, ensure_ascii=False)
        (folder / "windows.json").write_text(told, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"'{folder}' cannot be written ({error.strerror}).", "Choose another place.") from error
    return f"{counts['train']} windows to train and {counts['test']} to test with, in '{folder.name}'."


def _write(path: Path, lesson: Lesson, channels: Sequence[str]) -> None:
    import tifffile

    from ..io.cellpose_seg import write_cellpose

    names = lesson.pixels.channels
    absent = [c for c in channels if c not in names]
    if absent:
        raise BadInput(f"The image has no channel '{absent[0]}'.", f"It has: {', '.join(names)}.")
    values = lesson.pixels.values[[names.index(c) for c in channels or names]]
    colour = len(values) == 3 and values.dtype == np.uint8
    plane = values[0] if len(values) == 1 else np.moveaxis(values, 0, -1) if colour else values
    masks = np.asarray(lesson.labels)
    kind = np.uint16 if masks.max(initial=0) <= _MOST else np.int32
    tifffile.imwrite(path, plane, photometric="rgb" if colour else "minisblack")
    tifffile.imwrite(path.with_name(f"{path.stem}_masks.tif"), masks.astype(kind))
    write_cellpose(path.with_name(f"{path.stem}_seg.npy"), masks, filename=path.name)
