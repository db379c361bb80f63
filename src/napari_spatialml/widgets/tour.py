"""The guided tour: seven steps through the whole way, each doing the real thing when asked to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QVBoxLayout

from .style import MARGIN, SPACING, Quiet, accent, quiet_button

if TYPE_CHECKING:
    from .workbench import Workbench

__all__ = ["STOPS", "Stop", "TourStrip", "touching_cells"]


@dataclass(frozen=True)
class Stop:
    """One step of the tour.

    Parameters
    ----------
    title
        What is done.
    text
        One or two sentences.
    dock
        The step of the workbench that does it.
    act
        Does it; called with the workbench.
    again, act_again
        What the button says once it was done, and what it then does; empty where it is done once.
    """

    title: str
    text: str
    dock: str
    act: Callable[[Workbench], None]
    again: str = ""
    act_again: Callable[[Workbench], None] | None = None


class TourStrip(QFrame):
    """The strip at the top of the workbench; hidden until the tour starts.

    Parameters
    ----------
    bench
        The workbench that is shown around.
    """

    moved = Signal(int)
    """The number of the step that is shown, from 1; 0 when the tour has ended."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__(bench)
        self._bench, self._at, self._done = bench, 0, False
        self.setObjectName("tour")
        self.setStyleSheet("#tour { background: rgba(74, 143, 214, 38); }")
        self.head, self.text = QLabel(), Quiet()
        font = self.head.font()
        font.setBold(True)
        self.head.setFont(font)
        self.do_button, self.next_button, self.leave = QPushButton("Do it"), QPushButton("Next"), QToolButton()
        self.leave.setText("×")
        self.leave.setToolTip("End the tour")
        quiet_button(self.leave)
        self.do_button.clicked.connect(lambda _checked=False: self.act())
        self.next_button.clicked.connect(lambda _checked=False: self.go(self._at + 1))
        self.leave.clicked.connect(lambda _checked=False: self.end())
        self._lay_out()
        self.hide()

    def start(self) -> None:
        """Show the first step."""
        self.go(1)
        self.show()

    def end(self) -> None:
        """Take the strip away."""
        self._at = 0
        self.hide()
        self.moved.emit(0)

    def go(self, number: int) -> None:
        """Show a step, or end the tour after the last."""
        if number > len(STOPS):
            self.end()
            return
        self._at, self._done = number, False
        stop = STOPS[number - 1]
        self.head.setText(f"{number} of {len(STOPS)}   {stop.title}")
        self.text.setText(stop.text)
        self.do_button.setText("Do it")
        self.next_button.setText("Next" if number < len(STOPS) else "Finish")
        self._bench.go_to(stop.dock)
        self.moved.emit(number)

    def act(self) -> None:
        """Do what the step is about, or what comes after it."""
        stop = STOPS[self._at - 1]
        self._bench.go_to(stop.dock)
        if self._at > 1 and self._bench.desk.session is None:
            self._bench.desk.told.emit("info", "Open the sample first: step 1.")
            return
        if self._done and stop.act_again is not None:
            stop.act_again(self._bench)
            self._done = False
            self.do_button.setText("Do it")
            return
        stop.act(self._bench)
        self._done = True
        if stop.again:
            self.do_button.setText(stop.again)

    def _lay_out(self) -> None:
        top, bottom = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self.head, 1)
        top.addWidget(self.leave)
        accent(self.do_button)
        for button in (self.do_button, self.next_button):
            button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            button.setMinimumWidth(84)
            bottom.addWidget(button)
        bottom.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, 6, MARGIN, 8)
        layout.setSpacing(SPACING)
        layout.addLayout(top)
        layout.addWidget(self.text)
        layout.addLayout(bottom)


def touching_cells(labels: npt.NDArray[Any]) -> tuple[int, int] | None:
    """Return two cells that touch and look like two halves of one, or None where none touch.

    Of the pairs that are together about as large as a cell, those whose union is the most convex.
    """
    from skimage.morphology import convex_hull_image

    pairs = []
    for a, b in ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])):
        border = (a != b) & (a > 0) & (b > 0)
        pairs.append(np.sort(np.stack([a[border], b[border]], 1), axis=1))
    every = np.concatenate(pairs)
    if not len(every):
        return None
    found, lengths = np.unique(every, axis=0, return_counts=True)
    areas = np.bincount(labels.ravel())
    together, usual = areas[found].sum(1), float(np.median(areas[1:][areas[1:] > 0]))
    likely = np.argsort(np.abs(np.log(together / (1.3 * usual))) - lengths / lengths.max(), kind="stable")[:40]

    def convexity(pair: npt.NDArray[Any]) -> float:
        at = np.argwhere(np.isin(labels, pair))
        (y0, x0), (y1, x1) = at.min(0), at.max(0) + 1
        mask = np.isin(labels[y0:y1, x0:x1], pair)
        return float(mask.sum() / convex_hull_image(mask).sum())

    one, two = max((found[k] for k in likely), key=convexity)
    return int(one), int(two)


