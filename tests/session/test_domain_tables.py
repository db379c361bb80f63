"""What defines domains, tells two apart, how large they are, and how far a map agrees with another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from shapely.geometry import box

from napari_spatialml.core.report import silent
from napari_spatialml.errors import BadInput
from napari_spatialml.session import correct
from napari_spatialml.session.domain_agreement import agreement
from napari_spatialml.session.domain_sizes import composed, composition_choices, domain_sizes
from napari_spatialml.session.domain_tables import (
    compared_domains,
    domain_markers,
    feature_names,
    feature_parts,
    feature_word,
    kept_markers,
)
from napari_spatialml.session.labelling import labelling, labellings

from .deconvolved import TABLE, started

SIDE = 50.0


@pytest.fixture
def session():
    """Three bands of spots with a gene each, a domain without rows, and two rows of ignored tissue."""
    made = started(n=144)
    held = made.document.table(TABLE)
    band = np.repeat([0, 1, 2], 48)
    counts = held.X.toarray()
    counts[np.arange(144), band] += 150 + np.arange(144) % 7
    held.X = type(held.X)(counts)
    codes = band.copy()
    codes[[0, 140]] = -1
    held.obs["domain"] = pd.Categorical.from_codes(codes, ["upper", "middle", "lower", "none here"])
    held.obs["area"] = np.linspace(1, 2, 144)
    held.obs["cluster"] = (band[::-1] + 1).astype(int)
    return made


def columns(found):
    return found.frame().drop(columns=["domain"], errors="ignore").set_index("feature")


# labellings ----------------------------------------------------------------------------------


def test_rows_without_a_name_and_names_without_rows_are_known_as_such(session):
    found = labelling(session.document, TABLE, "domain")
    assert found.sizes.tolist() == [47, 48, 47, 0]
    assert (found.codes[[0, 140]] == -1).all()
    assert found.used().names == ("upper", "middle", "lower")
    assert found.rows(["upper", "lower"]).tolist() == [*range(1, 48), *range(96, 140), *range(141, 144)]
    with pytest.raises(BadInput, match="no 'cortex'"):
        found.rows("cortex")


def test_what_measures_or_names_every_row_is_no_labelling(session):
    held = session.document.table(TABLE)
    held.obs["barcode"] = [f"b{i}" for i in range(144)]
    held.obs["domain_margin"] = 0.5
    held.obs["domain_by_hand"] = False
    assert set(labellings(session.document, TABLE, without="domain")) == {"cluster"}
    with pytest.raises(BadInput, match="holds measurements"):
        labelling(session.document, TABLE, "area")
    with pytest.raises(BadInput, match="no column 'layer'"):
        labelling(session.document, TABLE, "layer")


def test_a_row_in_two_regions_has_the_class_of_the_smaller(session):
    for name, outline in (("tissue", box(-30, -30, 700, 700)), ("lesion", box(-30, -30, 130, 130))):
        ring = [[y, x] for x, y in outline.exterior.coords]
        session.execute(
            correct(session.document, "add-annotation", annotations="notes", outlines=[[ring]], class_name=name)
        )
    assert labellings(session.document, TABLE)["regions of notes"] == "regions/notes"
    found = labelling(session.document, TABLE, "regions/notes")
    assert sorted(found.names) == ["lesion", "tissue"]
    assert len(found.rows("lesion")) == 9 and len(found.rows("tissue")) == 144 - 9


# markers -------------------------------------------------------------------------------------


def test_each_domain_is_told_by_the_gene_that_was_raised_in_it(session):
    found = domain_markers(session.document, TABLE)(silent)
    assert {name: found.found.features[best[0]] for name, best in found.top(1).items()} == {
        "upper": "gene0", "middle": "gene1", "lower": "gene2",
    }  # fmt: skip
    listed = [j for columns in found.top(5).values() for j in columns]
    assert len(listed) == len(set(listed)), "a feature stands at one domain"
    first = found.frame("middle").iloc[0]
    assert first["feature"] == "gene1" and first["auroc"] > 0.95 and first["log2_fold_change"] > 0.5
    assert "none here" not in set(found.frame()["domain"])
    with pytest.raises(BadInput, match="no domain 'cortex'"):
        found.frame("cortex")
    scaled = found.scaled()[:3]
    assert scaled.min() == 0 and scaled.max() == 1


def test_ignored_tissue_counts_nowhere(session):
    before = columns(domain_markers(session.document, TABLE)(silent))
    counts = session.document.table(TABLE).X.toarray()
    counts[[0, 140]] = counts[[0, 140]][:, ::-1]  # their depth stays, so that of the others is normalised alike
    held = session.document.table(TABLE)
    held.X = type(held.X)(counts)
    after = columns(domain_markers(session.document, TABLE)(silent))
    pd.testing.assert_frame_equal(before, after)


def test_one_domain_has_nothing_to_be_compared_with(session):
    session.document.table(TABLE).obs["domain"] = pd.Categorical(["D1"] * 144)
    with pytest.raises(BadInput, match="1 domain with rows"):
        domain_markers(session.document, TABLE)


def test_markers_are_kept_until_the_map_or_the_table_changes(session):
    document = session.document
    found = domain_markers(document, TABLE)(silent)
    assert kept_markers(document, TABLE, "domain", "X") is found
    assert kept_markers(document, TABLE, "domain", "obsm/x") is None
    session.execute(correct(document, "rename-category", table=TABLE, column="domain", old="upper", new="lower"))
    assert kept_markers(document, TABLE, "domain", "X") is None
    session.undo()
    assert kept_markers(document, TABLE, "domain", "X") is found, "an undone step gives the former map back"
    document.touch(("tables", TABLE))
    assert kept_markers(document, TABLE, "domain", "X") is None


def test_features_without_names_are_counted_and_masses_are_masses(session):
    held = session.document.table(TABLE)
    held.obsm["umap"] = np.random.default_rng(0).normal(size=(144, 2))
    held.obsm["domain_probabilities"] = np.ones((144, 3)) / 3
    assert list(feature_parts(session.document, TABLE).values()) == ["X", "obsm/umap"]
    assert feature_names(session.document, TABLE, "obsm/umap") == ("umap 1", "umap 2")
    found = domain_markers(session.document, TABLE, part="obsm/umap")(silent)
    assert found.frame("upper")["log2_fold_change"].isna().all()  # negative values have none
    assert found.frame("upper")["auroc"].notna().all()
    assert feature_word(["741.5306", "769.5619"]) == "m/z"
    assert feature_word(["1", "2"]) == "feature" and feature_word(["EPCAM", "KRT8"]) == "gene"


# two domains ---------------------------------------------------------------------------------


def test_two_sides_changed_give_the_opposite(session):
    one = columns(compared_domains(session.document, TABLE, "domain", ["upper"], ["lower"])(silent))
    other = columns(compared_domains(session.document, TABLE, "domain", ["lower"], ["upper"])(silent)).loc[one.index]
    assert np.allclose(one["auroc"], 1 - other["auroc"])
    assert np.allclose(one["cohens_d"], -other["cohens_d"])
    assert np.allclose(one["mean_in"], other["mean_out"])
    assert one.index[0] == "gene0" and one.index[-1] == "gene2"


def test_a_domain_against_all_others_is_its_markers(session):
    against = columns(compared_domains(session.document, TABLE, "domain", ["middle"])(silent))
    own = domain_markers(session.document, TABLE)(silent).frame("middle").drop(columns="domain").set_index("feature")
    pd.testing.assert_frame_equal(against, own)


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (["upper"], ["upper"], "on both sides"),
        (["none here"], ["upper"], "No row"),
        ([], ["upper"], "No domain is chosen"),
        (["upper", "middle", "lower"], [], "no other domain"),
        (["cortex"], ["upper"], "no 'cortex'"),
    ],
)
def test_sides_that_cannot_be_compared_are_told(session, one, other, said):
    with pytest.raises(BadInput, match=said):
        compared_domains(session.document, TABLE, "domain", one, other)


# sizes and composition -----------------------------------------------------------------------


def test_sizes_borders_and_who_touches_whom(session):
    found = domain_sizes(session.document, TABLE, "domain")(silent)
    assert np.allclose(found.area_um2 / SIDE**2, [47, 48, 47, 0], rtol=0.02)
    assert found.borders[0, 2] == 0 and found.borders[0, 1] > 0
    assert np.nansum(found.shares[1]) == pytest.approx(1)
    assert np.isnan(found.shares[3]).all()
    touching = found.touching("upper", "middle")
    assert set(range(36, 48)) <= set(touching) <= set(range(24, 48))  # the last of four lines of twelve
    frame = found.frame().set_index("domain")
    assert frame.loc["upper", "most_border_with"] == "middle" and frame.loc["none here", "most_border_with"] == ""


def test_what_two_sides_are_made_of_sums_to_one(session):
    domains = labelling(session.document, TABLE, "domain")
    assert composition_choices(session.document, TABLE, "domain") == {"cluster": "obs/cluster"}
    made = composed(session.document, TABLE, "obs/cluster", domains.rows("upper"), domains.rows("lower"))
    frame = made(silent)
    same = ["type", "one", "other", "difference"]
    pd.testing.assert_frame_equal(frame[same], made.shares()[same])
    assert frame["one"].sum() == pytest.approx(1) and frame["other"].sum() == pytest.approx(1)
    shares = frame.set_index("type")
    assert shares.loc["3", "one"] == 1 and shares.loc["1", "other"] == 1
    with pytest.raises(BadInput, match="no row with 'cluster'"):
        composed(session.document, TABLE, "obs/cluster", domains.rows("none here"), domains.rows("upper"))


# agreement -----------------------------------------------------------------------------------


def test_the_same_map_under_other_names_agrees_wholly(session):
    names = {"upper": "z", "middle": "a", "lower": "m"}
    obs = session.document.table(TABLE).obs
    obs["other"] = obs["domain"].astype(object).map(names).astype("category")
    found = agreement(session.document, TABLE, "domain", "other")(silent)
    figures = {f.name: f.values for f in found.figures()}
    assert figures["ARI"] == figures["NMI"] == (1.0,)
    assert figures["CHAOS"][0] == figures["CHAOS"][1] and figures["PAS"] == (0.0, 0.0)
    assert found.columns_named == ("z", "a", "m"), "each stands in the diagonal with its partner"
    assert (found.counts == np.diag([47, 48, 47])).all() and found.found.left_out == 2


def test_the_rows_of_a_square_are_those_it_counts(session):
    found = agreement(session.document, TABLE, "domain", "cluster")(silent)
    for i, a in enumerate(found.rows_named):
        for j, b in enumerate(found.columns_named):
            assert len(found.rows(a, b)) == found.counts[i, j]
    assert found.frame().to_numpy().sum() == 142


def test_labellings_that_never_meet_are_told(session):
    obs = session.document.table(TABLE).obs
    obs["elsewhere"] = pd.Categorical.from_codes(np.where(obs["domain"].isna(), 0, -1), ["fold"])
    with pytest.raises(BadInput, match="a name in both"):
        agreement(session.document, TABLE, "domain", "elsewhere")
