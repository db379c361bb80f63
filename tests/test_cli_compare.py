"""Two readers compared from the command line."""

from __future__ import annotations

import json
import shutil
import warnings

import pytest

from napari_spatialml.cli import main
from napari_spatialml.session import Session, correct
from napari_spatialml.session.reader import READER

from .session.conftest import small_section


@pytest.fixture
def copies(tmp_path, monkeypatch):
    """Anna's section, and Ben's copy in which he merged, deleted and renamed."""
    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv(READER, raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = Session.start(small_section())
    session.save(tmp_path / "anna.zarr")
    session.close()
    shutil.copytree(tmp_path / "anna.zarr", tmp_path / "ben.zarr")
    ben = Session.open_store(tmp_path / "ben.zarr")
    for name, arguments in (
        ("delete-cells", {"labels": "nuclei", "cells": [3]}),
        ("relabel", {"table": "counts", "column": "domain", "rows": [0, 1], "value": "D2"}),
    ):
        ben.execute(correct(ben.document, name, **arguments))
    ben.save()
    ben.close()
    return tmp_path


def test_two_sections_are_compared_and_the_report_written(copies, capsys):
    a, b, out = copies / "anna.zarr", copies / "ben.zarr", copies / "out.json"
    assert main(["compare", str(a), str(b), "--labels", "nuclei", "--json", str(out)]) == 0
    said = capsys.readouterr().out
    assert "AP at IoU 0.5" in said and "0.889" in said and "95 % interval" in said
    report = json.loads(out.read_text())
    assert report["groups"]["only in A"] == 1 and report["groups"]["agreed"] == 8
    assert main(["compare", str(a), str(b), "--column", "counts/domain", "--csv", str(copies / "out.csv")]) == 0
    assert "Cohen's kappa" in capsys.readouterr().out
    assert "Cohen's kappa,0.66" in (copies / "out.csv").read_text()


def test_two_elements_of_one_section_are_compared(copies, capsys):
    store = str(copies / "anna.zarr")
    assert main(["compare", store, "--labels", "nuclei", "nuclei"]) == 0
    assert "1.000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "0 things"),
        (["--labels", "nuclei", "--column", "counts/domain"], "2 things"),
        (["--labels", "nuclei"], "names 1"),
        (["--column", "domain", "domain"], "TABLE/COLUMN"),
        (["--labels", "nuclei", "pixels"], "pixels"),
        (["--areas", "spots", "spots"], "no areas"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(copies, words, said, capsys):
    assert main(["compare", str(copies / "anna.zarr"), *words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_the_reader_of_a_command_is_in_the_history(copies, capsys, monkeypatch):
    store = str(copies / "anna.zarr")
    monkeypatch.setenv(READER, "somebody")
    assert main(["segmentation", "watershed", store, "--image", "he", "--reader", "Cleo"]) == 0
    assert main(["history", store]) == 0
    assert "Cleo" in capsys.readouterr().out
    assert main(["history", store, "--reader"]) == 2
