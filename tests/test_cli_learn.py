"""Learning from the command line: the same windows, the same split, the same file as in the window."""

from __future__ import annotations

import warnings

import pytest

pytest.importorskip("torch")
pytest.importorskip("cv2")

from napari_spatialml.cli import main
from napari_spatialml.core import flow_training
from napari_spatialml.core.flow_models import Model
from napari_spatialml.core.flow_training import Schedule
from napari_spatialml.core.flow_weights import metadata_of
from napari_spatialml.session import Session

from .session.test_learning import WINDOWS, discs, mark


@pytest.fixture
def section(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = Session.start(discs())
        mark(session, *WINDOWS[:2])
        session.save(tmp_path / "rings.zarr")
    session.close()
    return tmp_path / "rings.zarr"


def test_learn_prints_before_and_after_and_writes_the_model_with_its_lineage(section, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(flow_training, "SCHEDULE", Schedule(steps=(3, 0, 3), batch=1, size=64))
    out = tmp_path / "model.safetensors"
    assert main(["learn", str(section), "--labels", "nuclei", "--out", str(out), "--seed", "2"]) == 0
    said = capsys.readouterr().out
    assert "AP@0.75" in said and "1 held-out window" in said
    lineage = Model(out, metadata_of(out)).lineage
    assert lineage["seed"] == 2 and lineage["section"] == "rings" and len(lineage["windows"]) == 2


def test_windows_are_written_for_cellpose(section, tmp_path, capsys):
    assert main(["learn", str(section), "--cellpose-data", str(tmp_path / "data")]) == 0
    assert "1 windows to train and 1 to test with" in capsys.readouterr().out
    assert len(list((tmp_path / "data" / "train").glob("*_masks.tif"))) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Give --out"),
        (["--out", "m.pt"], "End it with .safetensors"),
        (["--out", "m.safetensors", "--labels", "nuclei_B"], "No window of nuclei_B"),
        (["--out", "m.safetensors", "--weights", "nobody"], "no weights at 'nobody'"),
    ],
)
def test_what_is_missing_is_said(section, words, said, capsys):
    assert main(["learn", str(section), *words]) == 2
    assert said in capsys.readouterr().err
