"""The commands that look at a map of domains."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_spatialml.cli import main

from .session.deconvolved import TABLE, started


@pytest.fixture
def section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A section of two domains, of which one has gene0 raised, and a labelling that turns two names around."""
    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(tmp_path / "state"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = started(n=144)
        held = session.document.table(TABLE)
        tumour = (held.obs["domain"] == "tumour bed").to_numpy()
        counts = held.X.toarray()
        counts[:, 0] = np.where(tumour, 300, 0)
        held.X = type(held.X)(counts)
        held.obs["reader"] = pd.Categorical(np.where(tumour, "cancer", "rest"))
        session.save(tmp_path / "section.zarr")
    session.close()
    return tmp_path / "section.zarr"


def test_markers_are_shown_and_written(section, tmp_path, capsys):
    assert main(["domain-markers", str(section), "--csv", str(tmp_path / "m.csv"), "--top", "2"]) == 0
    said = capsys.readouterr().out
    assert "gene0" in said and "circular" in said
    frame = pd.read_csv(tmp_path / "m.csv")
    assert len(frame) == 120 and frame.groupby("domain").first().loc["tumour bed", "feature"] == "gene0"


def test_two_domains_are_compared(section, tmp_path, capsys):
    assert main(["compare-domains", str(section), "--one", "tumour bed", "--csv", str(tmp_path / "c.csv")]) == 0
    assert "Higher in tumour bed:" in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "c.csv").loc[0, "feature"] == "gene0"
    assert main(["compare-domains", str(section), "--one", "tumour bed", "--other", "tumour bed"]) == 2
    assert "on both sides" in capsys.readouterr().err


def test_sizes_and_agreement_are_told(section, tmp_path, capsys):
    assert main(["domain-sizes", str(section), "--csv", str(tmp_path / "s.csv")]) == 0
    assert pd.read_csv(tmp_path / "s.csv")["rows"].tolist() == [72, 72]
    assert main(["domain-agreement", str(section), "--with", "reader", "--csv", str(tmp_path / "a.csv")]) == 0
    said = capsys.readouterr().out
    assert "ARI    1.000" in said and "tumour bed" in said and "cancer" in said
    assert main(["domain-agreement", str(section), "--with", "nobody"]) == 2
    assert "no column 'nobody'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["domain-markers", "--csv", "/nowhere/at/all.csv"], "could not be written"),
        (["domain-markers", "--top", "-1"], "--top"),
        (["domain-sizes", "--column", "nothing"], "Run a method first"),
    ],
)
def test_a_wrong_option_is_told_in_one_sentence(section, capsys, wrong, said):
    assert main([wrong[0], str(section), *wrong[1:]]) == 2
    told = capsys.readouterr().err
    assert said in told and "fault of the program" not in told
