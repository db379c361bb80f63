"""Cross-validation: no network sees its fold, a fold's thresholds are fitted on the others, pieces are resumed."""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("cv2")

from napari_spatialml.core.flow_weights import EMBEDDED
from training import crossvalidate
from training.folder import Picture
from training.out_of_fold import PAIRS, Figures, fitted, measure, table

from .test_training import picture


def figures(best: int, n: int = 4) -> Figures:
    """Return figures of a fold on which one pair of thresholds is far the best."""
    ours = np.full((len(PAIRS), 3), 0.2)
    ours[best] = 0.9
    row = {"kind": "fluorescence", "stain": "fluorescence", "starter": ours.tolist(), "watershed": [0.5, 0.4, 0.1]}
    return {"steps": "7", "pictures": [row] * n}


def test_the_thresholds_of_a_fold_do_not_depend_on_that_fold() -> None:
    given = {0: figures(3), 1: figures(3), 2: figures(4)}
    lines = table(given).splitlines()
    # folds 0 and 1 profit from each other and from nothing else; fold 2 would have wanted another pair
    assert "0.900" in lines[1] and "0.900" in lines[2] and "0.200" in lines[3]
    changed = copy.deepcopy(given) | {2: figures(5)}
    assert table(changed).splitlines()[3] == lines[3]
    assert fitted(list(given.values())) == {"fluorescence": 3}


def test_the_table_gives_the_mean_over_folds_of_any_size() -> None:
    lines = table({0: figures(3, 9), 1: figures(3, 2)}).splitlines()
    mean = next(line for line in lines if "mean" in line)
    assert "0.900" in mean and "0.500  0.400  0.100" in mean
    assert "fitted on itself" in table({0: figures(3)})


def test_what_was_measured_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = [picture(3)]
    first = measure(EMBEDDED, held, tmp_path / "figures.json")
    (row,) = first["pictures"]
    assert len(row["starter"]) == len(PAIRS) and row["stain"] == "fluorescence"
    assert max(one[0] for one in row["starter"]) > 0.5
    monkeypatch.setattr("training.out_of_fold.Starter.field", None)  # would fail if it were called
    assert measure(EMBEDDED, held, tmp_path / "figures.json") == first


def test_no_network_is_trained_on_its_own_fold_and_pairs_share_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = argparse.Namespace(folder=tmp_path, out=tmp_path, minutes=10.0, shared=6.0)
    read = [picture(i) for i in range(5)]
    monkeypatch.setattr(crossvalidate, "pictures", lambda folder: read)
    monkeypatch.setattr(crossvalidate, "folds", lambda read: np.arange(5))
    course = crossvalidate.Course(given)
    pieces: list[tuple[str, tuple[int, ...], float]] = []

    def train(folder: Path, without: tuple[int, ...], until: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "checkpoint.pt").touch()
        pieces.append((folder.name, without, until))

    monkeypatch.setattr(course, "train", train)
    for fold in range(5):
        course.network_of(fold)
    for fold in range(5):
        mine = [piece for piece in pieces if piece[0] == f"fold_{fold}"]
        assert mine == [(f"fold_{fold}", (fold,), 10.0)]
    shared = [piece for piece in pieces if piece[0].startswith("without")]
    # both folds of a pair are left out of what the two share
    assert set(shared) == {("without_1_2", (1, 2), 6.0), ("without_3_4", (3, 4), 6.0)}
    held: list[Picture] = course.held(3)
    assert [one.name for one in held] == [read[3].name]
