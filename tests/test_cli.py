"""The command line: made from the methods' own fields, one sentence for each error, the same runs as the window."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from napari_spatialml.cli import main
from napari_spatialml.cli.pages import markdown
from napari_spatialml.core.method import parameters
from napari_spatialml.methods import kinds, method, methods
from napari_spatialml.session import Session, correct

ROOT = Path(__file__).resolve().parents[1]
EVERY = [(kind, name) for kind in kinds() for name in methods(kind)]


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("NAPARI_SPATIALML_DEBUG", raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    """A small saved sample section, with its reference beside it."""
    from napari_spatialml.io.sample import sample_reference, sample_section

    folder = tmp_path_factory.mktemp("sample")
    settings = {"size_um": 240.0, "n_genes": 120, "n_reference_cells": 200}
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setenv("NAPARI_SPATIALML_STATE", str(folder / "state"))
        session = Session.start(sample_section(**settings))
        session.save(folder / "section.zarr")
        session.close()
        sample_reference(**settings).write_h5ad(folder / "reference.h5ad")
    return folder


@pytest.fixture
def section(original, tmp_path):
    return Path(shutil.copytree(original / "section.zarr", tmp_path / "section.zarr"))


def _opened(path):
    session = Session.open_store(path)
    session.close()
    return session


# what is said once -----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_help_of_a_method_says_every_parameter_with_its_text(kind, name, capsys):
    assert main([kind, name, "--help"]) == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for parameter in parameters(method(kind, name)):
        assert f"--{parameter.name.replace('_', '-')}" in said
        assert " ".join(parameter.help.split())[:60] in said
        for choice in parameter.choices:
            assert str(choice) in said


def test_methods_lists_every_method(capsys):
    assert main(["methods"]) == 0
    said = capsys.readouterr().out
    for kind, name in EVERY:
        assert kind in said and name in said


def test_the_page_of_the_docs_is_what_the_registry_gives():
    """Renew it with: napari-spatialml methods --markdown > docs/methods.md."""
    assert (ROOT / "docs" / "methods.md").read_text(encoding="utf-8") == markdown()


def test_help_and_the_list_of_methods_load_nothing_heavy():
    heavy = ("torch", "spatialdata", "anndata", "scanpy", "napari", "qtpy", "matplotlib")
    for arguments in (["--help"], ["methods"], ["segmentation", "--help"]):
        code = (
            f"import sys, napari_spatialml.cli as c; c.main({arguments!r}); "
            f"print([m for m in {heavy!r} if m in sys.modules], file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stderr.strip() == "[]", arguments


# runs ------------------------------------------------------------------------------------------


def test_a_run_finds_saves_and_is_a_step_of_the_history(section, capsys):
    run = ["segmentation", "watershed", str(section), "--image", "dapi", "--diameter-um", "7", "--output", "cells"]
    assert main(run) == 0
    assert "cells in 'dapi'" in capsys.readouterr().out
    session = _opened(section)
    assert "cells" in session.document.names("labels")
    assert session.history[-1].record["settings"]["diameter_um"] == 7.0
    assert main(["history", str(section)]) == 0
    assert "Watershed (nuclei)" in capsys.readouterr().out


def test_out_leaves_the_section_itself_as_it_was(section, tmp_path):
    before = {p: p.read_bytes() for p in section.rglob("*") if p.is_file() and p.name != "lock"}
    other = tmp_path / "other.zarr"
    assert main(["segmentation", "watershed", str(section), "--image", "he", "--out", str(other)]) == 0
    after = {p: p.read_bytes() for p in section.rglob("*") if p.is_file() and p.name != "lock"}
    assert before == after
    assert "nuclei" in _opened(other).document.names("labels")


def test_where_one_input_fits_it_need_not_be_named(section, original, capsys):
    assert main(["registration", "landmarks", str(section)]) == 0
    assert "'msi' lies on 'global'" in capsys.readouterr().out
    run = ["deconvolution", "nnls", str(section), "--table", "spot_counts"]
    assert main([*run, "--reference", str(original / "reference.h5ad")]) == 0
    assert "cell types in" in capsys.readouterr().out
    assert main(["domains", "low-pass-mixture", str(section), "--table", "spot_counts", "--n-domains", "4"]) == 0
    found = _opened(section).document.table("spot_counts").obs["domain"]
    assert len(found.cat.categories) == 4


def test_where_several_fit_the_choices_are_listed(section, capsys):
    assert main(["segmentation", "watershed", str(section)]) == 2
    assert capsys.readouterr().err == ("The section has 2 possible images: 'dapi', 'he'. Choose one with --image.\n")
    assert main(["domains", "low-pass-mixture", str(section)]) == 2
    assert "'msi', 'spot_counts'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["segmentation", "watershed", "{}", "--image", "dapi", "--diameter-um", "0"], "'diameter_um' is 0"),
        (["segmentation", "watershed", "{}", "--image", "dapi", "--diameter-um", "wide"], "--diameter-um"),
        (["segmentation", "watershed", "{}", "--image", "mri"], "no element 'mri'"),
        (["segmentation", "magic", "{}"], "magic"),
        (["segmentation", "watershed", "absent.zarr"], "no section 'absent.zarr'"),
        (["deconvolution", "nnls", "{}", "--table", "spot_counts"], "--reference FILE"),
        (["domains", "low-pass-mixture", "{}", "--table", "spot_counts", "--n-domains", "1"], "≥ 2"),
        (["methods", "alchemy"], "no kind of method 'alchemy'"),
        (["replay", "absent.json", "{}"], "cannot be read"),
        (["convert", "{}", "--out", "{}"], "is there already"),
        (["nonsense"], "nonsense"),
    ],
)
def test_an_error_is_one_sentence_on_stderr(section, capsys, arguments, said):
    before = _opened(section).position
    assert main([word.format(section) for word in arguments]) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert told.err.count("\n") == 1 and "Traceback" not in told.err
    assert _opened(section).position == before


def test_ctrl_c_says_stopped_and_leaves_the_section_as_it_was(section, tmp_path, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_spatialml.methods.segmentation.watershed.Watershed.__call__", interrupted)
    other = tmp_path / "other.zarr"
    run = ["segmentation", "watershed", str(section), "--image", "dapi"]
    assert main([*run, "--out", str(other)]) == 130
    assert capsys.readouterr().err == "Stopped.\n"
    assert not other.exists()
    assert main(run) == 130
    assert "nuclei" not in _opened(section).document.names("labels")


# proof -----------------------------------------------------------------------------------------


@pytest.fixture
def worked(section):
    """A section with a run and a correction, and its recipe."""
    assert main(["segmentation", "watershed", str(section), "--image", "dapi"]) == 0
    session = Session.open_store(section)
    ids = np.unique(session.document.grid("nuclei").read())[1:3].tolist()
    session.execute(correct(session.document, "merge-cells", labels="nuclei", cells=ids))
    session.save()
    session.close()
    recipe = section.parent / "recipe.json"
    assert main(["recipe", str(section), "--out", str(recipe)]) == 0
    return section, recipe


def test_replay_is_bit_identical_and_a_changed_recipe_is_not(worked, tmp_path, capsys):
    section, recipe = worked
    again = tmp_path / "again.zarr"
    assert main(["replay", str(recipe), str(section), "--out", str(again)]) == 0
    assert "2 of 2 steps are bit-identical" in capsys.readouterr().out
    first, second = _opened(section).document, _opened(again).document
    np.testing.assert_array_equal(first.grid("nuclei").read(), second.grid("nuclei").read())
    assert first.fingerprint(("tables", "nuclei_table")) == second.fingerprint(("tables", "nuclei_table"))
    found = json.loads(recipe.read_text(encoding="utf-8"))
    found["steps"][0]["settings"]["threshold_offset"] = 0.2
    recipe.write_text(json.dumps(found), encoding="utf-8")
    assert main(["replay", str(recipe), str(section)]) == 1
    assert "no: " in capsys.readouterr().out


def test_a_reference_that_moved_with_the_recipe_is_found(section, original, tmp_path, capsys):
    reference = Path(shutil.copy(original / "reference.h5ad", tmp_path / "reference.h5ad"))
    run = ["deconvolution", "nnls", str(section), "--table", "spot_counts", "--reference", str(reference)]
    assert main(run) == 0
    assert main(["recipe", str(section), "--out", str(tmp_path / "recipe.json")]) == 0
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("reference.h5ad", "recipe.json"):
        (tmp_path / name).rename(moved / name)
    assert main(["replay", str(moved / "recipe.json"), str(section)]) == 0
    assert "1 of 1 steps" in capsys.readouterr().out


def test_convert_saves_a_picture_as_a_section(tmp_path, capsys):
    from PIL import Image

    picture = tmp_path / "he.png"
    Image.fromarray(np.full((40, 50, 3), 200, np.uint8)).save(picture)
    out = tmp_path / "he.zarr"
    assert main(["convert", str(picture), "--out", str(out)]) == 2
    assert "--pixel-size-um" in capsys.readouterr().err
    assert main(["convert", str(picture), "--out", str(out), "--pixel-size-um", "0.5"]) == 0
    document = _opened(out).document
    assert document.affine("he").scale_factors[0] == pytest.approx(0.5)


def test_version_and_doctor(capsys):
    from napari_spatialml import __version__

    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


def test_the_windows_own_words_are_passed_on(monkeypatch):
    seen = []

    def run(command, **_):
        seen.append(command[1:])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr("napari_spatialml.cli.windows.subprocess.run", run)
    monkeypatch.setenv("DISPLAY", ":0")
    assert main(["open", "a.zarr", "b.png", "--pixel-size-um", "0.5"]) == 0
    assert main(["demo"]) == 0
    assert seen[0] == ["-m", "napari_spatialml.widgets", "open", "a.zarr", "b.png", "--pixel-size-um", "0.5"]
    assert seen[1][-1] == "tour"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a display cannot be taken away here")
def test_without_a_display_the_demo_says_how_to_run_headless(monkeypatch, capsys):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert main(["demo"]) == 2
    assert "demo --headless --out" in capsys.readouterr().err


def test_a_second_demo_leaves_the_first_one_alone(tmp_path, monkeypatch, capsys):
    from napari_spatialml.demo import Row, Walk

    seen = []

    def walked(options, report):
        seen.append(options.out)
        done = Walk(options, rows=[Row("open", "the sample")])
        done.facts["seconds"] = 0.0
        return done

    monkeypatch.setattr("napari_spatialml.demo.walk", walked)
    (tmp_path / "out" / "section.zarr").mkdir(parents=True)
    assert main(["demo", "--headless", "--out", str(tmp_path / "out")]) == 0
    assert seen == [tmp_path / "out-2"]
    assert "holds a section already" in capsys.readouterr().err
