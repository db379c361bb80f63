"""What is read before the first layer serves it, and never takes the place of what is in use."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pint
import pytest
from pint.registry import LazyRegistry

from napari_spatialml.views.first_layer import read_for_first_layer


@pytest.fixture
def unread(monkeypatch):
    """Give pint a registry that nobody has used yet, for this test."""
    held = LazyRegistry()
    monkeypatch.setattr(pint.application_registry, "_registry", held)
    return held


def in_a_thread():
    made = []
    thread = threading.Thread(target=lambda: made.append(read_for_first_layer()))
    thread.start()
    thread.join()
    return made[0]


def test_the_first_layer_finds_its_units_read(unread):
    from napari.layers import Points

    give = in_a_thread()
    assert pint.get_application_registry().get() is unread, "nothing is handed over before the window's turn"
    give()
    held = pint.get_application_registry().get()
    assert type(held) is pint.UnitRegistry and "distributed" in sys.modules
    layer = Points(np.zeros((1, 2)), units=("um", "um"))
    assert all(unit == held.micrometer for unit in layer.units)
    assert pint.get_application_registry().get() is held
    assert type(unread) is LazyRegistry, "the one that was replaced was never read"


def test_units_that_were_used_meanwhile_stay(unread):
    give = in_a_thread()
    micrometre = pint.get_application_registry().micrometer
    give()
    assert pint.get_application_registry().get() is unread
    assert pint.get_application_registry().micrometer == micrometre


def test_units_in_use_are_not_read_again(unread):
    micrometre = pint.get_application_registry().micrometer
    in_a_thread()()
    assert pint.get_application_registry().micrometer == micrometre


def test_the_first_colours_find_their_kernel_loaded():
    from napari_spatialml.core.lookup_kernels import spread

    in_a_thread()
    kinds = [tuple(str(t) for t in signature) for signature in spread.signatures]
    assert any("uint8" in kind[0] and "int32" in kind[1] for kind in kinds)
