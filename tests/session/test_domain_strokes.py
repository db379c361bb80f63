"""Laws of strokes on a map of domains: shown at once, kept by instance, taken back one by one, undone to the bit."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from napari_spatialml.core.domain_trust import boundary, margin
from napari_spatialml.core.graph import tissue_graph
from napari_spatialml.errors import BadInput, DocumentError
from napari_spatialml.session import DomainsSelection, Session, correct, refit_domains_now, run
from napari_spatialml.session.gather import coordinates_of

from .conftest import state_of
from .divided import MIXTURE, TABLE, about, divided, do, names, probabilities, started, strokes

warnings.simplefilter("ignore")


def whole(session: Session) -> None:
    """What must hold of any map."""
    obs, p = session.document.table(TABLE).obs, probabilities(session)
    told = about(session)
    assert list(obs["domain"].cat.categories) == told["names"]
    assert p.shape == (len(obs), len(told["names"]))
    assert probabilities(session, "computed").shape[1] == len(told["names_computed"])
    assert np.allclose(p.sum(1), 1, atol=1e-6)
    inside = obs["domain"].notna().to_numpy()
    assert (p.argmax(1) == obs["domain"].cat.codes)[inside].all()
    assert np.isnan(obs["domain_margin"]).to_numpy().tolist() == (~inside).tolist()
    beside = boundary(obs["domain"].cat.codes, tissue_graph(coordinates_of(session.document, TABLE), 6))
    assert np.allclose(obs["domain_boundary"], beside, equal_nan=True)
    assert np.allclose(obs["domain_margin"][inside], margin(p)[inside])
    last: dict[int, str] = {}
    for entry in strokes(session):
        last |= dict.fromkeys(entry["instances"], entry["domain"])
    ids = session.document.instances(TABLE)
    under = np.array([i in last for i in ids])
    assert (obs["domain_by_hand"].to_numpy() if "domain_by_hand" in obs else ~under | under & False)[under].all()
    now = names(session)
    assert all(now[row] == last[ids[row]] for row in np.flatnonzero(under)), "the hand is overruled"


def test_a_stroke_is_shown_at_once_and_only_in_its_rows(section):
    before = names(section)
    do(section, "stroke-domain", rows=[0, 1], domain="D3", reason="lumen")
    assert (names(section)[[0, 1]] == "D3").all() and (names(section)[2:] == before[2:]).all()
    (entry,) = strokes(section)
    assert entry["instances"] == [100, 101] and entry["reason"] == "lumen" and entry["by"] and entry["when"]
    obs = section.document.table(TABLE).obs
    assert np.flatnonzero(obs["domain_by_hand"]).tolist() == [0, 1]
    assert (obs["domain_margin"].iloc[[0, 1]] == 1).all()
    assert section.history[-1].label == "2 spots of counts into D3"
    whole(section)


def test_boundary_counts_the_neighbours_that_lie_elsewhere(section):
    middle = 27  # has eight others around it, of which the four nearest and their ties count
    do(section, "stroke-domain", rows=[middle], domain="island")
    found = section.document.table(TABLE).obs["domain_boundary"]
    assert found.iloc[middle] == 1.0
    assert found.iloc[middle + 1] > 0
    do(section, "ignore-tissue", rows=[middle])
    found = section.document.table(TABLE).obs["domain_boundary"]
    assert np.isnan(found.iloc[middle])


def test_a_new_name_makes_a_domain_that_goes_with_its_last_stroke(section):
    free = state_of(section)
    do(section, "stroke-domain", rows=[4, 5], domain="tumour")
    do(section, "stroke-domain", rows=[6], domain="tumour")
    assert about(section)["names"] == ["D1", "D2", "D3", "tumour"]
    assert about(section)["names_computed"] == ["D1", "D2", "D3"]
    do(section, "remove-domain-stroke", number=0)
    assert "tumour" in about(section)["names"] and names(section)[6] == "tumour"
    do(section, "remove-domain-stroke", number=0)
    assert about(section)["names"] == ["D1", "D2", "D3"]
    after = state_of(section)
    assert {k for k in after if "/" in k and after[k] != free.get(k)} == {f"tables/{TABLE}"}
    assert np.flatnonzero(section.document.table(TABLE).obs["domain_by_hand"]).tolist() == []


def test_a_later_stroke_wins_and_the_earlier_comes_back_when_it_goes(section):
    do(section, "stroke-domain", rows=[0, 1, 2], domain="D2")
    do(section, "stroke-domain", rows=[2, 3], domain="D3")
    assert names(section)[:4].tolist() == ["D2", "D2", "D3", "D3"]
    do(section, "edit-domain-stroke", number=1, domain="")
    assert names(section)[:4].tolist() == ["D2", "D2", "", ""]
    do(section, "remove-domain-stroke", number=1)
    assert names(section)[:3].tolist() == ["D2"] * 3


def test_strokes_follow_a_domain_that_is_renamed_or_merged_and_colours_do(section):
    section.execute(correct(section.document, "set-colour", column="domain", category="D2", colour="#112233"))
    do(section, "stroke-domain", rows=[0, 1], domain="D2")
    do(section, "rename-category", column="domain", old="D2", new="white matter")
    assert [e["domain"] for e in strokes(section)] == ["white matter"]
    assert about(section)["names_computed"] == ["D1", "white matter", "D3"]
    assert section.document.attribute("colours")["domain"] == {"white matter": "#112233"}
    whole(section)
    p = probabilities(section)
    sizes = {n: (names(section) == n).sum() for n in about(section)["names"]}
    kept = max(("white matter", "D3"), key=lambda n: sizes[n])
    do(section, "merge-domains", names=["D3", "white matter"])
    assert sorted(about(section)["names"]) == sorted(["D1", kept])
    assert [e["domain"] for e in strokes(section)] == [kept]
    merged = about(section)["names"].index(kept)
    assert np.allclose(probabilities(section)[:, merged], p[:, 1] + p[:, 2])
    whole(section)


def test_a_new_order_takes_the_columns_along(section):
    before = dict(zip(about(section)["names"], probabilities(section).T, strict=True))
    do(section, "reorder-categories", column="domain", names=["D3", "D1"])
    assert about(section)["names"] == ["D3", "D2", "D1"]
    for name, values in zip(about(section)["names"], probabilities(section).T, strict=True):
        assert np.array_equal(values, before[name])
    whole(section)


def test_strokes_survive_rows_that_go_and_come_back(section):
    do(section, "stroke-domain", rows=[2, 3], domain="D3")
    table = section.document.table(TABLE)
    section.document.replace_rows(TABLE, table[np.arange(3, table.n_obs)].copy())
    do(section, "stroke-domain", rows=[1], domain="D1")
    assert names(section)[:2].tolist() == ["D3", "D1"]


def test_rows_of_one_instance_are_of_one_domain():
    session = started()
    obs = session.document.table(TABLE).obs
    obs["instance_id"] = np.where(np.arange(64) == 7, 102, obs["instance_id"])
    do(session, "stroke-domain", rows=[2], domain="rim")
    assert names(session)[[2, 7]].tolist() == ["rim", "rim"]
    session.close()


def test_a_section_may_be_painted_before_anything_was_run():
    session = started()
    start = state_of(session)
    do(session, "stroke-domain", rows=[0, 1], domain="rim")
    do(session, "ignore-tissue", rows=[5])
    assert (names(session)[2:] == "").all() and about(session)["names"] == ["rim"]
    do(session, "remove-domain-stroke", number=0)
    do(session, "remove-domain-stroke", number=0)
    assert state_of(session) == start
    session.close()


def test_a_column_of_another_program_is_a_map_to_correct():
    session = started()
    obs = session.document.table(TABLE).obs
    obs["domain"] = np.where(np.arange(64) < 30, "a", "b")
    obs["domain"] = obs["domain"].astype("category")
    do(session, "stroke-domain", rows=[0], domain="b")
    assert names(session)[:2].tolist() == ["b", "a"]
    do(session, "remove-domain-stroke", number=0)
    assert names(session)[:2].tolist() == ["a", "a"]
    session.close()


def test_a_table_of_one_row():
    session = started(n=1)
    do(session, "stroke-domain", rows=[0], domain="all")
    assert names(session).tolist() == ["all"]
    do(session, "ignore-tissue", rows=[0])
    assert names(session).tolist() == [""]
    session.jump(0)
    assert "domain" not in session.document.table(TABLE).obs
    session.close()


@pytest.mark.parametrize(
    ("name", "arguments", "match"),
    [
        ("stroke-domain", {"rows": [], "domain": "D1"}, "Nothing is selected"),
        ("stroke-domain", {"rows": [64], "domain": "D1"}, "has 64 rows, but row 64"),
        ("stroke-domain", {"rows": [1], "domain": "  "}, "name of the domain is empty"),
        ("remove-domain-stroke", {"number": 0}, "no stroke"),
        ("merge-domains", {"names": ["D1"]}, "1 domain cannot be merged"),
        ("merge-domains", {"names": ["D1", "D9"]}, "no domain 'D9'"),
        ("stroke-domain", {"rows": [1], "domain": "D1", "column": "truth"}, "holds no categories"),
    ],
)
def test_what_cannot_be_done_is_told_in_words(section, name, arguments, match):
    with pytest.raises(BadInput, match=match):
        do(section, name, **arguments)


@pytest.mark.parametrize(
    "damage",
    [
        {"domain_strokes": [1]},
        {"domain_strokes": {"counts/domain": {"domain": "D1"}}},
        {"domain_strokes": {"counts/domain": [{"domain": "D1", "instances": 3}]}},
        {"domain_strokes": {"counts/domain": [{"domain": None, "instances": [3]}]}},
        {"domain_strokes": {"counts/domain": [{"domain": "D1", "instances": [{}]}]}},
        {"domain_maps": {"counts/domain": "D1"}},
        {"domain_maps": {"counts/domain": {"names": ["D1", "D1", "D2"], "names_computed": [], "tables": ["counts"]}}},
        {"domain_maps": {"counts/domain": {"names": ["a"], "names_computed": ["a"], "tables": ["counts"]}}},
    ],
)
def test_damaged_attributes_are_told_in_one_sentence(section, damage):
    section.document.sdata.attrs["spatialml"].update(damage)
    with pytest.raises(DocumentError, match="cannot be read") as told:
        do(section, "stroke-domain", rows=[1], domain="D1")
    assert str(told.value).count("\n") == 0
    run(section, MIXTURE(n_domains=3), DomainsSelection(TABLE, keep_corrections=False))
    whole(section)


some_rows = st.lists(st.integers(0, 63), min_size=1, max_size=6)
domains = st.sampled_from(["D1", "D2", "D3", "tumour", "rim"])


def step(what: str, /, **arguments: Any) -> Any:
    return st.tuples(st.just(what), st.fixed_dictionaries(arguments))


steps = st.one_of(
    step("stroke-domain", rows=some_rows, domain=domains),
    step("stroke-domain", rows=some_rows, domain=domains),
    step("ignore-tissue", rows=some_rows),
    step("remove-domain-stroke", number=st.integers(0, 4)),
    step("edit-domain-stroke", number=st.integers(0, 4), domain=st.sampled_from(["D1", "rim", ""])),
    step("merge-domains", names=st.lists(domains, min_size=2, max_size=3)),
    step("split-domain", name=domains, parts=st.integers(2, 3)),
    step("rename-category", column=st.just("domain"), old=domains, new=domains),
    step("reorder-categories", column=st.just("domain"), names=st.permutations(["D1", "D2"])),
    step("relabel", column=st.just("domain"), rows=some_rows, value=domains),
    step("release", column=st.just("domain"), rows=some_rows),
    st.tuples(st.sampled_from(["undo", "redo", "fit"]), st.just({})),
)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(sequence=st.lists(steps, max_size=12))
def test_any_sequence_keeps_the_map_whole_and_ends_where_it_began(state: Any, sequence: list[tuple[str, Any]]) -> None:
    session = divided()
    start, first = state_of(session), session.position
    for name, arguments in sequence:
        if name in ("undo", "redo"):
            if name == "redo" or session.position > first:
                getattr(session, name)()
        elif name == "fit":
            refit_domains_now(session, TABLE)
        else:
            try:
                do(session, name, **arguments)
            except BadInput:
                continue
        whole(session)
    end, position = state_of(session), session.position
    session.jump(first)
    assert state_of(session) == start
    session.jump(position)
    assert state_of(session) == end
    session.close()
