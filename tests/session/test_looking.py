"""Bookmarks and channels: kept in the document, undone, and there again after saving."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.errors import BadInput
from napari_spatialml.session import Session, correct
from napari_spatialml.session.bookmarks import Bookmark, bookmark_from, bookmarks_of
from napari_spatialml.session.channels import blending_of, channels_of

from ..views.conftest import section

words = st.text("abcdefgh µ-1", min_size=1, max_size=8).filter(str.strip)
metres = st.floats(-1e6, 1e6)


@pytest.fixture
def session():
    made = Session.start(section())
    yield made
    made.close()


def do(session, step, /, **arguments):
    session.execute(correct(session.document, step, **arguments))


@settings(max_examples=30)
@given(
    words,
    words,
    metres,
    metres,
    st.floats(1e-3, 1e6),
    st.none() | st.tuples(words),
    st.dictionaries(words, st.none() | st.tuples(words, words), max_size=2),
    st.tuples(words),
    st.booleans(),
)
def test_a_bookmark_is_the_same_after_it_was_written_as_plain_values(name, system, y, x, h, shown, colours, also, on):
    view = Bookmark(name, system, (y, x), h, shown, colours, also, on)
    assert bookmark_from(view.plain()) == view


def test_bookmarks_are_kept_moved_renamed_dropped_and_all_of_it_is_undone(session):
    one = Bookmark("Crypts", "global", (5.0, 6.0), 20.0, ("he",), {"spots": ("counts", "obs/domain"), "he": None})
    steps = [()]
    for name, arguments in (
        ("keep-view", {"view": one.plain()}),
        ("keep-view", {"view": Bookmark("Villi", "msi", (1.0, 2.0), 3.0).plain()}),
        ("keep-view", {"view": Bookmark("Crypts", "global", (9.0, 9.0), 1.0).plain()}),
        ("rename-view", {"name": "Villi", "new": "Tips"}),
        ("drop-view", {"name": "Crypts"}),
    ):
        do(session, name, **arguments)
        steps.append(bookmarks_of(session.document))
    assert [[b.name for b in step] for step in steps] == [
        [], ["Crypts"], ["Crypts", "Villi"], ["Crypts", "Villi"], ["Crypts", "Tips"], ["Tips"],
    ]  # fmt: skip
    assert steps[1][0] == one
    for before in reversed(steps[:-1]):
        session.undo()
        assert bookmarks_of(session.document) == before


def test_bookmarks_and_channels_are_there_again_after_saving(session, tmp_path):
    view = Bookmark("Crypts", "global", (5.0, 6.0), 20.0, ("he", "spots"), {}, ("msi",), True)
    do(session, "keep-view", view=view.plain())
    do(session, "set-channels", image="if", channels={"CD3": {"low": 10, "high": 900.5, "colour": "#FF8000"}},
       blending="on white")  # fmt: skip
    session.save(tmp_path / "kept.zarr")
    again = Session.open_store(tmp_path / "kept.zarr")
    assert bookmarks_of(again.document) == (view,)
    assert channels_of(again.document, "if")["CD3"].limits == (10.0, 900.5)
    assert channels_of(again.document, "if")["CD3"].colour == "#ff8000"
    assert blending_of(again.document, "if") == "on white"
    again.close()


def test_what_is_said_of_a_channel_adds_up_and_can_be_taken_back(session):
    do(session, "set-channels", image="if", channels={"DAPI": {"low": 1, "high": 2}})
    do(session, "set-channels", image="if", channels={"DAPI": {"gamma": 0.5}, "CD3": {"visible": False}})
    dapi = channels_of(session.document, "if")["DAPI"]
    assert (dapi.limits, dapi.gamma, dapi.colour) == ((1.0, 2.0), 0.5, None)
    do(session, "reset-channels", image="if")
    assert channels_of(session.document, "if") == {}
    session.undo()
    session.undo()
    assert channels_of(session.document, "if")["DAPI"].gamma is None


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("keep-view", {"view": {"name": "x"}}, "no bookmark"),
        ("keep-view", {"view": {"name": " ", "centre_um": [0, 0], "height_um": 1}}, "no name"),
        ("keep-view", {"view": {"name": "x", "centre_um": [0, 0], "height_um": float("inf")}}, "inf µm"),
        ("drop-view", {"name": "x"}, "no bookmark 'x'"),
        ("set-channels", {"image": "if", "channels": {"DAPI": {"low": 3, "high": 3}}}, "limits are"),
        ("set-channels", {"image": "if", "channels": {"DAPI": {"low": 3}}}, "limits are"),
        ("set-channels", {"image": "if", "channels": {"none": {}}}, "no channel 'none'"),
        ("set-channels", {"image": "if", "channels": {"DAPI": {"gamma": 0}}}, "gamma of 0"),
        ("set-channels", {"image": "if", "channels": {"DAPI": {"colour": "red"}}}, "not a colour"),
        ("set-channels", {"image": "nothing", "channels": {}}, "no image"),
        ("reset-channels", {"image": "if"}, "by default"),
    ],
)
def test_what_cannot_be_kept_is_said(session, name, arguments, said):
    with pytest.raises(BadInput, match=said):
        correct(session.document, name, **arguments)


@pytest.mark.parametrize("written", [7, "x", [1, None, {"name": "x"}], {"if": 3}])
def test_what_another_program_wrote_in_their_place_hides_nothing(written):
    made = section()
    made.attrs["spatialml"] |= {"bookmarks": written, "channels": written}
    session = Session.start(made)
    assert bookmarks_of(session.document) == ()
    assert channels_of(session.document, "if") == {}
    session.close()
