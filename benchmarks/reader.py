"""A script that reviews like a person: it looks at the sheets, clicks, and mends by hand what a click does not.

It looks at each thumbnail and compares it with the truth as a pathologist compares it with the image, clicks those
whose proposal in red is right, mends the others with the tools, and turns the sheet. At last it looks at the whole
section, view by view. Each key press, click and drag is one input; turning a sheet and moving the view are inputs too;
moving the pointer is none.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label

from napari_spatialml.core.retracing import cut_between, trimmed

__all__ = ["Reader"]

SIMILAR = 0.5
"""Overlap with the true cell from which a person takes a cell for right."""
ALIKE = 0.6
"""Overlap with the true cell from which a person takes a proposed outline."""
VIEW = 600
"""Pixels of the image along a view in which single cells can still be told."""


class Reader:
    """The hand and the eye of a person at the sheets of the Review dock, without its window.

    Parameters
    ----------
    session
        A section with the image and the wrong labels.
    labels
        Their name.
    truth
        (y, x) what the person knows when it looks at a cell.
    network
        The network that is asked too when the cells are ranked, or "".
    """

    def __init__(self, session: Any, labels: str, truth: npt.NDArray[np.int32], network: str = "") -> None:
        from napari.components import ViewerModel

        from napari_spatialml.session.review import Review
        from napari_spatialml.views.presenter import Presenter
        from napari_spatialml.views.review import Walk
        from napari_spatialml.views.sheet import Sheet

        self.session, self.labels, self.truth, self.network = session, labels, truth, network
        self.presenter = Presenter(ViewerModel(), session)
        self.presenter.show()
        self.review = Review(session, labels)
        self.walk = Walk(self.presenter, self.review)
        self.sheet = Sheet(self.walk)
        self.areas = np.bincount(truth.ravel())
        self.inputs: dict[str, int] = {"keys": 0, "clicks": 0, "drags": 0}
        self.told: list[str] = []
        self.presenter.told.connect(self._hear)

    def _hear(self, level: str, sentence: str) -> None:
        if level == "error":
            self.told.append(sentence)

    @property
    def used(self) -> int:
        """All inputs so far."""
        return sum(self.inputs.values())

    # the hand ----------------------------------------------------------------------------------

    def key(self, act: Any, *arguments: Any) -> None:
        """Press a key of the dock."""
        self.inputs["keys"] += 1
        act(*arguments)

    def click(self, pixel: tuple[float, float]) -> None:
        """Click at a pixel of the labels."""
        self.inputs["clicks"] += 1
        self._press([pixel])

    def drag(self, pixels: npt.NDArray[np.float64]) -> None:
        """Drag along pixels of the labels."""
        self.inputs["drags"] += 1
        self._press(pixels)

    def _press(self, pixels: Any) -> None:
        from napari.utils._proxies import ReadOnlyWrapper
        from napari.utils.interactions import (
            mouse_move_callbacks,
            mouse_press_callbacks,
            mouse_release_callbacks,
        )

        viewer, place = self.presenter.viewer, self.presenter.place_of(self.labels)
        path = place.affine.apply(np.asarray(pixels, dtype=float))
        kinds = ["mouse_press", *["mouse_move"] * (len(path) - 1), "mouse_release"]
        calls = [mouse_press_callbacks, *[mouse_move_callbacks] * (len(path) - 1), mouse_release_callbacks]
        for kind, call, at in zip(kinds, calls, [*path, path[-1]], strict=True):
            event = SimpleNamespace(
                type=kind, position=tuple(map(float, at)), modifiers=(), button=1, is_dragging=kind == "mouse_move",
                view_direction=None, up_direction=None, dims_displayed=[0, 1], pos=(0, 0), handled=False,
                camera_zoom=viewer.scene.camera.zoom, dims_point=(0.0, 0.0), inverted=False,
            )  # fmt: skip
            call(viewer, ReadOnlyWrapper(event))

    # the eye -----------------------------------------------------------------------------------

    def around(self, where: tuple[float, float], diameter: float) -> tuple[slice, slice]:
        """Return what a thumbnail shows, and a little more."""
        reach = diameter + 2 * self.walk.median_diameter()
        (y, x), (h, w) = where, self.truth.shape
        return slice(max(int(y - reach), 0), min(int(y + reach), h)), slice(
            max(int(x - reach), 0), min(int(x + reach), w)
        )

    def look(self, cell: int) -> tuple[str, tuple[int, ...]]:
        """Return what is wrong with a cell, and the true cells in question."""
        item = self.review.item(cell)
        rows, columns = self.around(item.centre, item.diameter)
        labels = self.session.document.grid(self.labels).read((rows.start, rows.stop, columns.start, columns.stop))
        truth, mask = self.truth[rows, columns], labels == cell
        trues, n = np.unique(truth[mask], return_counts=True)
        trues, n = trues[trues > 0], n[trues > 0]
        area, areas = int(mask.sum()), self.areas[trues]
        if not len(trues) or n.max() < 0.2 * area:
            return "speck", ()
        held = trues[n >= 0.5 * areas]
        if len(held) >= 2:
            return "merged", tuple(int(t) for t in held)
        best = int(n.argmax())
        true, union = int(trues[best]), area + int(areas[best]) - int(n[best])
        others, m = np.unique(labels[(truth == true) & ~mask], return_counts=True)
        pieces = [int(c) for c, k in zip(others, m, strict=True) if c and k >= 0.5 * (labels == c).sum()]
        if pieces and n[best] >= 0.5 * area:
            return "halves", (true, *pieces)
        return ("right", (true,)) if n[best] / union >= SIMILAR else ("border", (true,))

    def outline(self, true: int) -> npt.NDArray[np.float64]:
        """Return the border of a true cell as a hand follows it."""
        from skimage.measure import find_contours

        found = max(find_contours(np.pad(self.truth == true, 1).astype(float), 0.5), key=len) - 0.5
        return np.asarray(found[:: max(1, len(found) // 40)])

    def middle(self, labels: npt.NDArray[Any], cell: int) -> tuple[float, float]:
        """Return a pixel well inside a cell."""
        from scipy.ndimage import distance_transform_edt

        y, x = np.unravel_index(int(distance_transform_edt(labels == cell).argmax()), labels.shape)
        return float(y) + 0.5, float(x) + 0.5

    # the work ----------------------------------------------------------------------------------

    def rank(self) -> None:
        """Press Rank cells, and wait."""
        self.inputs["keys"] += 1
        job, store = self.review.ranking_job(replace(self.review.sources, network=self.network))
        store(job(lambda *_: None))

    def work(self, most: int) -> None:
        """Go through the sheets of what is missing until one shows nothing missing, then through those of the cells."""
        self.rank()
        for mode in ("missing", "cells"):
            self.key(self.sheet.start, mode, 0.0)
            while self.sheet.open and self.used < most:
                shown = self.sheet.keys
                found = [self.one(key) for key in self.sheet.open if self.used < most]
                if mode == "missing" and not any(found):
                    break
                # a sheet of which the last was mended turns by itself: what comes then is looked at first
                if self.used < most and self.sheet.open and self.sheet.keys == shown:
                    self.key(self.sheet.accept_rest)
        self.survey(most)

    def survey(self, most: int) -> None:
        """Look at the section view by view, with the tool that draws in the hand, and draw what has no outline."""
        self.key(partial(self.presenter.use, "draw", labels=self.labels))
        h, w = self.truth.shape
        for y in range(0, h, VIEW):
            for x in range(0, w, VIEW):
                view = slice(y, y + VIEW), slice(x, x + VIEW)
                self.inputs["drags"] += 1
                for true in self.unlabelled(view, np.unique(self.truth[view])):
                    if self.used < most:
                        self.drag(self.outline(true))

    def one(self, key: int) -> bool:
        """Look at a thumbnail; mend what is wrong there. Return whether something was."""
        if self.sheet.state(key) != "open":
            return False  # it went with one before it
        what, which = self.miss(key) if self.sheet.walk.mode == "missing" else self.look(key)
        if what == "right":
            return self.notice(key)
        if what == "speck":
            self.key(self.sheet.delete, key)
            return True
        job, take = self.sheet.job(only=(key,))  # a person's eye comes later than the program's
        take(job(lambda *_: None))
        offer, trues = self.sheet.offer(key), which[:1] if what in ("halves", "border") else which
        if self.mends(self.sheet.proposal(key), trues):
            self.inputs["clicks"] += 1
            self.sheet.fix(key)
            return True
        tool = {"merged": "split", "halves": "merge", "border": "redraw"}.get(what, "draw")
        if tool != "draw" and self.mends(offer.ways.get(tool), trues):
            self.key(self.sheet.fix, key, tool)
            self.inputs["clicks"] += 1
            self.sheet.fix(key)
            return True
        self.by_hand(key, tool, which)
        return True

    def by_hand(self, key: int, tool: str, which: tuple[int, ...]) -> None:
        """Open a cell on the canvas, take the tool, and do it."""
        self.key(self.sheet.visit, key)
        if tool == "draw":
            self.drag(self.outline(which[0]))
            return
        mask = self.session.document.grid(self.labels).read() == key
        if tool == "split" and label(mask)[1] > 1:
            tool = "redraw"  # it lies in pieces: the other one is drawn when it is seen without an outline
        self.key(self.walk.fix, tool)
        if tool == "split":
            clouds = (np.argwhere(mask & (self.truth == t)) + 0.5 for t in which[:2])
            self.drag(np.linspace(*trimmed(cut_between(*clouds), mask), 12))
        elif tool == "merge":
            self.click(self.middle(self.session.document.grid(self.labels).read(), which[1]))
        else:
            self.drag(self.outline(which[0]))

    def notice(self, key: int) -> bool:
        """Draw a cell that a thumbnail shows whole and without an outline; return whether there was one."""
        if self.walk.mode == "missing":
            return False
        y0, y1, x0, x1 = self.sheet.window(key)
        truth = self.truth[y0:y1, x0:x1]
        whole = [t for t in np.unique(truth) if t and (truth == t).sum() == self.areas[t]]
        for true in self.unlabelled((slice(y0, y1), slice(x0, x1)), whole):
            self.key(self.sheet.visit, key, "draw")
            self.drag(self.outline(true))
            self.key(self.walk.visit, None)
            return True
        return False

    def unlabelled(self, where: tuple[slice, slice], trues: Any) -> list[int]:
        """Return those of true cells that have no outline, neither in its place nor beside it."""
        rows, columns = where
        truth, found = self.truth[rows, columns], []
        (y, x), (h, w) = (rows.start, columns.start), truth.shape
        labels = self.session.document.grid(self.labels).read((y, y + h, x, x + w))
        for true in trues:
            mask = truth == true
            if true and (labels[mask] == 0).mean() > SIMILAR:
                cells = (int(c) for c in np.unique(labels[mask]) if c)
                if not any(self.look(c) == ("border", (int(true),)) for c in cells):
                    found.append(int(true))
        return found

    def miss(self, number: int) -> tuple[str, tuple[int, ...]]:
        """Return whether a place shows a cell without a label, and which."""
        place = self.walk.found(number)
        rows, columns = self.around(place.where, place.diameter)
        y, x = np.mgrid[rows, columns] + 0.5
        inside = np.hypot(y - place.where[0], x - place.where[1]) <= place.diameter / 2
        trues = self.unlabelled((rows, columns), np.unique(self.truth[rows, columns][inside]))
        return ("missing", tuple(trues[:1])) if trues else ("right", ())

    def mends(self, proposal: Any, trues: tuple[int, ...]) -> bool:
        """Whether what is drawn in red would make one good cell of each true one, and spoil no other."""
        from napari_spatialml.session import correct
        from napari_spatialml.session.changes import EditLabels

        if proposal is None or not proposal.correction:
            return False
        document = self.session.document
        command = correct(document, proposal.correction, labels=self.labels, **proposal.arguments)
        edit = next(c for c in command.changes if isinstance(c, EditLabels))
        (y, x), (h, w) = edit.offset, edit.new.shape
        rows, columns = self.around((y + h / 2, x + w / 2), max(h, w))
        labels = np.array(document.grid(self.labels).read((rows.start, rows.stop, columns.start, columns.stop)))
        labels[y - rows.start : y - rows.start + h, x - columns.start : x - columns.start + w] = edit.new
        spoilt = (int(c) for c in np.unique(edit.old[edit.old != edit.new]) if c and self.look(int(c))[0] == "right")
        truth = self.truth[rows, columns]
        return all(_good(labels, truth == t) for t in trues) and not any(spoilt)


def _good(labels: npt.NDArray[Any], true: npt.NDArray[np.bool_]) -> bool:
    """Whether one cell is much like a true one, and no other lies mostly in it."""
    cells, n = np.unique(labels[true & (labels > 0)], return_counts=True)
    areas = np.array([(labels == c).sum() for c in cells])
    like = n / (areas + true.sum() - n)
    return bool(len(cells)) and float(like.max()) >= ALIKE and int((n >= 0.5 * areas).sum()) == 1
