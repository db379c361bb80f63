"""What the pages say is there and works."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from napari_spatialml.cli.app import _app
from napari_spatialml.core import Pixels, parameters

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]


def _commands(page: Path) -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines if line.startswith("napari-spatialml ")]
    return [line[1:] for line in words]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_link_and_picture_is_there(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", [p for p in PAGES if _commands(p)], ids=lambda p: p.name)
def test_every_command_of_the_pages_is_understood(page):
    for words in _commands(page):
        if {"KIND", "METHOD"} & set(words):
            continue
        _app(words).parse_args(words, exit_on_error=False, print_error=False)


def test_pictures_are_small():
    for picture in (ROOT / "docs" / "images").glob("*.png"):
        assert picture.stat().st_size <= 300_000, picture.name


def test_the_example_of_a_method_runs(tmp_path, monkeypatch):
    text = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "bright_spots_example.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    example = importlib.import_module("bright_spots_example").BrightSpots
    assert [p.help for p in parameters(example)] != ["", ""]
    values = np.zeros((1, 30, 30))
    values[0, 5:10, 5:10], values[0, 20, 20] = 200, 200
    found = example(min_area_um2=4.0)(Pixels(values, 1.0))
    assert np.unique(found.labels).tolist() == [0, 1]


def test_the_notebook_of_domains_runs(tmp_path, monkeypatch):
    import pandas as pd

    from napari_spatialml.io.sample import sample_section
    from napari_spatialml.session import Session

    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(tmp_path / "state"))
    session = Session.start(sample_section(0, size_um=200.0), source="small sample")
    obs = session.document.table("spot_counts").obs
    for column, names in (("domain", ["D1", "D2"]), ("layer", ["mucosa", "muscle"])):
        obs[column] = pd.Categorical.from_codes(np.arange(len(obs)) * 2 // len(obs), names)
    session.save(tmp_path / "section.zarr")
    session.close()
    text = (ROOT / "docs" / "domains.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    made: dict[str, object] = {}
    exec(code, made)
    assert set(made["markers"]["domain"]) == {"D1", "D2"} and made["sizes"]["rows"].sum() == len(obs)
    assert made["found"].found.adjusted_rand_index == 1


def test_the_page_on_notebooks_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "notebook.md").read_text(encoding="utf-8")
    made: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(code, made)
    assert made["masks"].labels.max() == 2
    session = made["session"]
    assert len(session.history) == session.position == 5
    assert int(made["first"]) not in set(session.document.instances("nuclei_table"))
    steps = made["steps"]
    assert len(steps) == 5 and all(step.identical for step in steps)
