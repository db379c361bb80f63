"""Corrected windows for Cellpose: it reads them, learns from them, and loads what it learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cellpose")
pytest.importorskip("torch")

from napari_spatialml.core import cellpose_training
from napari_spatialml.errors import BadInput
from napari_spatialml.io.cellpose_seg import read_cellpose
from napari_spatialml.methods import method
from napari_spatialml.session import Session
from napari_spatialml.session.learning import accept, prepare_learning
from napari_spatialml.session.lesson_files import export_lessons
from tests.session.test_learning import WINDOWS, discs, mark

CELLPOSE: Any = method("segmentation", "cellpose")


@pytest.fixture
def rings():
    made = Session.start(discs())
    mark(made, *WINDOWS[:3])
    yield made
    made.close()


@pytest.fixture
def untrained(tmp_path) -> Path:
    """Weights of the network of Cellpose 3, never trained, as it saves them."""
    import torch

    resnet = pytest.importorskip("cellpose.resnet_torch", reason="Cellpose 4 has no small network")
    torch.manual_seed(1)
    path = tmp_path / "untrained"
    resnet.CPnet([2, 32, 64, 128, 256], 3, sz=3).save_model(str(path))
    return path


def test_cellpose_reads_the_windows_that_were_exported(rings, tmp_path):
    from cellpose import io

    line = export_lessons(rings.document, tmp_path / "out")
    assert line.startswith("2 windows to train and 1 to test with")
    images, labels, names, others, *_ = io.load_train_test_data(
        str(tmp_path / "out" / "train"), str(tmp_path / "out" / "test")
    )
    assert [Path(n).stem for n in names] == ["nuclei_0_0", "nuclei_96_0"] and len(others) == 1
    held = np.asarray(rings.document.element("rings").data)[0]
    assert np.array_equal(images[0], held[:96, :96]) and np.array_equal(others[0], held[:96, 96:])
    true = rings.document.grid("nuclei").read((0, 96, 0, 96))
    assert np.array_equal(labels[0] > 0, true > 0) and labels[0].max() == len(np.unique(true)) - 1
    seg = read_cellpose(tmp_path / "out" / "train" / "nuclei_0_0_seg.npy")
    assert np.array_equal(seg.masks, labels[0]) and seg.filename == "nuclei_0_0.tif"
    with pytest.raises(BadInput, match="not empty"):
        export_lessons(rings.document, tmp_path / "out")


def test_cellpose_learns_by_its_own_training_and_loads_what_it_saved(rings, untrained, tmp_path, monkeypatch):
    import torch
    from cellpose.models import CellposeModel

    monkeypatch.setitem(cellpose_training.RECIPES, 3, {**cellpose_training.RECIPES[3], "n_epochs": 2, "batch_size": 1})
    monkeypatch.setattr(cellpose_training, "_IMAGES", 2)
    state = np.random.get_state()[1].tolist()
    heard: list[float] = []
    job = prepare_learning(rings, CELLPOSE(model=str(untrained), device="cpu"))
    learnt = job(lambda fraction, message="": heard.append(fraction))
    assert np.random.get_state()[1].tolist() == state and heard == sorted(heard) and len(heard) == 6
    kept = accept(learnt)
    before, after = (torch.load(p, weights_only=True) for p in (untrained, kept.model))
    assert set(before) == set(after) and any(not torch.equal(before[k], after[k]) for k in before)
    # Cellpose itself loads it, with the diameter it learned at
    assert CellposeModel(pretrained_model=kept.model).diam_labels == pytest.approx(19, abs=2)
    assert kept.lineage()["parent"]["file"] == "untrained" and kept.lineage()["readers"] == ["Anna"]
    assert kept.model in [value for value, _ in cellpose_training.offered()]
    assert kept.attempt(job.others[0]).shape == (96, 96)
