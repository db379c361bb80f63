"""The commands around a deconvolution."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_spatialml.cli import main
from napari_spatialml.cli.proportions import merged_pairs
from napari_spatialml.errors import BadInput
from napari_spatialml.session import Session, correct

from .session.deconvolved import TABLE, TYPES, started, write_reference


@pytest.fixture
def section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(tmp_path / "state"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = started(n=144)
        session.save(tmp_path / "section.zarr")
    session.close()
    write_reference(tmp_path / "reference.h5ad")
    return tmp_path / "section.zarr"


def deconvolve(section: Path, *more: str) -> int:
    reference = str(section.with_name("reference.h5ad"))
    return main(["deconvolution", "weighted-nnls", str(section), "--reference", reference, *more])


def test_the_reference_is_told_of_and_types_are_merged_before_the_run(section, capsys):
    merged = [f"--merge={name}=lymphocyte" for name in TYPES[:2]]
    assert deconvolve(section, *merged) == 0
    said = capsys.readouterr().out
    assert "Reference: 120 cells with raw counts, 3 types." in said
    assert "60 genes are shared: 100 % of the spots' 60" in said
    session = Session.open_store(section)
    assert list(session.document.table(TABLE).obsm["proportions"]) == ["fibroblast", "lymphocyte", "tumour"]
    session.close()
    assert deconvolve(section, "--merge", "lymphocyte") == 2
    assert "says no merge" in capsys.readouterr().err
    assert deconvolve(section, "--merge", "hepatocyte=liver") == 2
    assert "no type 'hepatocyte' to merge" in capsys.readouterr().err


def test_without_a_reference_types_are_learnt_by_the_method_that_can(section, capsys):
    assert main(["deconvolution", "weighted-nnls", str(section)]) == 2
    assert "needs a single-cell reference. Give --reference FILE" in capsys.readouterr().err
    pytest.importorskip("torch")
    assert main(["deconvolution", "autoencoder", str(section), "--n-types", "3"]) == 0
    said = capsys.readouterr().out
    assert "3 cell types in 144 spots; most: Type " in said
    assert main(["deconvolution", "autoencoder", str(section), "--merge", "a=b"]) == 2
    assert "no types to merge" in capsys.readouterr().err


def test_suggested_stands_for_every_merge_that_is_suggested():
    alike = (("CD4", "CD4 or CD8"), ("CD8", "CD4 or CD8"))
    assert merged_pairs(["suggested", "a = b"], alike) == (*alike, ("a", "b"))
    with pytest.raises(BadInput):
        merged_pairs(["a="])


def test_figures_are_shown_kept_and_written(section, tmp_path, capsys):
    assert deconvolve(section) == 0
    session = Session.open_store(section)
    session.execute(
        correct(session.document, "override-proportion", table=TABLE, rows=[3], cell_type="tumour", value=0.8,
                reason="seen")
    )  # fmt: skip
    session.save()
    expected = session.document.table(TABLE).obsm["proportions"]
    session.close()
    capsys.readouterr()
    files = {name: str(tmp_path / f"{name}.csv") for name in ("by", "pairs", "spots")}
    assert main(["composition", str(section), "--keep", "--csv", files["by"]]) == 0
    assert main(["co-location", str(section), "--keep", "--n-permutations", "99", "--csv", files["pairs"]]) == 0
    assert main(["proportions", str(section), "--out", files["spots"]]) == 0
    said = capsys.readouterr().out
    assert "tumour bed (72)" in said and "99 permutations" in said and "144 spots written" in said
    spots = pd.read_csv(files["spots"], index_col=0)
    assert np.allclose(spots[list(TYPES)], expected)
    assert spots["by_hand"].iloc[3] == "override" and spots["reason"].iloc[3] == "seen"
    assert spots["tumour"].iloc[3] == 0.8 != spots["tumour computed"].iloc[3]
    means = pd.read_csv(files["by"]).pivot(index="group", columns="cell type", values="mean")
    assert np.allclose(means.loc["tumour bed", list(TYPES)], expected[[c % 12 < 6 for c in range(144)]].mean())
    assert len(pd.read_csv(files["pairs"])) == 6
    session = Session.open_store(section)
    assert "counts_proportions_by_domain" in session.document.names("tables")
    assert f"{TABLE}/proportions" in session.document.attribute("co_locations")
    session.close()
    assert main(["composition", str(section), "--by", "nothing"]) == 2
    assert "neither a column" in capsys.readouterr().err
