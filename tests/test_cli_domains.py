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
    assert "3 domains over 244 rows of 2 sections" in capsys.readouterr().out
    assert main(["composition", str(section), "--table", "nowhere"]) == 2


def test_the_number_of_domains_is_suggested_with_its_stability(section, capsys):
    arguments = ["suggest-domains", str(section), "--table", TABLE, "--least", "2", "--most", "4"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "stability" in said and said.count("suggested") == 1
    assert main([*arguments[:-1], "1"]) == 2
    assert "2 to 1 domains were asked for" in capsys.readouterr().err


def test_markers_of_each_domain_are_shown_and_written(section, tmp_path, capsys):
    divide(section)
    out = tmp_path / "markers.csv"
    assert main(["domain-markers", str(section), "--top", "2", "--out", str(out)]) == 0
    assert "log2 fold change" in capsys.readouterr().out
    written = pd.read_csv(out)
    assert len(written) == 3 * 24 and set(written["domain"]) == {"D1", "D2", "D3"}
    best = written.groupby("domain").first()["feature"]
    assert len({int(gene.removeprefix("gene")) % 3 for gene in best}) == 3, "each band has its own genes"


def test_domains_are_compared_with_any_other_column(section, tmp_path, capsys):
    divide(section)
    capsys.readouterr()
    assert main(["compare-domains", str(section), "--against", "layer", "--csv", str(tmp_path / "c.csv")]) == 0
    said = capsys.readouterr().out
    assert float(said.split("Adjusted Rand index ")[1].split()[0].rstrip(".")) > 0.5
    assert "CHAOS" in said and "PAS" in said and "Over 144 rows." in said
    assert pd.read_csv(tmp_path / "c.csv").iloc[:, 1:].to_numpy().sum() == 144
    assert main(["compare-domains", str(section), "--against", "absent"]) == 2
    assert "no column 'absent'" in capsys.readouterr().err


def test_a_map_is_applied_and_fitted_again_from_the_command_line(section, capsys):
    divide(section)
    assert main(["transfer-domains", str(section), "--source", TABLE, "--table", OTHER]) == 0
    assert f"domains of {TABLE} applied to 100 rows of {OTHER}" in capsys.readouterr().out
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
