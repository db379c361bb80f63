"""Slides on the command line: Ctrl-C keeps the finished tiles, and the same command goes on."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from napari_spatialml.cli import main
from napari_spatialml.session import Session
from napari_spatialml.session.slides.folder import Folder

from .session.slide_cells import nuclei, section


def test_the_same_command_goes_on_after_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    warnings.simplefilter("ignore")
    store = tmp_path / "slide.zarr"
    session = Session.start(section(nuclei(190, 190)[None]))
    session.save(store)
    session.close()
    written: list[int] = []
    real, left = Folder.write, [3]

    def write(self: Folder, number: int, record: object) -> None:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        real(self, number, record)  # type: ignore[arg-type]
        written.append(number)

    monkeypatch.setattr(Folder, "write", write)
    command = ["segmentation", "watershed", str(store), "--tile", "64"]
    assert main(command) == 130
    assert "Stopped. 3 of 9 tiles are kept; the same run goes on from there." in capsys.readouterr().err
    left[0] = 100
    assert main(command) == 0
    assert "9 tiles" in capsys.readouterr().out
    assert sorted(written) == list(range(9)), "a finished tile was done again"
    again = Session.open_store(store)
    assert again.document.table("nuclei_table").n_obs > 40 and again.document.grid("nuclei").read().any()
    again.close()
