"""The commands that tell domains apart."""

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
    """A section of two domains, of which one has gene0 raised."""
    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(tmp_path / "state"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = started(n=144)
        held = session.document.table(TABLE)
        tumour = (held.obs["domain"] == "tumour bed").to_numpy()
        counts = held.X.toarray()
        counts[:, 0] = np.where(tumour, 300, 0)
        held.X = type(held.X)(counts)
        session.save(tmp_path / "section.zarr")
    session.close()
    return tmp_path / "section.zarr"


def test_two_domains_are_compared(section, tmp_path, capsys):
    assert main(["domain-pair", str(section), "--one", "tumour bed", "--csv", str(tmp_path / "c.csv")]) == 0
    assert "Higher in tumour bed:" in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "c.csv").loc[0, "feature"] == "gene0"
    assert main(["domain-pair", str(section), "--one", "tumour bed", "--other", "tumour bed"]) == 2
    assert "on both sides" in capsys.readouterr().err


def test_sizes_are_told(section, tmp_path, capsys):
    assert main(["domain-sizes", str(section), "--csv", str(tmp_path / "s.csv")]) == 0
    assert "tumour bed" in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "s.csv")["rows"].tolist() == [72, 72]
