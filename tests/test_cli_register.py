"""The command line around a registration."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from napari_spatialml.cli import main
from napari_spatialml.cli.runs import _complete_sides
from napari_spatialml.errors import BadInput
from napari_spatialml.session import RegistrationSelection, Session, run
from tests.session.sections import Marks, started


@pytest.fixture
def section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(tmp_path / "state"))
    session = started()
    run(session, Marks(), RegistrationSelection("second", moving_image="dapi", fixed_image="he"))
    path = tmp_path / "section.zarr"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session.save(path)
    session.close()
    return path


def held(path: Path) -> Any:
    session = Session.open_store(path)
    session.close()
    return session.document


def test_a_candidate_is_chosen_by_its_number(section: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["candidates", str(section)]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "°" in line]
    assert len(said) == 3 and "→" in said[0] and "yes" in said[2]
    assert main(["candidates", str(section), "--choose", "2"]) == 0
    assert "→" in [line for line in capsys.readouterr().out.splitlines() if "°" in line][2]
    assert held(section).attribute("alignments")["second"]["chosen"] == 2
    assert main(["candidates", str(section), "--choose", "7"]) == 2
    assert "no candidate number 7" in capsys.readouterr().err


def test_two_registrations_are_compared(section: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare-registrations", str(section), "--keep-as", "best"]) == 0
    assert main(["candidates", str(section), "--choose", "1"]) == 0
    out = tmp_path / "report.json"
    assert main(["compare-registrations", str(section), "best", "--json", str(out)]) == 0
    said = capsys.readouterr().out
    assert "mutual information, bits" in said and "'best' and 'now' put the same tissue" in said
    told = json.loads(out.read_text(encoding="utf-8"))
    assert [c["name"] for c in told["registrations"]] == ["before", "best", "now"]


def test_labels_are_carried_to_the_other_section(section: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = ["--source", "counts_a", "--target", "counts_b"]
    assert main(["transfer", str(section), *to, "--column", "type", "--output", "told", "--radius-um", "300"]) == 0
    assert "Carry type of counts_a to 20 of 20 spots of counts_b." in capsys.readouterr().out
    assert main(["transfer", str(section), *to, "--features", "X", "--radius-um", "300"]) == 0
    table = held(section).table("counts_b")
    assert "told_probability" in table.obs and "transferred" in table.layers
    assert main(["transfer", str(section), *to]) == 2
    assert "not said what" in capsys.readouterr().err


def test_the_only_image_of_a_side_need_not_be_named(section: Path) -> None:
    document = held(section)
    given = {"moving": "second", "fixed": "global", "moving_image": "", "fixed_image": ""}
    _complete_sides(document, given, frozenset({"image"}))
    assert (given["moving_image"], given["fixed_image"]) == ("dapi", "he")
    points = {"moving": "second", "fixed": "nowhere", "moving_points": "", "fixed_points": ""}
    with pytest.raises(BadInput, match="'nowhere' has 0 possible points"):
        _complete_sides(document, points, frozenset({"points"}))