def _open(bench: Workbench) -> None:
    bench.desk.opening.open_sample()


def _segment(bench: Workbench) -> None:
    dock: Any = bench.steps["Segment"]
    dock.images.setCurrentIndex(max(dock.images.findData("dapi"), 0))
    _choose_method(dock, "watershed")
    dock.panel.run()


def _register(bench: Workbench) -> None:
    from ..methods import method

    dock: Any = bench.steps["Register"]
    # the sample is turned, mirrored and stretched, not bent
    dock.panel.set_method(method(dock.kind, "landmarks")(model="affine"))
    dock.panel.run()


def _domains(bench: Workbench) -> None:
    dock: Any = bench.steps["Domains"]
    dock.panel.run()


def _deconvolve(bench: Workbench) -> None:
    dock: Any = bench.steps["Deconvolve"]
    if bench.desk.simulated:
        dock.take_sample_reference()
        dock.refresh_now()
    dock.panel.run()


def _merge(bench: Workbench) -> None:
    from ..session.gather import pixel_size

    dock: Any = bench.steps["Correct"]
    desk, name = bench.desk, dock.labels.currentData()
    assert desk.session is not None and desk.presenter is not None
    document = desk.session.document
    cells = None
    if name in document.attribute("segmentations", {}):
        labels = document.grid(name).read()
        cells = touching_cells(labels)
    if cells is None:
        desk.told.emit("info", "There are no two cells that touch: segment the image first, in step 2.")
        return
    where = np.argwhere(np.isin(labels, cells)).mean(0) + 0.5
    y, x = document.affine(name).apply(where[None])[0]
    shown = {name, str(document.attribute("segmentations", {})[name]["image"])}
    desk.presenter.show(shown=tuple(sorted(shown)), beside="")
    desk.look_at(float(y), float(x), 6.0 / pixel_size(document, name))
    if desk.correct("merge-cells", labels=name, cells=list(cells)):
        desk.told.emit("ok", f"Cells {cells[0]} and {cells[1]} are one cell now, and were measured again.")


def _undo(bench: Workbench) -> None:
    bench.desk.undo()
    bench.desk.told.emit("ok", "Taken back: the cells, their measurements and their rows of the table.")


def _save(bench: Workbench) -> None:
    dock: Any = bench.steps["Section"]
    dock.save()


def _choose_method(dock: Any, name: str) -> None:
    from ..methods import method

    dock.panel.set_method(method(dock.kind, name)())


STOPS: tuple[Stop, ...] = (
    Stop(
        "Open a section",
        "The sample is a simulated piece of bowel wall: H&E, a nuclear stain, spots with counts, transcripts and a "
        "metabolite image. It opens as an overlay, in micrometres.",
        "Section",
        _open,
    ),
    Stop("Segment nuclei", "Find the nuclei in the stain. They arrive as labels with a table of measurements.",
         "Segment", _segment),
    Stop(
        "Register",
        "The metabolite image lies on a stage of its own, turned and mirrored. Its landmarks bring it onto the H&E; "
        "the table says how far each of them misses.",
        "Register",
        _register,
    ),
    Stop("Find domains", "Divide the spots into spatial domains. What you correct by brush is kept by the next run.",
         "Domains", _domains),
    Stop("Deconvolve", "Estimate which cell types make up each spot, from single cells with known types. Point at a "
         "pie to read it; set a spot by hand, and all others follow.", "Deconvolve", _deconvolve),
    Stop("Correct and undo", "Merge two cells that touch: their measurements follow at once. Then take it back.",
         "Correct", _merge, "Undo it", _undo),
    Stop("Save", "Save everything with its history: undo works after the next start, and the recipe proves each step.",
         "Section", _save),
)  # fmt: skip
