"""A deconvolution without a reference: stored as any other, corrected by hand, fitted again, and replayed."""

import numpy as np
import pytest

from napari_spatialml.errors import BadInput
from napari_spatialml.methods import method
from napari_spatialml.session import DeconvolutionSelection, Session, correct, run
from napari_spatialml.session.provenance import read_recipe, replay, scratch, write_recipe
from napari_spatialml.session.refitting import refit_now

from .deconvolved import TABLE, spots_section

pytest.importorskip("torch")


@pytest.fixture
def session(tmp_path):
    spots_section(90).write(tmp_path / "section.zarr")
    opened = Session.open_store(tmp_path / "section.zarr")
    yield opened
    opened.close()


def learnt(session, **settings):
    run(session, method("deconvolution", "autoencoder")(n_types=3, **settings), DeconvolutionSelection(TABLE))
    return session.document.table(TABLE).obsm["proportions"]


def test_learnt_types_are_stored_and_survive_a_save(session, tmp_path):
    frame = learnt(session)
    assert list(frame.columns) == [n for n in frame.columns if n.startswith("Type ")] and len(frame.columns) == 3
    assert np.allclose(frame.sum(axis=1), 1)
    profiles = session.document.table(TABLE).varm["proportions_signatures"]
    assert list(profiles.columns) == list(frame.columns) and np.isfinite(profiles.to_numpy()).any()
    session.save()
    again = Session.open_store(tmp_path / "section.zarr")
    assert again.document.table(TABLE).obsm["proportions"].equals(frame)
    again.close()


def test_the_hand_corrects_a_learnt_type_and_the_fit_after_it_keeps_the_types(session):
    frame = learnt(session)
    name = frame.columns[1]
    given = {"table": TABLE, "rows": [0, 1], "cell_type": name, "value": 0.7}
    session.execute(correct(session.document, "override-proportion", **given))
    refit_now(session, TABLE)
    after = session.document.table(TABLE).obsm["proportions"]
    assert list(after.columns) == list(frame.columns)
    assert np.allclose(after[name].to_numpy()[:2], 0.7)
    frame_again = learnt(session)  # a run anew learns the same types, and the hand's word holds in them
    assert np.allclose(frame_again[name].to_numpy()[:2], 0.7)


def test_a_learnt_type_is_named_in_all_that_keeps_it(session, tmp_path):
    another = DeconvolutionSelection(TABLE, output="proportions_again")
    run(session, method("deconvolution", "autoencoder")(n_types=3), another)
    before = learnt(session)
    old, state = before.columns[1], session.document.fingerprints()
    given = {"table": TABLE, "rows": [0, 1], "cell_type": old, "value": 0.7}
    session.execute(correct(session.document, "override-proportion", **given))
    named = {"table": TABLE, "column": "proportions_dominant", "old": old}
    session.execute(
        correct(session.document, "set-colour", column="proportions_dominant", category=old, colour="#102030")
    )
    session.execute(correct(session.document, "rename-category", **named, new=" duct "))
    held = session.document.table(TABLE)
    for part in (held.obsm, held.varm):
        for name, frame in part.items():
            if "again" in name:
                assert list(frame.columns) == list(before.columns), "another result has its own names"
            elif name.startswith("proportions"):
                assert list(frame.columns) == [before.columns[0], "duct", before.columns[2]], name
    assert list(held.obs["proportions_dominant"].cat.categories)[1] == "duct"
    assert session.document.colours("proportions_dominant") == {"duct": "#102030"}
    assert old not in repr(session.document.attribute("deconvolutions")[f"{TABLE}/proportions"])
    assert old not in repr(session.document.attribute("proportion_constraints"))
    refit_now(session, TABLE)
    after = session.document.table(TABLE).obsm["proportions"]
    assert list(after.columns)[1] == "duct" and np.allclose(after["duct"].to_numpy()[:2], 0.7)
    session.save()
    again = Session.open_store(tmp_path / "section.zarr")
    assert again.document.table(TABLE).obsm["proportions"].equals(after)
    again.close()
    for new in (before.columns[0], "a/b", "  "):
        with pytest.raises(BadInput):
            correct(session.document, "rename-category", **{**named, "old": "duct"}, new=new)
    session.jump(2)
    assert session.document.fingerprints() == state


def test_a_replay_gives_the_same_bits(session, tmp_path):
    frame = learnt(session)
    given = {"table": TABLE, "column": "proportions_dominant", "old": frame.columns[0], "new": "duct"}
    session.execute(correct(session.document, "rename-category", **given))
    session.save()
    found = read_recipe(write_recipe(session, tmp_path / "recipe.json"))
    with scratch(tmp_path / "section.zarr") as other:
        steps = replay(found, other)
    assert len(steps) == 2 and all(step.identical and step.note == "" for step in steps)


def test_a_method_that_needs_a_reference_says_so_and_names_one_that_does_not(session):
    with pytest.raises(BadInput, match=r"needs a reference.*Autoencoder"):
        run(session, method("deconvolution", "weighted-nnls")(), DeconvolutionSelection(TABLE))
    with pytest.raises(BadInput, match="no types to merge"):
        chosen = DeconvolutionSelection(TABLE, merged=(("a", "b"),))
        run(session, method("deconvolution", "autoencoder")(), chosen)
