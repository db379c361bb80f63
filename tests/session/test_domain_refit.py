"""Laws of the map that follows the hand: one step with the stroke, the same bits again, the hand never overruled."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator

import numpy as np
import pytest

from napari_spatialml.core.domains import Embedded
from napari_spatialml.errors import BadInput, Stale
from napari_spatialml.session import (
    DomainsSelection,
    Session,
    correct,
    domain_cache,
    finish_domain_refit,
    outdated,
    read_recipe,
    refit_domains,
    refit_domains_now,
    replay,
    run,
    scratch,
    write_recipe,
)

from .conftest import state_of
from .divided import MIXTURE, OTHER, TABLE, about, divided, do, names, probabilities, started, strokes

warnings.simplefilter("ignore")


def wrong_rows(session: Session) -> tuple[list[int], str]:
    """Rows of the largest domain, and the name of another one."""
    now = names(session)
    first, second = about(session)["names"][:2]
    return np.flatnonzero(now == first)[:6].tolist(), second


def test_one_undo_takes_a_stroke_and_its_fit_back(section):
    before, free = state_of(section), probabilities(section).copy()
    rows, other = wrong_rows(section)
    do(section, "stroke-domain", rows=rows, domain=other)
    steps = section.position
    refit_domains_now(section, TABLE)
    assert section.position == steps
    assert section.history[-1].label == f"6 spots of counts into {other}"
    after = state_of(section)
    rest = np.setdiff1d(np.arange(64), rows)
    assert not np.array_equal(probabilities(section)[rest], free[rest])  # the fit learnt from the stroke
    assert np.array_equal(probabilities(section, "computed"), free)
    assert (names(section)[rows] == other).all()
    section.undo()
    assert state_of(section) == before
    section.redo()
    assert state_of(section) == after


def test_the_hand_is_never_overruled_whatever_is_fitted(section):
    rng = np.random.default_rng(0)
    given = {}
    for name in ("D3", "tumour", "D1", "", "rim"):
        rows = rng.choice(64, 5, replace=False).tolist()
        do(section, "stroke-domain" if name else "ignore-tissue", rows=rows, **({"domain": name} if name else {}))
        refit_domains_now(section, TABLE)
        given |= dict.fromkeys(rows, name)
        now = names(section)
        assert all(now[row] == wanted for row, wanted in given.items())
    for again in (MIXTURE(n_domains=4), MIXTURE(n_domains=2, seed=3)):
        run(section, again, DomainsSelection(TABLE))
        now = names(section)
        assert all(now[row] == wanted for row, wanted in given.items())
        assert {"tumour", "rim"} <= set(about(section)["names"])
    run(section, MIXTURE(n_domains=3), DomainsSelection(TABLE, keep_corrections=False))
    assert not strokes(section) and not section.document.table(TABLE).obs["domain_by_hand"].any()
    assert (names(section) != "").all()


def test_the_second_of_two_strokes_makes_the_fit_of_the_first_too_old(section):
    do(section, "stroke-domain", rows=[0, 1], domain="D2")
    job = refit_domains(section, TABLE)
    finished = job()
    do(section, "stroke-domain", rows=[8, 9], domain="D3")
    with pytest.raises(Stale):
        finish_domain_refit(section, job, finished)
    last = refit_domains(section, TABLE)
    finish_domain_refit(section, last, last())
    assert names(section)[[0, 1, 8, 9]].tolist() == ["D2", "D2", "D3", "D3"]
    section.undo()
    assert len(strokes(section)) == 1


def test_a_fit_after_another_step_is_a_step_of_its_own(section):
    do(section, "stroke-domain", rows=[0, 1], domain="D2")
    job = refit_domains(section, TABLE)
    finished = job()
    do(section, "set-scale", key="obs/truth", colormap="magma")
    steps = section.position
    finish_domain_refit(section, job, finished)
    assert section.position == steps + 1 and section.history[-1].label.startswith("fit again: 3 domains")


def test_a_stroke_waits_for_no_stage_that_is_known(section, monkeypatch):
    def fail(*_: object) -> Embedded:
        raise AssertionError("a stage was computed again")

    monkeypatch.setattr(MIXTURE, "embedded", fail)
    do(section, "stroke-domain", rows=[0, 1], domain="D2")
    refit_domains_now(section, TABLE)
    run(section, MIXTURE(n_domains=4, smoothing_um=120.0), DomainsSelection(TABLE))  # only smoothing is new
    monkeypatch.setattr(MIXTURE, "smoothed", fail)
    run(section, MIXTURE(n_domains=2, smoothing_um=120.0), DomainsSelection(TABLE))
    with pytest.raises(AssertionError):
        run(section, MIXTURE(n_components=3), DomainsSelection(TABLE))


def test_stages_that_were_let_go_come_back_to_the_same_bits(section, monkeypatch):
    do(section, "stroke-domain", rows=[0, 1], domain="D2")
    refit_domains_now(section, TABLE)
    kept = state_of(section)
    section.undo()
    domain_cache._STAGES.clear()
    do(section, "stroke-domain", rows=[0, 1], domain="D2")
    refit_domains_now(section, TABLE)
    again = state_of(section)
    assert {k for k in kept if kept[k] != again[k]} <= {"attrs/domain_strokes", "attrs/domain_maps"}  # the clock
    monkeypatch.setattr(domain_cache, "_LARGEST", 1)
    run(section, MIXTURE(n_domains=3, n_components=5), DomainsSelection(TABLE))
    assert len(domain_cache._STAGES) == 1


def test_a_replay_gives_the_same_bits_whether_the_section_was_opened_again_or_not(tmp_path):
    store = tmp_path / "section.zarr"
    session = divided()
    do(session, "stroke-domain", rows=[0, 1, 2], domain="D2")
    refit_domains_now(session, TABLE)
    session.save(store)
    session.close()
    domain_cache._STAGES.clear()
    session = Session.open_store(store)
    assert len(strokes(session)) == 1 and about(session)["method"] == "low-pass-mixture"
    do(session, "stroke-domain", rows=[9, 17], domain="tumour")
    refit_domains_now(session, TABLE)
    do(session, "ignore-tissue", rows=[30])
    refit_domains_now(session, TABLE)
    session.undo()
    do(session, "merge-domains", names=["D1", "D3"])
    refit_domains_now(session, TABLE)
    do(session, "rename-category", column="domain", old="tumour", new="rim")
    run(session, MIXTURE(n_domains=4), DomainsSelection(TABLE))
    session.save()
    written = write_recipe(session, tmp_path / "recipe.json")
    state = state_of(session)
    session.close()
    domain_cache._STAGES.clear()
    with scratch(store) as again:
        steps = replay(read_recipe(written), again)
        assert [step.identical for step in steps] == [True] * 6, steps
        arrays = {k: v for k, v in state.items() if k.startswith("tables")}
        assert {k: v for k, v in state_of(again).items() if k in arrays} == arrays


def test_a_kill_loses_nothing_and_one_undo_still_takes_both_back(tmp_path):
    store = tmp_path / "section.zarr"
    session = divided()
    session.save(store)
    before = state_of(session)
    rows, other = wrong_rows(session)
    do(session, "stroke-domain", rows=rows, domain=other)
    shown = state_of(session)
    refit_domains_now(session, TABLE)
    fitted = state_of(session)
    left, cut = tmp_path / "left.zarr", tmp_path / "cut.zarr"  # what a process that is killed here leaves on the disk
    for place in (left, cut):
        shutil.copytree(store, place)
    journal = cut / "spatialml" / "journal.log"
    journal.write_bytes(journal.read_bytes()[:-100])  # killed while the fit was written
    session.close()
    for place, expected in ((cut, shown), (left, fitted)):
        again = Session.open_store(place)
        assert state_of(again) == expected
        again.undo()
        assert state_of(again) == before
        again.close()


def test_what_is_not_known_cannot_be_fitted_again():
    session = started()
    do(session, "stroke-domain", rows=[0, 1], domain="rim")
    with pytest.raises(BadInput, match="not known how"):
        refit_domains(session, TABLE)
    run(session, MIXTURE(n_domains=3), DomainsSelection(TABLE))
    assert names(session)[:2].tolist() == ["rim", "rim"], "what was painted before the run is kept"
    session.close()


def test_rows_that_came_after_the_map_get_their_domain_from_the_next_fit(section):
    do(section, "stroke-domain", rows=[0, 1], domain="D2")
    table = section.document.table(TABLE)
    table.obs["domain"] = table.obs["domain"].where(np.arange(64) != 40)
    for end in ("probabilities", "computed"):
        values = probabilities(section, end).copy()
        values[40] = np.nan
        table.obsm[f"domain_{end}"] = values
    refit_domains_now(section, TABLE)
    assert names(section)[40] == names(section)[48]


def test_a_stroke_does_not_make_the_domains_old(section):
    do(section, "stroke-domain", rows=[0, 1], domain="D2")
    refit_domains_now(section, TABLE)
    assert not outdated(section)


# several sections at once ----------------------------------------------------------------------


@pytest.fixture
def two() -> Iterator[Session]:
    made = started(second=True)
    run(made, MIXTURE(n_domains=3, n_starts=2), DomainsSelection(TABLE, others=(OTHER,)))
    yield made
    made.close()


def agree(session: Session, table: str) -> float:
    """The share of rows whose domain is the usual one of their band."""
    now, truth = names(session, table), session.document.table(table).obs["truth"].to_numpy()
    return sum((now == name)[truth == b].sum() for b, name in enumerate(_usual(session))) / len(now)


def _usual(session: Session) -> list[str]:
    now, truth = names(session), session.document.table(TABLE).obs["truth"].to_numpy()
    return [max(set(now[truth == b]), key=(now[truth == b]).tolist().count) for b in range(3)]


def test_sections_divided_together_have_the_same_domains(two):
    assert about(two)["tables"] == about(two, OTHER)["tables"] == [TABLE, OTHER]
    assert about(two)["names"] == about(two, OTHER)["names"]
    assert agree(two, TABLE) > 0.8 and agree(two, OTHER) > 0.8


def test_what_is_done_to_the_domains_of_one_section_is_done_to_all_of_them(two):
    start = state_of(two)
    do(two, "stroke-domain", table=OTHER, rows=[0, 1, 2], domain="tumour")
    assert about(two)["names"] == about(two, OTHER)["names"]
    refit_domains_now(two, OTHER)
    assert names(two, OTHER)[:3].tolist() == ["tumour"] * 3 and not strokes(two)
    do(two, "rename-category", column="domain", old="D1", new="cortex")
    do(two, "merge-domains", table=OTHER, names=["D2", "D3"])
    for table in (TABLE, OTHER):
        assert set(names(two, table)) <= set(about(two)["names"]) and "cortex" in about(two, table)["names"]
    refit_domains_now(two, TABLE)
    assert about(two)["names"] == about(two, OTHER)["names"]
    end = state_of(two)
    two.jump(1)
    assert state_of(two) == start
    two.jump(99)
    assert state_of(two) == end


def test_a_section_that_was_divided_alone_leaves_the_others(two):
    run(two, MIXTURE(n_domains=2), DomainsSelection(OTHER))
    do(two, "rename-category", column="domain", old="D1", new="cortex")
    assert "cortex" in about(two)["names"] and "cortex" not in about(two, OTHER)["names"]
    refit_domains_now(two, TABLE)


def test_tables_without_a_feature_in_common_are_told():
    session = started(second=True)
    session.document.table(OTHER).var_names = [f"other{i}" for i in range(30)]
    with pytest.raises(BadInput, match="share no gene"):
        run(session, MIXTURE(n_domains=2), DomainsSelection(TABLE, others=(OTHER,)))
    with pytest.raises(BadInput, match="Name each once"):
        DomainsSelection(TABLE, others=(TABLE,))
    session.close()


def test_cell_types_and_proportions_are_features(section):
    obs = section.document.table(TABLE).obs
    obs["cell_type"] = np.array(["B cell", "T cell", "tumour"])[obs["truth"].to_numpy(dtype=int)]
    line = run(section, MIXTURE(n_domains=3), DomainsSelection(TABLE, features="obs/cell_type", column="niche"))
    assert line.startswith("3 domains over 64 spots")
    with pytest.raises(BadInput, match="holds numbers"):
        run(section, MIXTURE(n_domains=3), DomainsSelection(TABLE, features="obs/truth"))
    with pytest.raises(BadInput, match="no column 'x'"):
        run(section, MIXTURE(n_domains=3), DomainsSelection(TABLE, features="obs/x"))


def test_strokes_on_cells_survive_cells_that_are_merged_and_deleted(session):
    """``session`` has nine cells in three columns."""
    run(session, MIXTURE(n_domains=2), DomainsSelection("nuclei_table"))
    start, first = state_of(session), session.position
    cells = session.document.instances("nuclei_table").tolist()
    do(session, "stroke-domain", table="nuclei_table", rows=[cells.index(5), cells.index(6)], domain="rim")
    refit_domains_now(session, "nuclei_table")
    session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=[1, 6]))
    session.execute(correct(session.document, "merge-cells", labels="nuclei", cells=[2, 3]))
    do(session, "stroke-domain", table="nuclei_table", rows=[0], domain="D1")
    refit_domains_now(session, "nuclei_table")
    now, left = names(session, "nuclei_table"), session.document.instances("nuclei_table").tolist()
    assert now[left.index(5)] == "rim" and now[0] == "D1" and (now != "").all()
    assert [len(e["instances"]) for e in strokes(session, "nuclei_table")] == [2, 1]
    end, position = state_of(session), session.position
    session.jump(first)
    assert state_of(session) == start
    session.jump(position)
    assert state_of(session) == end
