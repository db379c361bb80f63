"""Pins over a registration: where they are offered, what a drag does, and what is drawn of it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatialml.core import Alignment, Certainty
from napari_spatialml.core.transform import Affine, transform_from_dict
from napari_spatialml.session import RegistrationSelection
from napari_spatialml.session.aligning import stored_alignment
from napari_spatialml.session.command import Command
from napari_spatialml.views.alignment_now import held_alignment
from napari_spatialml.views.alignment_specs import offered_pins, pins_of
from napari_spatialml.views.error_map import spread
from napari_spatialml.views.state import Aligned

LAID = Affine(np.array([[0.0, -0.05, 40.0], [0.4, 0.0, -10.0], [0.0, 0.0, 1.0]]))


@pytest.fixture
def registered(presenter):
    """A registration that is unsure to the right."""
    y, x = np.meshgrid(np.linspace(0, 30, 7), np.linspace(0, 25, 6), indexing="ij")
    places = np.stack([y.ravel(), x.ravel()], 1)
    found = Alignment(LAID, certainty=Certainty(places, 1 + places[:, 1]))
    changes, label = stored_alignment(presenter.document, RegistrationSelection("msi"), found)
    presenter.session.execute(Command(label, tuple(changes)))
    presenter.show(aligned=Aligned("msi", pins=True))
    return presenter


def transform(presenter):
    return transform_from_dict(held_alignment(presenter.document, "msi")["transform"])


def test_pins_are_offered_where_it_is_sure_and_where_it_is_not(registered):
    where, sure = offered_pins(registered.document, "msi", registered.memory)
    assert sure.any() and (~sure).any()
    assert where[~sure][:, 1].min() > where[sure][:, 1].max()
    assert len(registered.layer_of("pins").data) == len(where)


def test_a_drag_moves_what_lay_there_and_nothing_beyond_the_radius(registered, mouse):
    before = transform(registered)
    registered.use("pin", moving="msi", radius_um=6.0)
    start = np.array([12.0, 12.0])
    mouse.drag(start, (12.5, 12.5), (13.0, 13.5))
    own, far = (before.inverse().apply([p]) for p in (start, (25.0, 22.0)))
    assert np.allclose(transform(registered).apply(own), [[13.0, 13.5]], atol=1e-3)
    assert np.allclose(transform(registered).apply(far), before.apply(far), atol=1e-6)
    assert np.allclose(pins_of(registered.document, "msi"), [[13.0, 13.5]])
    registered.undo()
    assert not len(pins_of(registered.document, "msi"))
    assert np.allclose(transform(registered).apply(own), [start])


def test_while_it_is_dragged_the_overlay_lies_as_it_will(registered, mouse):
    registered.overlay.show("pixels", "msi", LAID)
    registered.use("pin", moving="msi", radius_um=6.0)
    mouse.press((12.0, 12.0))
    mouse.move((13.0, 13.5))
    during = registered.overlay.transform
    mouse.release((13.0, 13.5))
    places = np.random.default_rng(0).uniform([40, 350], [60, 400], (30, 2))
    assert np.allclose(during.apply(places), transform(registered).apply(places), atol=1e-6)


def test_a_pin_is_moved_and_taken_out_again(registered, mouse):
    registered.use("pin", moving="msi", radius_um=6.0)
    mouse.drag((12.0, 12.0), (13.0, 13.0))
    mouse.drag((13.0, 13.0), (14.0, 12.0))
    assert np.allclose(pins_of(registered.document, "msi"), [[14.0, 12.0]])
    mouse.hover((14.0, 12.0))
    registered.delete()
    assert not len(pins_of(registered.document, "msi"))
    labels = [entry.label for entry in registered.session.history]
    assert len(labels) == 4 and labels[-1].startswith("delete pin")


def test_the_tool_needs_a_registration(presenter):
    presenter.use("pin", moving="msi")
    assert presenter.tool == "" and "not registered" in presenter.said[-1][1]


def test_undoing_the_registration_puts_the_tool_down(registered):
    registered.use("pin", moving="msi")
    registered.undo()
    assert registered.tool == "" and registered.layer_of("pins") is None


def test_the_map_of_the_error_is_the_error_at_its_places():
    y, x = np.meshgrid(np.linspace(100, 400, 16), np.linspace(50, 250, 11), indexing="ij")
    places = np.stack([y.ravel(), x.ravel()], 1)
    error = 2 + places[:, 0] / 100
    found = spread(Certainty(places, error))
    at = np.round((places - found.origin_um) / found.pixel_um).astype(int)
    inside = (at < found.values.shape).all(1)
    assert np.allclose(found.values[tuple(at[inside].T)], error[inside], atol=0.02)
    assert found.limits[0] >= 0 and spread(Certainty(places[:1], error[:1])) is None
