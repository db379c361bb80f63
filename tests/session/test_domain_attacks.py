"""What a hostile tester tried on domains: each is refused in one sentence, or does what it says."""

from __future__ import annotations

import json
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from spatialdata import SpatialData
from spatialdata.models import TableModel

from napari_spatialml.errors import BadInput, DocumentError
from napari_spatialml.session import DomainsSelection, Session, correct, refit_domains_now, run

from .conftest import state_of
from .divided import MIXTURE, OTHER, TABLE, about, banded, do, names, probabilities, started, strokes

warnings.simplefilter("ignore")


@pytest.mark.parametrize("over", ["another name", "ignored"])
def test_a_new_domain_that_a_later_stroke_covers_wholly_does_not_stop_the_fit(section, over):
    do(section, "stroke-domain", rows=[0, 1], domain="mistyped")
    if over == "ignored":
        do(section, "ignore-tissue", rows=[0, 1])
    else:
        do(section, "stroke-domain", rows=[0, 1], domain="tumour")
    refit_domains_now(section, TABLE)
    told, p = about(section)["names"], probabilities(section)
    assert "mistyped" in told and p.shape == (64, len(told))
    assert (p[:, told.index("mistyped")] == 0).all() and np.allclose(p.sum(1), 1, atol=1e-6)
    run(section, MIXTURE(n_domains=2, n_starts=2), DomainsSelection(TABLE))
    assert (names(section)[:2] == ("" if over == "ignored" else "tumour")).all()
    do(section, "remove-domain-stroke", number=1)
    refit_domains_now(section, TABLE)
    assert (names(section)[:2] == "mistyped").all()


def test_what_is_covered_teaches_nothing(section):
    do(section, "stroke-domain", rows=[0, 1], domain="D3")
    refit_domains_now(section, TABLE)
    expected = probabilities(section).copy()
    section.undo()
    do(section, "stroke-domain", rows=[0, 1], domain="mistyped")
    do(section, "stroke-domain", rows=[0, 1], domain="D3")
    refit_domains_now(section, TABLE)
    assert np.array_equal(probabilities(section)[:, :3], expected)


@pytest.mark.parametrize("rows", [np.array([3, 1], np.uint8), range(1, 4, 2), (1, 3), {1, 3}, [1.0, 3.0, 3.0]])
def test_rows_of_a_notebook_come_as_arrays_and_are_kept_as_plain_numbers(section, rows):
    do(section, "stroke-domain", rows=rows, domain="D2")
    assert strokes(section)[0]["instances"] == [101, 103]
    assert sorted(set(json.loads(json.dumps(section.history[-1].record["arguments"]["rows"])))) == [1, 3]


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("stroke-domain", {"rows": [1.5], "domain": "D1"}, "1.5"),
    ("stroke-domain", {"rows": [True] * 64, "domain": "D1"}, "True"),
    ("stroke-domain", {"rows": ["a"], "domain": "D1"}, "'a'"),
    ("stroke-domain", {"rows": None, "domain": "D1"}, "None"),
    ("stroke-domain", {"rows": [float("nan")], "domain": "D1"}, "nan"),
    ("stroke-domain", {"rows": [10**30], "domain": "D1"}, "1000"),
    ("stroke-domain", {"rows": {}, "domain": "D1"}, "{}"),
    ("stroke-domain", {"rows": [[1], [2, 3]], "domain": "D1"}, "array"),
    ("stroke-domain", {"rows": [1], "domain": None}, "None"),
    ("stroke-domain", {"rows": [1], "domain": "\ud800"}, "no file"),
    ("stroke-domain", {"rows": [1], "domain": "D1", "column": 3}, "3"),
    ("stroke-domain", {"rows": [1], "domain": "D1", "column": "c" * 300}, "300"),
    ("remove-domain-stroke", {"number": "0"}, "'0'"),
    ("remove-domain-stroke", {"number": 0.5}, "0.5"),
    ("edit-domain-stroke", {"number": None, "domain": "D2"}, "None"),
    ("merge-domains", {"names": None}, "None"),
    ("merge-domains", {"names": "D1"}, "D1"),
    ("split-domain", {"name": "D1", "parts": float("nan")}, "nan"),
    ("measure-domain-stability", {"seeds": ["a"]}, "'a'"),
    ("measure-domain-stability", {"seeds": 5}, "5"),
]


@pytest.mark.parametrize(("what", "given", "said"), WRONG, ids=[f"{w}-{i}" for i, (w, _, _) in enumerate(WRONG)])
def test_what_is_no_row_name_or_number_is_refused_with_its_value(section, what, given, said):
    do(section, "stroke-domain", rows=[4], domain="D1")
    before, position = state_of(section), section.position
    with pytest.raises(BadInput) as refused:
        section.execute(correct(section.document, what, table=TABLE, **given))
    assert said in str(refused.value) and refused.value.hint
    assert state_of(section) == before and section.position == position


