"""Laws of proportions in the document: what is stored, and what the hand lays down."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from napari_spatialml.errors import BadInput, DocumentError, Stale
from napari_spatialml.methods import method
from napari_spatialml.session import Command, Session, correct, finish, prepare, run
from napari_spatialml.session.changes import Put
from napari_spatialml.session.constraints import hand_of
from napari_spatialml.session.proportions import held_proportions

from .conftest import state_of
from .deconvolved import TABLE, TYPES, Learning, selected, started, write_reference

warnings.simplefilter("ignore")
N = 40
NNLS = method("deconvolution", "nnls")


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return write_reference(tmp_path / "reference.h5ad")


@pytest.fixture
def section(reference: Path) -> Iterator[Session]:
    made = started(n=N)
    run(made, Learning(), selected(reference))
    yield made
    made.close()


def values(session: Session, part: str = "proportions") -> np.ndarray:
    return session.document.table(TABLE).obsm[part].to_numpy()


def column(session: Session, name: str) -> Any:
    return session.document.table(TABLE).obs[f"proportions_{name}"]


def do(session: Session, name: str, **arguments: Any) -> None:
    session.execute(correct(session.document, name, table=TABLE, **arguments))


def test_everything_that_a_method_gives_is_stored_and_read_back(section):
    held = held_proportions(section.document, TABLE, "proportions")
    job = prepare(
        section, Learning(), selected(section.document.attribute("deconvolutions")[f"{TABLE}/proportions"]["reference"])
    )
    found = job().result.found
    for name in ("values", "deviance", "outside", "empty"):
        assert np.array_equal(getattr(held, name), getattr(found, name)), name
    for name in ("standard_errors", "abundance", "lower", "upper"):
        assert np.allclose(getattr(held, name), getattr(found, name), rtol=1e-6), name
    assert (held.lower <= found.lower).all() and (held.upper >= found.upper).all()
    order = np.argsort(found.fitted.genes)
    assert np.array_equal(held.fitted.platform, found.fitted.platform[order])
    assert np.array_equal(held.fitted.signatures, found.fitted.signatures[:, order])
    assert held.fitted.dispersion == found.fitted.dispersion
    assert column(section, "uncertainty").between(0, 1).all()
    about = section.document.attribute("deconvolutions")[f"{TABLE}/proportions"]
    assert about["method"] == "learning" and about["parameters"] == {"steps": 3} and about["types"] == list(TYPES)


def test_a_type_of_the_reference_keeps_its_name(section):
    before = state_of(section)
    with pytest.raises(BadInput, match="type of the reference"):
        do(section, "rename-category", column="proportions_dominant", old=TYPES[0], new="other")
    assert state_of(section) == before


def test_another_method_takes_away_what_it_does_not_give(section, reference):
    run(section, NNLS(), selected(reference))
    table = section.document.table(TABLE)
    assert "proportions_lower" not in table.obsm and "proportions_outside" not in table.obs
    assert "proportions_platform_factor" not in table.var and "proportions_signatures" not in table.varm
    assert column(section, "uncertainty").isna().all()
    section.undo()
    assert held_proportions(section.document, TABLE, "proportions").fitted is not None


def test_what_is_stored_survives_save_and_reopening(section, tmp_path):
    do(section, "override-proportion", rows=[3, 4], cell_type="tumour", value=0.8, reason="seen in histology")
    section.save(tmp_path / "section.zarr")
    before = state_of(section)
    do(section, "forbid-cell-type", rows=[5], cell_type="B cell")
    section.undo()
    section.close()
    again = Session.open_store(tmp_path / "section.zarr")
    assert state_of(again) == before
    assert held_proportions(again.document, TABLE, "proportions").fitted is not None
    do(again, "forbid-cell-type", rows=[5], cell_type="B cell")
    again.save()
    later = state_of(again)
    again.close()
    last = Session.open_store(tmp_path / "section.zarr")
    assert state_of(last) == later
    last.close()


rows = st.lists(st.integers(0, N - 1), min_size=1, max_size=4, unique=True)
types = st.sampled_from(TYPES)
shares = st.floats(0, 1).map(lambda v: round(v, 2))
ROWS = {"rows": rows}
strokes = st.one_of(
    st.tuples(st.just("override-proportion"), st.fixed_dictionaries({**ROWS, "cell_type": types, "value": shares})),
    st.tuples(st.just("forbid-cell-type"), st.fixed_dictionaries({**ROWS, "cell_type": types})),
    st.tuples(st.just("require-cell-type"), st.fixed_dictionaries({**ROWS, "cell_type": types, "minimum": shares})),
    st.tuples(st.just("mark-spots-artefact"), st.fixed_dictionaries(ROWS)),
    st.tuples(st.just("remove-proportion-constraint"), st.fixed_dictionaries({"number": st.integers(0, 5)})),
    st.tuples(
        st.just("edit-proportion-constraint"), st.fixed_dictionaries({"number": st.integers(0, 5), "value": shares})
    ),
)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(given=st.lists(strokes, min_size=1, max_size=6))
def test_any_strokes_are_kept_to_and_each_is_taken_back_by_one_undo(section, given):
    start = section.position
    states = [state_of(section)]
    for name, arguments in given:
        before = section.position
        try:
            do(section, name, **arguments)
        except BadInput as error:
            assert section.position == before and str(error)
            continue
        assert section.position == before + 1
        states.append(state_of(section))
        _keeps_to_the_hand(section)
    for state in reversed(states[:-1]):
        section.undo()
        assert state_of(section) == state
    assert section.position == start
    while section.position < start + len(states) - 1:
        section.redo()
    assert state_of(section) == states[-1]
    section.jump(start)


def _keeps_to_the_hand(section):
    found = values(section)
    assert (found >= 0).all()
    assert np.allclose(found.sum(1), 1)
    said = {}
    for entry in section.document.attribute("proportion_constraints", {}).get(f"{TABLE}/proportions", []):
        for row in np.array(entry["instances"]) - 100:
            said[row, entry["cell_type"]] = entry
    for (row, name), entry in said.items():
        share = found[row, TYPES.index(name)] if name else 0
        if entry["what"] in ("override", "forbidden"):
            assert share == entry["value"]
        elif entry["what"] == "minimum":
            assert share >= entry["value"]
        assert column(section, "by_hand").iloc[row]
    free = np.setdiff1d(np.arange(N), [row for row, _ in said])
    if said:
        assert np.array_equal(found[free], values(section, "proportions_computed")[free])
    low, high = values(section, "proportions_lower"), values(section, "proportions_upper")
    assert not ((low > found) | (found > high)).any()


def test_a_new_run_never_overrules_the_hand(section, reference):
    free = values(section).copy()
    do(section, "override-proportion", rows=[3], cell_type="tumour", value=0.8, reason="seen")
    do(section, "forbid-cell-type", rows=[4, 5], cell_type="B cell")
    do(section, "require-cell-type", rows=[6], cell_type="T cell", minimum=0.5)
    do(section, "mark-spots-artefact", rows=[7])
    for again in (Learning(), NNLS()):
        line = run(section, again, selected(reference))
        assert "5 set by hand" in line
        found = values(section)
        assert found[3, 3] == 0.8
        assert (found[[4, 5], 0] == 0).all()
        assert found[6, 1] >= 0.5
        assert list(column(section, "by_hand").iloc[2:8]) == [
            "",
            "override",
            "forbidden",
            "forbidden",
            "minimum",
            "artefact",
        ]
        assert column(section, "reason").iloc[3] == "seen"
    assert np.abs(values(section, "proportions_computed") - free).max() < 0.5
    assert values(section, "proportions_computed")[3, 3] != 0.8


def test_a_run_that_began_before_the_stroke_is_not_kept_unasked_and_never_overrules_it(section, reference):
    job = prepare(section, Learning(), selected(reference))
    finished = job()
    do(section, "override-proportion", rows=[3], cell_type="tumour", value=0.8)
    with pytest.raises(Stale):
        finish(section, job, finished)
    finish(section, job, finished, stale=True)
    assert values(section)[3, 3] == 0.8


def test_a_type_that_a_new_reference_lacks_is_said_and_comes_back_with_it(section, reference, tmp_path):
    do(section, "override-proportion", rows=[3], cell_type="B cell", value=0.7)
    do(section, "forbid-cell-type", rows=[3], cell_type="tumour")
    other = write_reference(tmp_path / "other.h5ad", types=("T cell", "fibroblast", "tumour"))
    line = run(section, NNLS(), selected(other))
    assert "1 constraint on 'B cell', which the reference lacks, left out." in line
    assert values(section).shape == (N, 3) and values(section)[3, 2] == 0
    run(section, NNLS(), selected(reference))
    assert values(section)[3, 0] == 0.7


def test_what_contradicts_itself_is_refused_in_words(section):
    do(section, "require-cell-type", rows=[3, 4], cell_type="tumour", minimum=0.8)
    with pytest.raises(
        BadInput, match=r"The spot 'spot3', and 1 more, would hold 30% B cell and 80% tumour: more than 100 %"
    ):
        do(section, "require-cell-type", rows=[3, 4], cell_type="B cell", minimum=0.3)
    for name in TYPES[:2]:
        do(section, "forbid-cell-type", rows=[9], cell_type=name)
    do(section, "override-proportion", rows=[9], cell_type="tumour", value=0.4)
    with pytest.raises(BadInput, match="may hold 40% in all"):
        do(section, "forbid-cell-type", rows=[9], cell_type="fibroblast")
    with pytest.raises(BadInput, match="is not a cell type of"):
        do(section, "forbid-cell-type", rows=[9], cell_type="hepatocyte")
    with pytest.raises(BadInput, match="not a proportion"):
        do(section, "override-proportion", rows=[9], cell_type="tumour", value=80)
    with pytest.raises(BadInput, match="row 40 was named"):
        do(section, "forbid-cell-type", rows=[40], cell_type="tumour")
    with pytest.raises(BadInput, match="Nothing is selected"):
        do(section, "forbid-cell-type", rows=[], cell_type="tumour")
    with pytest.raises(BadInput, match="numbered from 0 to 3"):
        do(section, "remove-proportion-constraint", number=4)
    with pytest.raises(BadInput, match="has no value"):
        do(section, "edit-proportion-constraint", number=1, value=0.3)


def test_taking_a_constraint_back_shows_what_the_method_said(section):
    free = values(section).copy()
    do(section, "override-proportion", rows=[3, 4], cell_type="tumour", value=0.8)
    do(section, "forbid-cell-type", rows=[4], cell_type="B cell")
    do(section, "remove-proportion-constraint", number=0)
    assert np.array_equal(values(section)[3], free[3])
    assert values(section)[4, 0] == 0 and values(section)[4, 3] != 0.8
    assert list(column(section, "by_hand").iloc[3:5]) == ["", "forbidden"]


def test_what_is_known_of_cells_stays_with_them_when_others_are_merged_or_deleted(session):
    frame = pd.DataFrame(
        np.full((9, 2), 0.5), index=session.document.table("nuclei_table").obs_names, columns=["stroma", "tumour"]
    )
    session.execute(Command("proportions", (Put(("tables", "nuclei_table", "obsm", "proportions"), None, frame),)))
    cells = {"table": "nuclei_table", "cell_type": "tumour"}
    session.execute(correct(session.document, "override-proportion", rows=[1, 6], value=0.9, **cells))
    before = state_of(session)
    session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=[1, 2]))
    session.execute(correct(session.document, "merge-cells", labels="nuclei", cells=[3, 4]))
    ids = session.document.instances("nuclei_table")
    table = session.document.table("nuclei_table")
    hand = hand_of(session.document, "nuclei_table", "proportions", ["stroma", "tumour"])
    assert ids[hand.constraints.rows].tolist() == [7]
    assert (table.obs["proportions_by_hand"] == "override").sum() == 1
    row = int(np.flatnonzero(ids == 7)[0])
    assert table.obsm["proportions"]["tumour"].iloc[row] == 0.9
    new = int(np.flatnonzero(np.isin(ids, [3, 4]))[0])
    session.execute(correct(session.document, "require-cell-type", rows=[new], minimum=0.7, **cells))
    assert session.document.table("nuclei_table").obsm["proportions"]["tumour"].iloc[new] >= 0.7
    for _ in range(3):
        session.undo()
    assert state_of(session) == before


def test_an_entry_of_a_file_that_says_nothing_is_refused_in_words(section):
    section.document.sdata.attrs["spatialml"]["proportion_constraints"] = {f"{TABLE}/proportions": [{"what": "magic"}]}
    with pytest.raises(DocumentError, match="cannot be read"):
        do(section, "mark-spots-artefact", rows=[3])


def test_types_with_a_slash_in_their_names_are_saved_and_can_be_merged(reference, tmp_path):
    cells = ad.read_h5ad(reference)
    cells.obs["cell_type"] = cells.obs["cell_type"].cat.rename_categories({"B cell": "B/NK", "T cell": "T/NK"})
    cells.write_h5ad(reference)
    session = started()
    run(session, NNLS(), selected(reference))
    do(session, "forbid-cell-type", rows=[3], cell_type="B-NK")
    session.save(tmp_path / "section.zarr")
    before = state_of(session)
    session.close()
    again = Session.open_store(tmp_path / "section.zarr")
    assert state_of(again) == before
    assert list(again.document.table(TABLE).obsm["proportions"]) == ["B-NK", "T-NK", "fibroblast", "tumour"]
    for names in (("B/NK", "T/NK"), ("B-NK", "T-NK")):
        run(again, NNLS(), selected(reference, merged=tuple((name, "B/T/NK") for name in names)))
        assert list(again.document.table(TABLE).obsm["proportions"]) == ["B-T-NK", "fibroblast", "tumour"]
    again.close()
