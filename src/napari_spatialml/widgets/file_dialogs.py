"""Dialogs for files and folders; none blocks the window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QWidget

__all__ = ["ask_for_files", "ask_for_folder", "ask_where_to_save"]

_KNOWN = (
    "Sections (*.zarr *.h5ad *.imzML *.svs *.tif *.tiff *.png *.jpg *.jpeg *.tsv *.tsv.gz *.csv *.csv.gz *.parquet "
    "*.geojson *.geojson.gz *_seg.npy)"
)


def ask_for_files(parent: QWidget, call: Callable[[list[str]], object]) -> None:
    """Ask for one or several files, and call with their paths."""
    dialog = _dialog(parent, "Open files", QFileDialog.FileMode.ExistingFiles)
    dialog.setNameFilters([_KNOWN, "All files (*)"])
    dialog.filesSelected.connect(call)
    dialog.open()


def ask_for_folder(parent: QWidget, call: Callable[[list[str]], object]) -> None:
    """Ask for a folder (a SpatialData store, a Visium outs folder …), and call with its path in a list."""
    dialog = _dialog(parent, "Open a folder", QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly, True)
    dialog.fileSelected.connect(lambda path: call([path]))
    dialog.open()


def ask_where_to_save(parent: QWidget, title: str, name: str, suffix: str, call: Callable[[Path], object]) -> None:
    """Ask where to save, and call with the path, which ends in the suffix."""
    dialog = _dialog(parent, title, QFileDialog.FileMode.AnyFile)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setNameFilters([f"{suffix} (*{suffix})"])
    dialog.selectFile(name)
    dialog.fileSelected.connect(lambda path: call(_with_suffix(Path(path), suffix)))
    dialog.open()


def _dialog(parent: QWidget, title: str, mode: QFileDialog.FileMode) -> QFileDialog:
    dialog = QFileDialog(parent.window(), title)
    dialog.setFileMode(mode)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    return dialog


def _with_suffix(path: Path, suffix: str) -> Path:
    return path if path.name.endswith(suffix) else path.with_name(path.name + suffix)
