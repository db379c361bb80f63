"""The commands around a map of domains."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from napari_spatialml.cli import main
from napari_spatialml.session import Session, correct

from .session.divided import OTHER, TABLE, names, started, strokes


@pytest.fixture
def section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(tmp_path / "state"))
    session = started(n=144, second=True)
    obs = session.document.table(TABLE).obs
    obs["layer"] = pd.Categorical(obs["truth"].map({0.0: "outer", 1.0: "middle", 2.0: "inner"}))
    session.save(tmp_path / "section.zarr")
    session.close()
    return tmp_path / "section.zarr"


def divide(section: Path, *more: str) -> None:
    arguments = ["domains", "low-pass-mixture", str(section), "--table", TABLE, "--n-domains", "3", *more]
    assert main(arguments) == 0


def test_several_tables_are_divided_together(section, capsys):
    divide(section, "--others", OTHER)
    assert "3 domains over 244 spots of 2 sections" in capsys.readouterr().out
    assert main(["composition", str(section), "--table", "nowhere"]) == 2


def test_the_number_of_domains_is_suggested_with_its_stability(section, capsys):
    arguments = ["suggest-domains", str(section), "--table", TABLE, "--least", "2", "--most", "4"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "stability" in said and said.count("suggested") == 1
    assert main([*arguments[:-1], "1"]) == 2
    assert "2 to 1 domains were asked for" in capsys.readouterr().err


def test_a_map_is_applied_and_fitted_again_from_the_command_line(section, capsys):
    divide(section)
    assert main(["transfer-domains", str(section), "--source", TABLE, "--table", OTHER]) == 0
    assert f"domains of {TABLE} applied to 100 spots of {OTHER}" in capsys.readouterr().out
    session = Session.open_store(section)
    session.execute(correct(session.document, "stroke-domain", table=OTHER, rows=[0, 1], domain="D2"))
    session.save()
    session.close()
    assert main(["refit-domains", str(section), "--table", OTHER]) == 0
    session = Session.open_store(section)
    assert names(session, OTHER)[:2].tolist() == ["D2", "D2"] and len(strokes(session, OTHER)) == 1
    session.close()
    assert main(["refit-domains", str(section)]) == 2
    assert "has 2 tables with 'domain'" in capsys.readouterr().err
