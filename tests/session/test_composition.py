"""Laws of what spots hold: by selection, by domain, by region; and of which types lie together."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_spatialml.errors import BadInput
from napari_spatialml.session import Session, correct, outdated, read_recipe, replay, run, scratch, write_recipe
from napari_spatialml.session.composition import (
    co_location,
    composition,
    composition_by,
    held_co_location,
    usable_rows,
)

from .deconvolved import TABLE, TYPES, Learning, selected, started, write_reference

warnings.simplefilter("ignore")
N = 144
LEFT = [[[[-30.0, -30.0], [-30.0, 275.0], [700.0, 275.0], [700.0, -30.0]]]]
"""The left half, (y, x) in µm: 6 of the 12 columns of spots."""


@pytest.fixture
def section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setattr("napari_spatialml.session.provenance.method", lambda kind, name: Learning)
    made = started(n=N)
    run(made, Learning(), selected(write_reference(tmp_path / "reference.h5ad")))
    yield made
    made.close()


def do(session: Session, name: str, **arguments: object) -> None:
    session.execute(correct(session.document, name, **arguments))


def proportions(session: Session) -> np.ndarray:
    return session.document.table(TABLE).obsm["proportions"].to_numpy()


def test_what_rows_hold_is_their_mean_against_that_of_the_section(section):
    rows = [5, 17, 30, 31, 90]
    found = composition(section.document, TABLE, rows)
    assert found.types == TYPES and found.sizes.tolist() == [5]
    assert np.allclose(found.mean[0], proportions(section)[rows].mean(0))
    assert np.allclose(found.section, proportions(section).mean(0))
    assert np.allclose(found.difference, found.mean - found.section)


def test_domains_and_the_regions_drawn_on_them_hold_the_same(section):
    do(section, "add-annotation", annotations="histology", outlines=LEFT, class_name="tumour bed")
    do(section, "add-annotation", annotations="histology", outlines=LEFT, class_name="on top of it")
    domains = composition_by(section.document, TABLE, "domain")
    regions = composition_by(section.document, TABLE, "histology")
    assert domains.groups == ("stroma", "tumour bed") and regions.groups == ("tumour bed", "on top of it")
    assert regions.sizes.tolist() == [72, 72]
    for name in ("mean", "mean_lower", "mean_upper", "difference", "lower", "upper"):
        mine, theirs = getattr(domains, name)[1], getattr(regions, name)
        assert np.allclose(theirs[0], mine) and np.allclose(theirs[1], mine), name
    each = composition_by(section.document, TABLE, "histology", each=True)
    assert each.groups == ("tumour bed 1", "on top of it 1")
    tumour = TYPES.index("tumour")
    assert domains.lower[1, tumour] > 0 > domains.upper[0, tumour]


def test_spots_without_counts_and_artefacts_count_for_nothing(section):
    do(section, "mark-spots-artefact", table=TABLE, rows=[0, 1])
    assert usable_rows(section.document, TABLE).tolist() == list(range(2, N))
    assert np.allclose(composition(section.document, TABLE, [0, 5]).mean[0], proportions(section)[5])
    with pytest.raises(BadInput, match="None of these spots"):
        composition(section.document, TABLE, [0, 1])
    with pytest.raises(BadInput, match="neither a column"):
        composition_by(section.document, TABLE, "nothing")
    with pytest.raises(BadInput, match="no proportions"):
        composition(section.document, TABLE, [5], output="shares")


def test_what_is_kept_is_saved_replayed_and_said_to_be_old_after_a_stroke(section, tmp_path):
    heard = []
    keep = correct(
        section.document, "keep-co-location", report=lambda f, m: heard.append(f), table=TABLE, n_permutations=99
    )
    section.execute(keep)
    assert heard and max(heard) == 1
    do(section, "keep-composition", table=TABLE, by="domain")
    section.save(tmp_path / "section.zarr")
    assert not outdated(section)
    expected = co_location(section.document, TABLE, n_permutations=99)
    written = write_recipe(section, tmp_path / "recipe.json")
    section.close()
    with scratch(tmp_path / "section.zarr") as again:
        assert all(step.identical for step in replay(read_recipe(written), again))
    opened = Session.open_store(tmp_path / "section.zarr")
    held = held_co_location(opened.document, TABLE)
    assert held.types == expected.types and held.n_blocks == expected.n_blocks
    for name in ("values", "p", "q"):
        assert np.array_equal(getattr(held, name), getattr(expected, name), equal_nan=True)
    kept = opened.document.table("counts_proportions_by_domain")
    assert list(kept.obs_names) == ["stroma", "tumour bed"] and list(kept.var_names) == list(TYPES)
    assert (kept.layers["mean_lower"] <= kept.X).all() and (kept.layers["mean_upper"] >= kept.X).all()
    do(opened, "forbid-cell-type", table=TABLE, rows=[5], cell_type="tumour")
    assert {old.kind for old in outdated(opened)} == {"deconvolution", "composition", "co-location"}
    opened.undo()
    assert not outdated(opened)
    opened.close()
