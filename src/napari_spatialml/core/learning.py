"""Learning from corrections: windows of which every cell was corrected, and methods that learn from them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from .arrays import frozen, require
from .overlap import intersection_over_union, matches
from .report import Report, forward_only, part, silent
from .segmentation import Pixels, Segmenter

__all__ = ["AT", "Judged", "Learner", "Lesson", "Outcome", "diameter_um_of", "held_out", "pooled_precision", "study"]

AT = (0.5, 0.75, 0.9)
"""Intersections over unions from which on a cell counts as found."""
_SMALLEST = 32  # pixels
_EACH = 3

Labels = npt.NDArray[np.int32]
Window = tuple[int, int, int, int]


@dataclass(frozen=True)
class Lesson:
    """A window of an image of which every cell was corrected, the background too.

    Parameters
    ----------
    pixels
        The window.
    labels
        (y, x) int32: its cells; 0 is background.
    sample
        Pixels from all over the image, for what depends on the whole of it: the stain, and the values of
        ground and nuclei.
    """

    pixels: Pixels
    labels: Labels
    sample: Pixels

    def __post_init__(self) -> None:
        labels = np.asarray(self.labels)
        shape = self.pixels.values.shape[1:]
        require(labels.shape == shape, f"The labels are {labels.shape}, the image {shape}.", "Give one window of both.")
        require(min(shape) >= _SMALLEST, f"A window is {shape[0]} × {shape[1]} pixels.", f"Mark at least {_SMALLEST}.")
        object.__setattr__(self, "labels", frozen(labels.astype(np.int32, copy=False)))


class Learner(Segmenter):
    """Base class of segmentation methods that can learn from corrected windows."""

    ending: ClassVar[str] = ".safetensors"
    """With what the names of its files end."""

    @abstractmethod
    def told(self, lessons: Sequence[Lesson]) -> Self:
        """Return the method with the size of the cells in the lessons, where it was not told another."""

    @abstractmethod
    def learn(self, lessons: Sequence[Lesson], file: Path, seed: int, report: Report = silent) -> Self:
        """Go on training with the lessons; return the method with what was learned, which is in ``file``."""

    @abstractmethod
    def weights_file(self) -> Path:
        """Return the file of the weights with which it runs."""

    @abstractmethod
    def lineage(self) -> dict[str, Any]:
        """Return what these weights were made of, as was said when they were kept; empty for published ones."""

    @abstractmethod
    def keep(self, path: Path, about: dict[str, str]) -> Self:
        """Write its weights to a file, with what is said of them; return the method that uses that file."""

    def attempt(self, lesson: Lesson) -> Labels:
        """Segment the window of a lesson as it would be as a part of its image; its labels are not looked at."""
        return self(lesson.pixels).labels


@dataclass(frozen=True)
class Judged:
    """A window that nothing was learned from, before and after."""

    lesson: Lesson
    before: Labels
    after: Labels


@dataclass(frozen=True)
class Outcome:
    """What was learned, and how good it is on windows that it was not learned from.

    Parameters
    ----------
    learner
        The method with what was learned.
    before, after
        Average precision at `AT` over the windows held out.
    judged
        Those windows.
    """

    learner: Learner
    before: tuple[float, ...]
    after: tuple[float, ...]
    judged: tuple[Judged, ...]


def study(
    learner: Learner,
    lessons: Sequence[Lesson],
    others: Sequence[Lesson],
    file: Path,
    seed: int = 0,
    report: Report = silent,
) -> Outcome:
    """Let a method learn from lessons, and judge it by others before and after.

    Parameters
    ----------
    learner
        The method to begin with. Both times it is told the size of the cells in the lessons: what differs
        is what was learned.
    lessons, others
        To learn from, and to judge by: no window is in both.
    file
        Where what was learned is written.

    Raises
    ------
    BadInput
        When the lessons hold no cell.
    """
    onward = forward_only(report)
    start = learner.told(lessons)
    before = _attempts(start, others, part(onward, 0.0, 0.1), "before learning")
    after_of = start.learn(lessons, file, seed, part(onward, 0.1, 0.9))
    after = _attempts(after_of, others, part(onward, 0.9, 1.0), "after learning")
    judged = tuple(Judged(*three) for three in zip(others, before, after, strict=True))
    precisions = (pooled_precision((j.lesson.labels, found) for j, found in zip(judged, side, strict=True))
                  for side in (before, after))  # fmt: skip
    first, second = (tuple(float(v) for v in values) for values in precisions)
    return Outcome(after_of, first, second, judged)


def _attempts(learner: Learner, lessons: Sequence[Lesson], report: Report, when: str) -> list[Labels]:
    found = []
    for i, lesson in enumerate(lessons):
        report(i / len(lessons), f"window {i + 1} of {len(lessons)} held out, {when}")
        found.append(learner.attempt(lesson))
    return found


def pooled_precision(
    pairs: Iterable[tuple[npt.NDArray[Any], npt.NDArray[Any]]], at: Sequence[float] = AT
) -> npt.NDArray[np.float64]:
    """Return the average precision over all cells of several windows: TP / (TP + FP + FN) at each threshold.

    Parameters
    ----------
    pairs
        True and found labels of each window. A window with many cells counts for more than one with few.
    """
    hits, all_ = np.zeros(len(at)), np.zeros(len(at))
    for true, found in pairs:
        iou = intersection_over_union(true, found)
        hit = np.array([len(matches(iou, t)[0]) for t in at], dtype=np.float64)
        hits += hit
        all_ += sum(iou.shape) - hit
    return np.divide(hits, all_, out=np.ones_like(hits), where=all_ > 0)


def diameter_um_of(lessons: Sequence[Lesson]) -> float:
    """Return the diameter in µm of the disc with the median area of the cells.

    Raises
    ------
    BadInput
        When there is no cell.
    """
    areas = [np.unique(o.labels[o.labels > 0], return_counts=True)[1] * o.pixels.pixel_size_um**2 for o in lessons]
    together = np.concatenate([np.zeros(0), *areas])
    require(together.size > 0, "The windows to learn from hold no cell.", "Mark a window with cells as done.")
    return 2 * float(np.sqrt(np.median(together) / np.pi))


def held_out(windows: Sequence[tuple[str, Window]]) -> tuple[bool, ...]:
    """Return which of two or more windows are held out: every third, beginning with the second.

    Parameters
    ----------
    windows
        The name of the image, and the window in its pixels, in the order in which they were marked. Windows
        that overlap stay on one side: they count as one, in the place of the first.

    Returns
    -------
    tuple of bool
        Of one window, or of windows that all overlap, none is held out.
    """
    group = _groups(windows)
    order = {g: i for i, g in enumerate(dict.fromkeys(group))}
    return tuple(order[g] % _EACH == 1 for g in group)


def _groups(windows: Sequence[tuple[str, Window]]) -> list[int]:
    group = list(range(len(windows)))
    for i, (image, (a0, a1, b0, b1)) in enumerate(windows):
        for j, (other, (c0, c1, d0, d1)) in enumerate(windows[:i]):
            if image == other and a0 < c1 and c0 < a1 and b0 < d1 and d0 < b1:
                joined, kept = group[i], group[j]
                group = [kept if g == joined else g for g in group]
    return group
