"""Annotations are an element: drawn, reshaped, undone, journalled, saved alone, replayed; nothing of them is lost."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_spatialml.core.regions import outlines_of
from napari_spatialml.errors import BadInput, SpatialMLError
from napari_spatialml.session import Session, correct, recipe, replay
from napari_spatialml.session.annotating import class_colours, classes_of, frame_of, units_inside

from .conftest import small_section, state_of

SQUARE = [[[[0.0, 0.0], [0.0, 20.0], [20.0, 20.0], [20.0, 0.0]]]]
RIGHT = [[[[0.0, 20.0], [0.0, 40.0], [20.0, 40.0], [20.0, 20.0]]]]
HOLED = [
    [[[2.0, 2.0], [2.0, 18.0], [18.0, 18.0]], [[5.0, 7.0], [6.0, 9.0], [8.0, 9.5]]],
    [[[30, 30], [30, 35], [35, 35]]],
]


def do(session, name, **arguments):
    session.execute(correct(session.document, name, annotations="regions", **arguments))


def drawn(session, outlines=SQUARE, class_name="Tumour", **more):
    do(session, "add-annotation", outlines=outlines, class_name=class_name, **more)
    return str(frame_of(session.document, "regions").index[-1])


def test_a_drawn_region_says_what_who_and_when(session):
    number = drawn(session, HOLED, note="necrotic?")
    row = frame_of(session.document, "regions").loc[number]
    assert row["class"] == "Tumour" and row["note"] == "necrotic?" and row["annotator"] and row["created"]
    assert outlines_of(row.geometry)[0][1][:-1] == HOLED[0][1]
    assert session.history[-1].label == "draw Tumour in regions"
    assert session.history[-1].record["arguments"]["region"] == number


def test_a_class_keeps_the_colour_it_got_first(session):
    drawn(session, class_name="Stroma")
    before = class_colours(session.document, "regions")["Stroma"]
    drawn(session, class_name="Adipose")
    after = class_colours(session.document, "regions")
    assert after["Stroma"] == before and after["Adipose"] != before


def test_every_step_is_undone_to_the_bit_and_done_again(session):
    states = [state_of(session)]

    def step(name, **arguments):
        do(session, name, **arguments)
        states.append(state_of(session))

    step("add-annotation", outlines=SQUARE, class_name="Tumour")
    step("add-annotation", outlines=RIGHT, class_name="Stroma", beside=True)
    a, b = map(str, frame_of(session.document, "regions").index)
    step("cut-hole", region=a, outlines=[[[[5, 5], [5, 9], [9, 9]]]])
    step("move-vertex", region=a, from_um=[20.0, 20.0], to_um=[24.0, 21.0])
    step("set-annotation", regions=[a, b], note="seen", class_name="Necrosis")
    step("edit-annotation", region=b, outlines=HOLED)
    step("add-annotation", outlines=RIGHT, class_name="Tumour")
    c = str(frame_of(session.document, "regions").index[-1])
    step("join-annotations", regions=[a, c])
    step("subtract-annotations", region=b, others=[a])
    step("delete-annotation", regions=[b])
    step("delete-annotation", regions=[a])
    assert "regions" not in session.document.names("shapes")
    for state in reversed(states[:-1]):
        session.undo()
        assert state_of(session) == state
    for state in states[1:]:
        session.redo()
        assert state_of(session) == state


def test_neighbours_share_corners_and_a_shared_corner_moves_in_both(session):
    left = drawn(session)
    over = [[[[5.0, 15.0], [5.0, 40.0], [15.0, 40.0], [15.0, 15.0]]]]
    right = drawn(session, over, "Stroma", beside=True)
    frame = frame_of(session.document, "regions")
    assert frame.geometry[left].intersection(frame.geometry[right]).area == 0
    assert frame.geometry[right].area == 20 * 10
    do(session, "move-vertex", region=right, from_um=[5.0, 20.0], to_um=[4.0, 23.0])
    frame = frame_of(session.document, "regions")
    corners = [set(map(tuple, shapely.get_coordinates(frame.geometry[i]))) for i in (left, right)]
    assert (23.0, 4.0) in corners[0] & corners[1]
    assert frame.geometry[left].intersection(frame.geometry[right]).area == 0


def test_a_region_inside_another_is_left_so(session):
    drawn(session)
    inside = drawn(session, [[[[5, 5], [5, 9], [9, 9]]]], "Gland", beside=True)
    assert frame_of(session.document, "regions").geometry[inside].area == 8


def rings(draw, y, x):
    n = draw(st.integers(3, 9))
    turn = np.sort(np.array(draw(st.lists(st.floats(0, 6.28), min_size=n, max_size=n, unique=True))))
    far = np.array(draw(st.lists(st.floats(1, 9), min_size=n, max_size=n)))
    return np.column_stack([y + far * np.sin(turn), x + far * np.cos(turn)]).tolist()


@st.composite
def outlines(draw):
    parts = draw(st.integers(1, 3))
    hole = draw(st.booleans())
    made = [[rings(draw, 50 + 60 * k, 50)] for k in range(parts)]
    if hole:
        made.append([[[-90.0, -90.0], [-90.0, -50.0], [-50.0, -50.0], [-50.0, -90.0]], rings(draw, -70, -70)])
    return made


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(outlines(), st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)),
        min_size=1,
        max_size=3,
    )
)
def test_element_to_bytes_and_back_is_equality(made):
    from napari_spatialml.session.values import decode, encode

    with _opened() as session:
        for k, (parts, text) in enumerate(made):
            try:
                do(session, "add-annotation", outlines=parts, class_name=text, note=text[::-1], region=f"{text}/{k}")
            except BadInput as error:
                assert "encloses no area" in str(error)
        frame = frame_of(session.document, "regions")
        if frame is None:
            return
        packed = encode(frame)
        again = decode(packed.meta, packed.buffers)
        assert list(again.index) == list(frame.index)
        assert all(type(i) is str for i in again.index)
        assert shapely.equals_identical(again.geometry.to_numpy(), frame.geometry.to_numpy()).all()
        assert again.drop(columns="geometry").equals(frame.drop(columns="geometry"))
        for geometry in frame.geometry:
            assert geometry.is_valid


class _opened:
    def __enter__(self):
        self.session = Session.start(small_section())
        return self.session

    def __exit__(self, *_):
        self.session.close()


def test_saving_writes_only_that_element_and_the_next_start_finds_everything(session, tmp_path):
    store = session.save(tmp_path / "s.zarr")
    first = drawn(session, HOLED)
    session.save()
    kept = {p: p.stat().st_mtime_ns for p in store.rglob("*") if p.is_file() and "nuclei" in str(p)}
    drawn(session, RIGHT, "Stroma")
    do(session, "cut-hole", region=first, outlines=[[[[10.0, 14.0], [11.0, 15.0], [12.0, 15.0]]]])
    session.save()
    assert kept == {p: p.stat().st_mtime_ns for p in kept}
    frame = frame_of(session.document, "regions")
    session.close()
    again = Session.open_store(store)
    try:
        found = frame_of(again.document, "regions")
        assert list(found.index) == list(frame.index) and found.index.name == "id"
        assert shapely.equals_identical(found.geometry.to_numpy(), frame.geometry.to_numpy()).all()
        assert classes_of(again.document, "regions") == ("Tumour", "Stroma")
        again.undo()
        assert len(frame_of(again.document, "regions").geometry[first].geoms[0].interiors) == 1
    finally:
        again.close()


def test_unsaved_regions_come_back_after_a_crash(session, tmp_path):
    store = session.save(tmp_path / "s.zarr")
    drawn(session, HOLED)
    drawn(session, RIGHT, "Stroma", beside=True)
    before = state_of(session)
    session.close()
    again = Session.open_store(store)
    try:
        assert state_of(again) == before
    finally:
        again.close()


def test_a_recipe_draws_the_same_regions_again(session):
    a = drawn(session)
    drawn(session, RIGHT, "Stroma", beside=True)
    do(session, "cut-hole", region=a, outlines=[[[[5, 5], [5, 9], [9, 9]]]])
    made = recipe(session)
    with _opened() as fresh:
        assert all(step.identical for step in replay(made, fresh))
        assert state_of(fresh) == state_of(session)


def test_units_inside_are_those_whose_centre_is(session):
    everything = drawn(session, [[[[-1, -1], [-1, 60], [60, 60], [60, -1]]]])
    n = session.document.table("nuclei_table").n_obs
    corner = drawn(session, SQUARE)
    inside = units_inside(session.document, "regions", "nuclei_table")
    assert inside[everything] == n and 0 < inside[corner] < n


def test_classes_are_added_renamed_joined_and_removed(session):
    session.execute(correct(session.document, "set-colour", column="class", category="Necrosis", colour="#112233"))
    a = drawn(session)
    session.execute(correct(session.document, "rename-class", old="Tumour", new="Cancer"))
    assert frame_of(session.document, "regions").loc[a, "class"] == "Cancer"
    session.execute(correct(session.document, "rename-class", old="Cancer", new="Necrosis"))
    assert classes_of(session.document, "regions") == ("Necrosis",)
    assert class_colours(session.document, "regions")["Necrosis"] == "#112233"
    with pytest.raises(SpatialMLError, match="There are regions"):
        correct(session.document, "remove-class", class_name="Necrosis")


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("add-annotation", {"annotations": "spots", "outlines": SQUARE, "class_name": "x"}),
        ("add-annotation", {"annotations": "regions", "outlines": [], "class_name": "x"}),
        ("cut-hole", {"annotations": "regions", "region": "gone", "outlines": SQUARE}),
        ("delete-annotation", {"annotations": "regions", "regions": []}),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(session, name, arguments):
    before = state_of(session)
    with pytest.raises(SpatialMLError):
        session.execute(correct(session.document, name, **arguments))
    assert state_of(session) == before
