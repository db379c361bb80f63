"""Proportions as bytes for the graphics card, and what types that sum to one share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from napari.components import ViewerModel

from napari_spatialml.errors import BadInput
from napari_spatialml.session import Session, correct
from napari_spatialml.session.selected import Selected
from napari_spatialml.views import ColourBy, Presenter
from napari_spatialml.views.memory import Memory
from napari_spatialml.views.pie_texture import MOST_TYPES, in_lines, packed
from napari_spatialml.views.pies import Pies, pie_rows
from napari_spatialml.views.state import ViewState

from ..canvas.test_pies import COLOURS, SHARES, TYPES, made


def read(slots, turn):
    """Return the type that the graphics card finds at a share of the turn: the first sector that ends behind it."""
    ends = (slots[..., 0].astype(int) * 256 + slots[..., 1]) / 65535
    return slots[np.arange(len(slots)), (ends >= turn).argmax(1), 2]


SOME = arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 64)), elements=st.floats(0, 10))


@settings(max_examples=40, deadline=None)
@given(SOME, st.floats(0, 1))
def test_every_share_of_the_turn_finds_the_type_whose_sector_it_lies_in(values, turn):
    slots = packed(values, values.shape[1])
    totals = values.sum(1, keepdims=True)
    ends = np.cumsum(values, 1) / np.where(totals > 0, totals, 1)
    found = read(slots, turn)
    for row, kind in enumerate(found):
        if values[row].sum() <= 0:
            assert kind == values.shape[1]
            continue
        low = ends[row, kind - 1] if kind else 0.0
        assert values[row, kind] > 0 and low - 2e-5 <= turn <= ends[row, kind] + 2e-5


@pytest.mark.parametrize("bad", [np.nan, -0.5, np.inf])
def test_what_is_no_share_has_no_sector(bad):
    slots = packed(np.array([[0.5, bad, 0.5]]), 3)
    assert [int(read(slots, turn)[0]) for turn in (0.1, 0.49, 0.51, 0.99)] == [0, 0, 2, 2]


def test_more_types_than_a_byte_names_are_refused():
    with pytest.raises(BadInput, match="255 cell types"):
        packed(np.ones((1, MOST_TYPES + 1)), 0)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (7, 64), (500, 20), (9000, 1)])
def test_a_texture_has_whole_rows_to_a_line(n, m):
    blocks = np.random.default_rng(0).integers(0, 255, (n, m, 4), np.uint8)
    lines, a_line = in_lines(blocks)
    assert lines.shape[1] == a_line * m <= 4096
    row = n - 1
    where = row // a_line, (row % a_line) * m
    assert np.array_equal(lines[where[0], where[1] : where[1] + m], blocks[row])


@pytest.fixture
def presenter():
    session = Session.start(made())
    presenter = Presenter(ViewerModel(), session)
    presenter.show()
    yield presenter
    presenter.close()
    session.close()


def test_all_types_have_one_range_and_a_change_of_one_changes_all(presenter):
    session = presenter.session

    def limits(name):
        presenter.colour_by("spots", ColourBy("counts", f"obsm/proportions/{name}"))
        (legend,) = presenter.legends()
        assert legend.note == "one range for all cell types"
        return legend.low, legend.high

    assert {limits(name) for name in TYPES} == {(0.0, 1.0)}
    ductal = {"table": "counts", "key": "obsm/proportions/ductal"}
    session.execute(correct(session.document, "set-scale", **ductal, by="value", low=0, high=0.4))
    assert {limits(name) for name in TYPES} == {(0.0, 0.4)}
    session.execute(
        correct(session.document, "set-scale", table="counts", key="obsm/proportions/acinar", low=0, high=100)
    )
    assert {limits(name) for name in TYPES} == {(0.0, 1.0)}


def test_pies_give_way_to_another_colour_and_come_back(presenter):
    presenter.show_pies("spots", "counts", mode="bars")
    assert presenter.canvas.specs[0].pies is not None
    presenter.colour_by("spots", ColourBy("counts", "X/g"))
    assert presenter.canvas.specs[0].pies is None and presenter.legends()[0].kind == "continuous"
    presenter.show_pies("spots", "counts")
    assert presenter.canvas.specs[0].pies is not None
    presenter.show_pies("spots", "counts", mode=None)
    assert presenter.canvas.specs[0].pies is None and presenter.legends()[0].shares == ()
    with pytest.raises(BadInput, match="'rings'"):
        presenter.show_pies("spots", "counts", mode="rings")


def test_without_a_window_the_spots_have_their_dominant_colours(presenter):
    presenter.show_pies("spots", "counts")
    layer = presenter.layer_of("spots")
    names = [TYPES[k] for k in SHARES.argmax(1)]
    expected = [[int(COLOURS[n][k : k + 2], 16) / 255 for k in (1, 3, 5)] for n in names]
    np.testing.assert_allclose(layer.face_color[:, :3], expected, atol=1e-2)


def test_spots_that_the_table_does_not_know_are_drawn_as_no_type(presenter):
    ids = np.array([10, 99])
    slots, signs = pie_rows(presenter.document, Pies("counts"), "spots", ids, ViewState(), Memory())
    assert signs[:, 0].tolist() == [3, 4] and (slots[1, :, 2] == 4).all()


def test_what_a_selection_leaves_out_is_faint_and_what_a_filter_takes_away_is_not_drawn(presenter):
    ids = np.array([10, 11, 12, 13])  # in rows 3, 2, 1, 0 of the table
    state = ViewState(selected=Selected("counts", np.array([0, 3])), limit=Selected("counts", np.array([0, 1])))
    _, signs = pie_rows(presenter.document, Pies("counts"), "spots", ids, state, Memory())
    assert signs[:, 3].tolist() == [0, 0, 64, 255]


def test_only_changed_rows_are_packed_again(presenter, monkeypatch):
    from napari_spatialml.views import pies as module

    memory, ids, document = Memory(), np.array([10, 11, 12, 13]), presenter.document
    first, _ = pie_rows(document, Pies("counts"), "spots", ids, ViewState(), memory)
    frame = document.table("counts").obsm["proportions"].copy()
    frame.iloc[0] = [0.0, 0.0, 0.5, 0.5]  # the last spot: the table runs the other way
    document.table("counts").obsm["proportions"] = pd.DataFrame(frame)
    sizes = []
    monkeypatch.setattr(module, "packed", lambda values, t: (sizes.append(len(values)), packed(values, t))[1])
    again, _ = pie_rows(document, Pies("counts"), "spots", ids, ViewState(), memory)
    assert sizes == [1] and np.array_equal(again[:3], first[:3])
    assert int(read(again, 0.25)[3]) == 2