def test_a_column_of_a_long_name_can_be_saved(section, tmp_path: Path):
    do(section, "stroke-domain", rows=[4], domain="tumour" * 2000, column="c" * 180)
    section.save(tmp_path / "s.zarr")
    with closing(Session.open_store(tmp_path / "s.zarr")) as opened:
        assert names(opened, column="c" * 180)[4] == "tumour" * 2000


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("domain", np.arange(64) / 7),
        ("domain", pd.date_range("2020", periods=64).to_numpy()),
        ("domain_margin", pd.Categorical(["wide", "narrow"] * 32)),
        ("domain_boundary", pd.Categorical(["yes", "no"] * 32)),
        ("domain_stability", np.arange(64)),
        ("domain_by_hand", pd.Categorical(["no"] * 64)),
        ("domain_by_hand", pd.array([True, None] * 32, dtype="boolean")),
    ],
)
def test_a_column_of_another_kind_with_a_name_that_a_map_needs_is_not_overwritten(column, values):
    with closing(started()) as session:
        session.document.table(TABLE).obs[column] = values
        before = state_of(session)
        with pytest.raises(BadInput, match=f"'{column}'") as refused:
            run(session, MIXTURE(n_domains=3, n_starts=2), DomainsSelection(TABLE))
        assert "name" in refused.value.hint
        with pytest.raises(BadInput, match=f"'{column}'"):
            do(session, "stroke-domain", rows=[1], domain="tumour")
        assert state_of(session) == before
        run(session, MIXTURE(n_domains=3, n_starts=2), DomainsSelection(TABLE, column="layer"))


def test_features_that_are_words_are_named():
    with closing(started()) as session:
        table = session.document.table(TABLE)
        table.obsm["shape"] = pd.DataFrame({"area": np.arange(64.0), "kind": ["round"] * 64}, index=table.obs_names)
        with pytest.raises(BadInput, match="column 'kind' of 'obsm/shape'"):
            run(session, MIXTURE(n_domains=3), DomainsSelection(TABLE, "obsm/shape"))


def test_counts_kept_as_objects_are_refused_by_their_type():
    with closing(started(second=True)) as session:
        session.document.table(OTHER).X = session.document.table(OTHER).X.toarray().astype(object)
        with pytest.raises(BadInput, match="'X' of 'second' holds 'object'"):
            run(session, MIXTURE(n_domains=3), DomainsSelection(TABLE, others=(OTHER,)))


@pytest.mark.parametrize("source", ["", "  ", "x" * 5000, "nowhere.zarr::counts", "a\0b"])
def test_a_source_that_no_file_can_be_is_refused(section, source):
    with pytest.raises(BadInput, match="no table and no section") as refused:
        correct(section.document, "transfer-domains", table=TABLE, source=source)
    assert "section.zarr::table" in refused.value.hint and len(str(refused.value)) < 500


@pytest.mark.parametrize("damaged", [7, "red", ["D1"], {"domain": 7}, {"domain": {"D1": 3, "D2": "reddish"}}])
def test_colours_that_are_none_do_not_stop_what_is_done_to_domains(section, damaged):
    section.document.sdata.attrs["spatialml"]["colours"] = damaged
    assert section.document.colours("domain") == {}
    do(section, "merge-domains", names=["D1", "D2"])
    kept = about(section)["names"][0]
    section.execute(correct(section.document, "set-colour", column="domain", category=kept, colour="#102030"))
    assert section.document.colours("domain") == {kept: "#102030"}
    for _ in range(2):
        section.undo()
    assert section.document.attribute("colours") == damaged


@pytest.mark.parametrize("during", ["the stroke", "its fit"])
def test_a_full_disk_leaves_map_and_strokes_as_they_were(section, monkeypatch, during):
    do(section, "stroke-domain", rows=[1], domain="D2")
    refit_domains_now(section, TABLE)
    if during == "its fit":
        do(section, "stroke-domain", rows=[4, 5], domain="D3")
    before, position = state_of(section), section.position

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(DocumentError, match="No space left") as refused:
            if during == "the stroke":
                do(section, "stroke-domain", rows=[4, 5], domain="D3")
            else:
                refit_domains_now(section, TABLE)
    assert refused.value.hint
    assert state_of(section) == before and section.position == position
    if during == "the stroke":
        do(section, "stroke-domain", rows=[4, 5], domain="D3")
    refit_domains_now(section, TABLE)
    assert (names(section)[[4, 5]] == "D3").all() and names(section)[1] == "D2"
    section.undo()
    assert [s["instances"] for s in strokes(section)] == [[101]]


def test_a_table_of_several_regions_keeps_strokes_on_rows_whose_numbers_occur_twice(tmp_path: Path):
    made = banded(second=True)
    joined = ad.concat([made.tables[TABLE], made.tables[OTHER]], join="inner")
    del joined.uns, joined.obsm
    regions = ["counts_spots", "second_spots"]
    table = TableModel.parse(joined, region=regions, region_key="region", instance_key="instance_id")
    both = SpatialData.init_from_elements({**{name: made[name] for name in regions}, TABLE: table}, attrs=made.attrs)
    with closing(Session.start(both)) as session:
        run(session, MIXTURE(n_domains=3, n_starts=2), DomainsSelection(TABLE))
        twin = 64 + 3  # the same number as row 3, in the other region
        before = state_of(session)
        do(session, "stroke-domain", rows=[twin], domain="mistyped")
        refit_domains_now(session, TABLE)
        assert names(session)[twin] == "mistyped" and names(session)[3] != "mistyped"
        assert np.flatnonzero(session.document.table(TABLE).obs["domain_by_hand"]).tolist() == [twin]
        session.save(tmp_path / "s.zarr")
        after = names(session).tolist()
        session.undo()
        assert state_of(session) == before
    with closing(Session.open_store(tmp_path / "s.zarr", recover=False)) as opened:
        assert names(opened).tolist() == after
        do(opened, "remove-domain-stroke", number=0)
        refit_domains_now(opened, TABLE)
        assert not strokes(opened) and names(opened)[twin] != "mistyped"
