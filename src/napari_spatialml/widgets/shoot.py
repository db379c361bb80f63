"""Pictures of the real window: a saved section, seen through every step of the workbench."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QApplication

from ..errors import DocumentError
from ..session.gather import pixel_size
from .launch import open_window, wait_until

__all__ = ["grab", "shoot"]

_OPENING_S = 300.0
_SETTLE_S = 1.5


def grab(viewer: Any) -> QImage:
    """Return a picture of the whole window, with the canvas and what lies on it."""
    window = viewer.window._qt_window
    picture = window.grab().toImage()
    return picture.convertToFormat(QImage.Format.Format_RGB888)


@dataclass
class _Camera:
    """Takes pictures of one window into a folder."""

    viewer: Any
    bench: Any
    out: Path
    made: list[Path] = field(default_factory=list)

    def picture(self, name: str, set_up: Callable[[], object] = lambda: None) -> None:
        set_up()
        wait_until(lambda: False, _SETTLE_S)
        path = self.out / f"{len(self.made) + 1:02d}-{name}.png"
        if not grab(self.viewer).save(str(path)):
            raise DocumentError(f"The picture '{path}' could not be written.", "Choose another folder.")
        self.made.append(path)


def shoot(section: Path, out: Path, *, width: int = 1600, height: int = 1000, tables: int = 4) -> list[Path]:
    """Open a saved section and write a picture of each useful view.

    Parameters
    ----------
    section
        A SpatialData store, or anything else that can be opened without a question.
    out
        The folder of the pictures; made if absent.
    width, height
        Of the window, in pixels.
    tables
        At most so many tables are shown with their domains.

    Returns
    -------
    list of Path
        The pictures.

    Raises
    ------
    SpatialMLError
        When there is no display, or the section cannot be opened.
    """
    out.mkdir(parents=True, exist_ok=True)
    viewer, bench = open_window(width=width, height=height)
    try:
        problem: list[BaseException] = []
        opening = bench.desk.opening
        opening.failed.connect(problem.append)
        opening.open([section])
        wait_until(lambda: not opening.running, _OPENING_S)
        if opening.question is not None:
            problem.append(opening.question)
        if problem:
            raise problem[0]
        camera = _Camera(viewer, bench, out)
        for name, set_up in _views(bench, tables):
            camera.picture(name, set_up)
        return camera.made
    finally:
        viewer.close()
        QApplication.processEvents()


def _views(bench: Any, tables: int) -> Iterator[tuple[str, Callable[[], object]]]:
    document = bench.desk.session.document
    yield "overview", lambda: (bench.go_to("Section"), bench.desk.presenter.fit())
    yield from _segmentations(bench, document)
    yield from _registrations(bench, document)
    for table in document.names("tables")[:tables]:
        obs = document.table(table).obs
        if "domain" in obs:
            yield f"domains-{table}", lambda t=table: _domains(bench, t)
            yield f"domains-{table}-by-hand", lambda t=table: _domains_by_hand(bench, t)
        if "proportions" in document.table(table).obsm:
            yield f"proportions-{table}", lambda t=table: _proportions(bench, t, 0)
            yield f"proportions-{table}-one-type", lambda t=table: _proportions(bench, t, 1)
            yield f"proportions-{table}-by-hand", lambda t=table: _proportions_by_hand(bench, t)
        if "domain" not in obs:
            yield f"feature-{table}", lambda t=table: _feature(bench, t)
    if not document.attribute("segmentations", {}):
        yield "segment", lambda: bench.go_to("Segment")
    yield "history", lambda: bench.go_to("History")


def _segmentations(bench: Any, document: Any) -> Iterator[tuple[str, Callable[[], object]]]:
    for name, about in document.attribute("segmentations", {}).items():
        if name in document.names("labels"):
            yield f"segmentation-{name}", lambda n=name, i=about["image"]: _close_up(bench, n, i)
            yield f"correct-{name}", lambda n=name: _in_hand(bench, n)


def _close_up(bench: Any, labels: str, image: str) -> None:
    presenter = bench.desk.presenter
    dock = bench.go_to("Segment")
    dock.images.setCurrentIndex(max(dock.images.findData(image), 0))
    presenter.show(shown=(image, labels), beside="")
    document = bench.desk.session.document
    grid = document.grid(labels).read()
    y, x = _crowded(grid)
    (y, x), scale = document.affine(labels).apply(np.array([[y, x]]))[0], pixel_size(document, labels)
    # about two hundred pixels of the image across the height of the canvas
    bench.desk.look_at(float(y), float(x), 3.0 / scale)


def _in_hand(bench: Any, labels: str) -> None:
    """Show the tools, with the one that splits in the hand, where the picture before was taken."""
    dock = bench.go_to("Correct")
    dock.labels.setCurrentIndex(max(dock.labels.findData(labels), 0))
    bench.desk.presenter.use("split", labels=labels)


def _crowded(labels: Any, edge: int = 200) -> tuple[float, float]:
    """Return the middle (y, x) of the window that holds most labelled pixels."""
    from scipy.ndimage import uniform_filter

    step = max(1, min(labels.shape) // 500)
    density = uniform_filter((labels[::step, ::step] > 0).astype(np.float32), max(edge // step, 1))
    y, x = np.unravel_index(int(density.argmax()), density.shape)
    return float(y * step), float(x * step)


def _registrations(bench: Any, document: Any) -> Iterator[tuple[str, Callable[[], object]]]:
    if len(document.coordinate_systems()) > 1:
        yield "register-side-by-side", lambda: bench.go_to("Register").show_beside(True)
        yield "register-overlaid", lambda: bench.go_to("Register").show_beside(False)
        yield "register-edges", lambda: bench.go_to("Register").scene.go("edges")
        yield "register-swipe", lambda: bench.go_to("Register").scene.compare("swipe", True)
        yield "register-landmarks", lambda: _place_landmarks(bench)


def _place_landmarks(bench: Any) -> None:
    dock = bench.go_to("Register")
    dock.scene.go("overlaid", live=True)
    dock.landmarks.tools.buttons["landmark"].click()


def _domains(bench: Any, table: str) -> None:
    from ..views.state import ColourBy

    dock = bench.go_to("Domains")
    tables = dock.inputs.tables
    tables.setCurrentIndex(max(tables.findData(table), 0))
    element = bench.desk.session.document.annotated(table)
    _show_alone(bench, element)
    bench.desk.presenter.colour_by(element, ColourBy(table, "obs/domain"))
    dock.refresh_now()


def _domains_by_hand(bench: Any, table: str) -> None:
    """Show the brush in the hand and what says how sure the map is, at the region that is least so."""
    _domains(bench, table)
    dock = bench.go_to("Domains")
    dock.by_hand.tools.buttons["domain-brush"].click()
    dock.trust_fold.set_open(True)
    dock.trust.leading.go_on()
    wait_until(lambda: dock.trust.leading.runner.state == "idle", _SETTLE_S)
    bar = dock._area.verticalScrollBar()
    bar.setValue(bar.maximum())


def _proportions(bench: Any, table: str, index: int) -> None:
    dock = bench.go_to("Deconvolve")
    tables = dock.inputs.tables
    tables.setCurrentIndex(max(tables.findData(table), 0))
    dock.refresh_now()
    _show_alone(bench, bench.desk.session.document.annotated(table))
    if index:
        dock.result.shown.show_type(dock.result.held.types[0])
    else:
        dock.result.shown.how.setCurrentIndex(0)
        dock.result.shown.draw()


def _proportions_by_hand(bench: Any, table: str) -> None:
    """Show the tools of the hand, with the brush in it, and the spots that are most uncertain selected."""
    from ..session.selected import Selected

    _proportions(bench, table, 0)
    dock = bench.go_to("Deconvolve")
    rows = dock.result.held.by_uncertainty()[:6]
    bench.desk.presenter.selected.take(Selected(table, rows, "most uncertain"))
    dock.by_hand.tools.buttons["proportions"].click()
    wait_until(lambda: False, _SETTLE_S)  # the tools take their place first
    bar = dock._area.verticalScrollBar()
    bar.setValue(bar.maximum())


def _feature(bench: Any, table: str) -> None:
    from ..views.state import ColourBy

    held = bench.desk.session.document.table(table)
    element = bench.desk.session.document.annotated(table)
    if not element or held.X is None:
        return
    bench.go_to("Section").elements.choose(element)
    _show_alone(bench, element)
    strongest = int(np.asarray(held.X.sum(0)).ravel().argmax())
    bench.desk.presenter.colour_by(element, ColourBy(table, f"X/{held.var_names[strongest]}"))


def _show_alone(bench: Any, element: str) -> None:
    """Show an element over the first image of its coordinate system, and the whole of it."""
    bench.desk.show_over_histology(element)
    bench.desk.presenter.fit()
