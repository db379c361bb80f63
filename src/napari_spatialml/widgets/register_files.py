"""Landmarks and reports of registrations from files and to files, by dialogs that do not block the window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QWidget

from ..session.landmark_exchange import export_landmarks, import_landmarks
from .register_inputs import images_of

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["FORMS", "ask_for_landmarks", "ask_where_to_export", "read_pairs", "write_pairs"]

FORMS = {
    "Table in µm (*.csv)": "plain",
    "BigWarp (*.csv)": "bigwarp",
    "Xenium Explorer keypoints (*.csv)": "keypoints",
    "Loupe Browser alignment (*.json)": "loupe",
}


def ask_for_landmarks(parent: QWidget, call: Callable[[Path], object]) -> None:
    """Ask for a file of landmarks, and call with its path."""
    dialog = QFileDialog(parent.window(), "Import landmarks")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.setNameFilters(["Landmarks (*.csv *.json)", "All files (*)"])
    dialog.fileSelected.connect(lambda path: call(Path(path)))
    dialog.open()


def ask_where_to_export(parent: QWidget, name: str, call: Callable[[Path, str], object]) -> None:
    """Ask where and in which form landmarks are written, and call with both."""
    dialog = QFileDialog(parent.window(), "Export landmarks")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setFileMode(QFileDialog.FileMode.AnyFile)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setNameFilters(list(FORMS))
    dialog.selectFile(f"{name}_landmarks.csv")

    def chosen(path: str) -> None:
        form = FORMS[dialog.selectedNameFilter()]
        suffix = ".json" if form == "loupe" else ".csv"
        call(Path(path).with_suffix(suffix), form)

    dialog.fileSelected.connect(chosen)
    dialog.open()


def read_pairs(desk: Desk, path: Path, moving: str, fixed: str) -> None:
    """Add the landmarks of a file, as one step; tell what of it was left out."""
    assert desk.session is not None
    session = desk.session
    a, b = _images(desk, moving, fixed)
    command, said = import_landmarks(
        session.document, path, moving, fixed=fixed, fixed_image=a, moving_image=b, replace=False
    )
    session.execute(command)
    for sentence in said:
        desk.told.emit("warning", sentence)


def write_pairs(desk: Desk, path: Path, form: str, moving: str, fixed: str) -> None:
    """Write the landmarks to a file; tell what such a file cannot hold."""
    assert desk.session is not None
    a, b = _images(desk, moving, fixed)
    said = export_landmarks(desk.session.document, moving, path, form, fixed_image=a, moving_image=b)
    desk.told.emit("ok", " ".join((f"Written to '{path.name}'.", *said)))


def _images(desk: Desk, moving: str, fixed: str) -> tuple[str, str]:
    """Return the fixed and the moving image whose pixels a file may count."""
    assert desk.session is not None
    document = desk.session.document
    a, b = images_of(document, fixed, moving), images_of(document, moving, fixed)
    return next(iter(a), ""), next(iter(b), "")
