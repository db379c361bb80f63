"""The walk does every step with real methods, measures it, and leaves what it promised."""

from __future__ import annotations

import base64
import re
import warnings

import numpy as np
import pytest

from napari_spatialml.demo import Options, Walk, walk
from napari_spatialml.errors import BadInput, UnitNeeded
from napari_spatialml.session import Session, read_recipe, replay, scratch


def _measured(walked: Walk, step: str, what: str = "") -> str:
    return next(row.measured for row in walked.rows if row.step == step and what in row.what)


def test_every_step_was_done(walked):
    assert [row.what for row in walked.rows if row.skipped] == []
    steps = [row.step for row in walked.rows]
    order = ["open", "overlay", "register", "segment", "domains", "deconvolve", "undo", "redo", "reopen", "replay"]
    assert [s for s in dict.fromkeys(steps) if s in order] == order


def test_a_landmark_put_wrong_is_pointed_at_and_dragging_it_back_mends_the_registration(walked):
    wrong, right = _measured(walked, "register"), _measured(walked, "correct", "drag landmark")
    slipped = re.search(r"drag landmark (\d+)", next(r.what for r in walked.rows if "drag" in r.what))[1]
    assert f"suspect: landmark {slipped}" in wrong
    before, after = (float(re.search(r"median ([\d.]+)", text)[1]) for text in (wrong, right))
    assert before > 1.0
    assert after < 0.2  # landmarks are rounded to a tenth of a µm


def test_each_correction_of_a_cell_brings_it_nearer_to_the_truth(walked):
    changes = [r.measured for r in walked.rows if r.step == "correct" and "overlap" in r.measured]
    assert len(changes) >= 2
    for text in changes:
        before, after = map(float, re.search(r"([\d.]+) → ([\d.]+)", text).groups())
        assert after > before, text


def test_corrected_domains_are_kept_by_the_next_fit(walked):
    kept, of = map(int, re.search(r"(\d+) of (\d+) corrections kept", _measured(walked, "domains", "again")).groups())
    assert kept == of > 0


def test_undo_redo_and_reopening_give_the_same_bits(walked):
    assert walked.facts["undo_is_start"]
    assert walked.facts["redo_is_end"]
    assert walked.facts["reopened_is_end"]
    assert walked.proved


def test_the_recipe_replays_and_a_changed_recipe_does_not(walked):
    found = read_recipe(walked.options.out / "recipe.json")
    assert all(step.identical for step in walked.facts["replay"])
    assert len(found["steps"]) == len(walked.facts["replay"]) > 8
    number = next(i for i, s in enumerate(found["steps"]) if s.get("kind") == "domains")
    changed = {**found, "steps": found["steps"][: number + 1]}
    changed["steps"][number]["settings"]["seed"] += 1
    changed["steps"][number]["settings"]["n_domains"] -= 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with scratch(walked.store) as again:
            steps = replay(changed, again)
    assert not steps[-1].identical
    assert any("domain" in slot for slot in steps[-1].different)


def test_the_saved_section_opens_with_its_history(walked):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = Session.open_store(walked.store)
    try:
        document = session.document
        assert len(session.history) == len(walked.facts["replay"])
        assert "nuclei" in document.names("labels")
        assert "domain" in document.table("spot_counts").obs
        proportions = document.table("spot_counts").obsm["proportions"].to_numpy()
        np.testing.assert_allclose(proportions.sum(1), 1, atol=1e-6)
        assert "global" in document.placed("msi_pixels")
    finally:
        session.close()


def test_the_report_holds_its_pictures_and_needs_nothing_else(walked):
    page = (walked.options.out / "report.html").read_text(encoding="utf-8")
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(pictures) == len(walked.pictures) >= 10
    for data in pictures:
        assert base64.b64decode(data).startswith(b"\x89PNG")
    assert not re.search(r'(src|href)="(?!data:)', page)
    for row in walked.rows:
        assert row.step in page


def test_a_folder_with_a_section_in_it_is_left_alone(walked):
    with pytest.raises(BadInput, match="is there already"):
        walk(Options(out=walked.options.out, screenshots=False))


def test_files_without_a_unit_ask_for_the_spot_pitch_and_leave_nothing(data, tmp_path):
    options = Options(out=tmp_path / "out", section=data / "olfactory_bulb_he", name="section1", screenshots=False)
    with pytest.raises(UnitNeeded) as told:
        walk(options)
    assert told.value.parameter == "spot_pitch_um"
    assert not (tmp_path / "out" / "section.zarr").exists()
