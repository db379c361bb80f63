"""A judgement of a drawn tissue says what is known of it: who catches more, who mixes, who is torn or double."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from skimage.segmentation import expand_labels
from spatialdata import SpatialData
from spatialdata.models import Labels2DModel, PointsModel
from spatialdata.transformations import Identity, Scale

from napari_spatialml.cli import main
from napari_spatialml.core.assignment import assign
from napari_spatialml.errors import BadInput
from napari_spatialml.session import Session, assigning
from napari_spatialml.session.judgement import STEPS_UM, Judgement
from napari_spatialml.session.judging import judge, read_pairs

from .test_assigning import section as xenium_like

warnings.simplefilter("ignore")
UM, PITCH, CELLS = 0.5, 40, 24
GENES = np.array(["a", "b", "c", "d", "both", "BLANK_0001"])


@pytest.fixture(scope="module")
def tissue() -> Session:
    """Cells of two types in rows of 24; two expressions, some transcripts astray; drawn small, right, merged."""
    rng = np.random.default_rng(0)
    size = CELLS * PITCH
    y, x = np.mgrid[:size, :size]
    radius = np.hypot(y % PITCH - PITCH / 2 + 0.5, x % PITCH - PITCH / 2 + 0.5)
    number = (1 + y // PITCH * CELLS + x // PITCH).astype(np.int32)
    right, small, kernels = (np.where(radius < r, number, 0) for r in (18, 9, 7))
    merged = np.where(right > 0, (right - 1) // 2 + 1, 0).astype(np.int32)
    types = rng.integers(0, 2, CELLS**2)
    n = 60_000
    cell = rng.integers(0, CELLS**2, n)
    away = np.sqrt(rng.uniform(0, 1, n))[:, None] * 18
    angle = rng.uniform(0, 2 * np.pi, n)
    where = (np.stack(np.divmod(cell, CELLS), 1) + 0.5) * PITCH + away * np.stack([np.sin(angle), np.cos(angle)], 1)
    gene = 2 * types[cell] + rng.integers(0, 2, n)
    gene[rng.random(n) < 0.3] = 4
    gene[:200] = 5
    astray = rng.random(n) < 0.2
    where[astray] = rng.uniform(0, size, (int(astray.sum()), 2))
    frame = pd.DataFrame({"x": where[:, 1] * UM, "y": where[:, 0] * UM, "gene": pd.Categorical(GENES[gene])})
    placed = {"global": Scale([UM, UM], ("x", "y"))}
    labels = {"right": right, "small": small, "merged": merged, "nuclei": kernels}
    sdata = SpatialData(
        labels={k: Labels2DModel.parse(v, dims=("y", "x"), transformations=dict(placed)) for k, v in labels.items()},
        points={
            "rna": PointsModel.parse(
                frame, feature_key="gene", coordinates={"x": "x", "y": "y"}, transformations={"global": Identity()}
            )
        },
        attrs={"spatialml": {"version": 1, "um_per_unit": {"global": 1.0}}},
    )
    return Session.start(sdata)


@pytest.fixture(scope="module")
def found(tissue: Session) -> Judgement:
    from napari_spatialml.session.transcript_source import Choice

    return judge(tissue.document, ["right", "small", "merged"], choice=Choice(controls=False))(lambda *_a: None)


def of(found: Judgement, name: str) -> tuple[float, ...]:
    return next(f.values for f in found.figures if f.name == name)


def test_pairs_are_learned_and_merged_cells_are_impure_and_double(found: Judgement) -> None:
    assert set(found.pairs) == {("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")} and found.learned
    purity, several = of(found, "Purity"), of(found, "Cells with several")
    assert purity[0] > 0.85 and purity[2] < purity[0] - 0.1 and purity[1] >= purity[0]
    assert several == (0.0, 0.0, 1.0) and of(found, "Cells with one nucleus")[:2] == (1.0, 1.0)
    assert of(found, "Transcripts in cells")[1] < of(found, "Transcripts in cells")[0]
    assert of(found, "Long axis over short")[2] > 1.8 > 1.05 > of(found, "Long axis over short")[0]
    assert of(found, "Purity if mixed")[0] == pytest.approx(0.5, abs=0.05)


def test_the_curve_is_that_of_cells_which_are_really_grown_and_shrunk(tissue: Session, found: Judgement) -> None:
    labels = tissue.document.grid("right").read()
    frame = tissue.document.element("rna").compute()
    frame = frame[frame["gene"] != "BLANK_0001"]
    where = frame[["y", "x"]].to_numpy() / UM
    for step, point in zip(STEPS_UM, found.curves[0], strict=True):
        assert point.grown_um == step
        if step >= 0:
            changed = expand_labels(labels, step / UM) if step else labels
        else:
            from scipy.ndimage import distance_transform_edt

            changed = np.where(distance_transform_edt(labels) > -step / UM, labels, 0)  # cells do not touch here
        assert point.assigned == pytest.approx((assign(changed, (0, 0), where) != 0).mean())
    # shrunk or grown to one size, the small cells hold what the right ones do
    assert found.curves[0][1].assigned == pytest.approx(found.curves[1][STEPS_UM.index(3.0)].assigned, abs=0.09)


def test_blocks_do_not_change_a_judgement(tissue: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = judge(tissue.document, ["right"])(lambda *_a: None).to_dict()
    monkeypatch.setattr(assigning, "BLOCK", 100)
    monkeypatch.setattr(assigning, "ROUND", 9000)
    assert judge(tissue.document, ["right"])(lambda *_a: None).to_dict() == whole


def test_pairs_come_from_a_file_and_what_does_not_fit_is_said(tissue: Session, tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text("first,second\na,c\nb,nowhere\n")
    given = judge(tissue.document, ["right"], pairs=read_pairs(file))(lambda *_a: None)
    assert given.pairs == (("a", "c"),) and not given.learned
    with pytest.raises(BadInput, match="None of the 1 pairs"):
        judge(tissue.document, ["right"], pairs=[("x", "y")])(lambda *_a: None)
    file.write_text("a\n")
    with pytest.raises(BadInput, match="Line 1"):
        read_pairs(file)
    with pytest.raises(BadInput, match="No segmentation"):
        judge(tissue.document, [])
    json.loads(given.to_json())


def test_no_cells_are_judged_without_a_fall() -> None:
    session = xenium_like(cells=np.zeros((72, 72), np.int32))
    found = judge(session.document, ["nuclei"])(lambda *_a: None)
    assert of(found, "Cells") == (0.0,) and "nothing can be said of purity" in found.words[0]
    session.close()


def test_the_command_line_counts_and_judges(tissue: Session, tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    tissue.save(tmp_path / "tissue.zarr")
    tissue.close()
    store, out = str(tmp_path / "tissue.zarr"), tmp_path / "judged.json"
    assert main(["count", store, "--labels", "right", "--nuclei", "nuclei"]) == 0
    said = capsys.readouterr().out
    assert "in none; left out: 200 controls" in said and "576 cells x 5 genes in 'right_table'" in said
    assert main(["judge", store, "--labels", "right", "--labels", "merged", "--json", str(out)]) == 0
    said = capsys.readouterr().out
    assert "Shrunk or grown to one purity" in said or "At no size" in said
    assert json.loads(out.read_text())["segmentations"] == ["right", "merged"]
    assert main(["judge", store, "--labels", "none"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
