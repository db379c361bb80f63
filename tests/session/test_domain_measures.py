"""Laws of what is computed on a map: a domain divided, a map applied elsewhere, stability, strokes left out."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_spatialml.errors import BadInput
from napari_spatialml.session import (
    DomainsSelection,
    Session,
    correct,
    read_recipe,
    refit_domains_now,
    replay,
    run,
    scratch,
    write_recipe,
)
from napari_spatialml.session.domain_measures import domain_stability, stroke_accuracy

from .conftest import state_of
from .divided import MIXTURE, OTHER, TABLE, about, banded, divided, do, names, probabilities, started, strokes

warnings.simplefilter("ignore")


def largest(session: Session) -> str:
    found = about(session)["names"]
    return max(found, key=lambda n: int((names(session) == n).sum()))


def test_a_split_domain_is_whole_again_when_its_parts_are_merged(section):
    name, before = largest(section), names(section)
    p, computed = probabilities(section).copy(), probabilities(section, "computed").copy()
    do(section, "split-domain", name=name)
    assert len(about(section)["names"]) == 4 and about(section)["names_computed"] != ["D1", "D2", "D3"]
    (new,) = set(about(section)["names"]) - {"D1", "D2", "D3"}
    parts = names(section)[before == name]
    assert set(parts) == {name, new} and (parts == name).sum() >= (parts == new).sum()
    assert (names(section)[before != name] == before[before != name]).all()
    assert np.allclose(probabilities(section).sum(1), 1)
    refit_domains_now(section, TABLE)
    section.undo()
    do(section, "split-domain", name=name)
    do(section, "merge-domains", names=[name, new])
    assert np.array_equal(probabilities(section), p) and np.array_equal(probabilities(section, "computed"), computed)
    assert (names(section) == before).all()


def test_strokes_are_split_with_their_domain(section):
    name = largest(section)
    rows = np.flatnonzero(names(section) == name)[::2]
    do(section, "stroke-domain", rows=rows.tolist(), domain=name, reason="seen")
    do(section, "split-domain", name=name, parts=3)
    found = strokes(section)
    assert {i for e in found for i in e["instances"]} == set((rows + 100).tolist())
    assert sum(len(e["instances"]) for e in found) == len(rows) and {e["reason"] for e in found} == {"seen"}
    now = names(section)
    assert all(now[i - 100] == e["domain"] for e in found for i in e["instances"])
    refit_domains_now(section, TABLE)
    now = names(section)
    assert all(now[i - 100] == e["domain"] for e in found for i in e["instances"])


def test_a_domain_that_has_too_few_rows_is_not_split(section):
    do(section, "stroke-domain", rows=[3], domain="one")
    with pytest.raises(BadInput, match="has 1 different rows for 2 parts"):
        do(section, "split-domain", name="one")
    with pytest.raises(BadInput, match="no domain 'D9'"):
        do(section, "split-domain", name="D9")


def test_stability_is_kept_for_each_row_and_goes_with_the_next_run(section):
    mean = domain_stability(section, TABLE, seeds=[4, 5])
    obs = section.document.table(TABLE).obs
    assert set(np.unique(obs["domain_stability"])) <= {0.0, 0.5, 1.0} and mean == obs["domain_stability"].mean()
    assert mean > 0.6
    section.undo()
    assert "domain_stability" not in obs
    section.redo()
    run(section, MIXTURE(n_domains=4), DomainsSelection(TABLE))
    assert "domain_stability" not in section.document.table(TABLE).obs


def test_stroke_accuracy_is_kept_until_the_strokes_change(section):
    with pytest.raises(BadInput, match="no stroke"):
        stroke_accuracy(section, TABLE)
    now = names(section)
    for name in ("D1", "D2"):
        do(section, "stroke-domain", rows=np.flatnonzero(now == name)[:4].tolist(), domain=name)
    said = stroke_accuracy(section, TABLE)
    found = about(section)["accuracy"]
    assert (found["right"], found["of"], found["strokes"]) == (2, 2, 2) and found["sentence"] == said
    do(section, "edit-domain-stroke", number=0, domain="D3")
    assert "accuracy" not in about(section)


@pytest.fixture
def two() -> Iterator[Session]:
    made = started(n=144, second=True)
    run(made, MIXTURE(n_domains=3), DomainsSelection(TABLE))
    yield made
    made.close()


def band_names(session: Session, table: str) -> list[str]:
    now, truth = names(session, table), session.document.table(table).obs["truth"].to_numpy()
    return [max(sorted(set(now[truth == b])), key=(now[truth == b]).tolist().count) for b in range(3)]


def test_a_map_is_applied_to_another_table_under_the_same_names(two):
    two.execute(correct(two.document, "set-colour", column="domain", category="D1", colour="#112233"))
    do(two, "stroke-domain", table=OTHER, rows=[0, 1], domain="odd")
    do(two, "stroke-domain", table=OTHER, rows=[48], domain="D1")
    do(two, "transfer-domains", table=OTHER, source=TABLE)
    assert band_names(two, OTHER) == band_names(two, TABLE)
    assert names(two, OTHER)[[0, 1, 48]].tolist() == ["odd", "odd", "D1"]
    assert about(two, OTHER)["names"] == ["D1", "D2", "D3", "odd"]
    assert about(two, OTHER)["names_computed"] == ["D1", "D2", "D3"]
    refit_domains_now(two, OTHER)
    assert names(two, OTHER)[[0, 1, 48]].tolist() == ["odd", "odd", "D1"]
    two.undo()
    two.redo()
    do(two, "remove-domain-stroke", table=OTHER, number=0)
    assert "odd" not in about(two, OTHER)["names"]


def test_a_map_of_another_store_is_applied_and_replayed(tmp_path: Path):
    source = divided(n=144)
    source.execute(correct(source.document, "set-colour", column="domain", category="D2", colour="#445566"))
    source.save(tmp_path / "source.zarr")
    wanted = band_names(source, TABLE)
    source.close()
    session = Session.start(banded(100))
    place = f"{tmp_path / 'source.zarr'}::{TABLE}"
    do(session, "transfer-domains", source=place)
    assert band_names(session, TABLE) == wanted
    assert session.document.attribute("colours")["domain"] == {"D2": "#445566"}
    do(session, "stroke-domain", rows=[0], domain="D3")
    refit_domains_now(session, TABLE)
    do(session, "split-domain", name=largest(session))
    refit_domains_now(session, TABLE)
    domain_stability(session, TABLE, seeds=[1])
    stroke_accuracy(session, TABLE)
    session.save(tmp_path / "section.zarr")
    recipe = write_recipe(session, tmp_path / "recipe.json")
    kept = state_of(session)
    session.close()
    with scratch(tmp_path / "section.zarr") as again:
        assert [s.different for s in replay(read_recipe(recipe), again) if not s.identical] == []
        assert state_of(again) == kept


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("nowhere", "no table and no section 'nowhere'"),
        (OTHER, "has no column 'domain'"),
        (TABLE, "has this map"),
    ],
)
def test_a_map_that_cannot_be_applied_is_told(two, source, match):
    with pytest.raises(BadInput, match=match):
        do(two, "transfer-domains", table=TABLE, source=source)


def test_a_table_without_shared_features_gets_no_map(two):
    two.document.table(OTHER).var_names = [f"x{i}" for i in range(30)]
    with pytest.raises(BadInput, match="share no gene"):
        do(two, "transfer-domains", table=OTHER, source=TABLE)
