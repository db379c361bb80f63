"""Laws of what is made ready before the first stroke: all is there, made once, and the document is as it was."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest

from napari_spatialml.errors import Cancelled
from napari_spatialml.session import domain_cache, refit_domains_now
from napari_spatialml.session.domain_cache import stages
from napari_spatialml.session.warming_domains import warm_domains

from .conftest import state_of
from .divided import MIXTURE, TABLE, divided, do

warnings.simplefilter("ignore")


@pytest.fixture
def section():
    made = divided()
    domain_cache._STAGES.clear()  # as after it was opened again
    yield made
    made.close()


def test_a_stroke_on_a_section_that_was_opened_again_finds_all_ready(section, monkeypatch):
    before, steps = state_of(section), section.position
    warm_domains(section.document, TABLE)()
    assert state_of(section) == before and section.position == steps

    def fail(*_args, **_more):
        raise AssertionError("this was to be ready")

    from napari_spatialml.core.domain_kernels import ask_neighbours

    compiled = list(ask_neighbours.signatures)
    for stage in ("embedded", "smoothed"):
        monkeypatch.setattr(MIXTURE, stage, fail)
    monkeypatch.setattr("napari_spatialml.session.domain_maps.tissue_graph", fail)
    do(section, "stroke-domain", rows=[0, 1, 2], domain="D2")
    assert refit_domains_now(section, TABLE)
    assert list(ask_neighbours.signatures) == compiled


def test_two_threads_that_need_a_stage_make_it_once_and_one_that_is_stopped_leaves_it_to_the_other(
    section, monkeypatch
):
    from napari_spatialml.session.domain_maps import held_map
    from napari_spatialml.session.domain_refit import as_made

    chosen, selection = as_made(section.document, held_map(section.document, TABLE))
    made, begun, go_on = [], threading.Event(), threading.Event()
    real = MIXTURE.embedded

    def slow(self, cells, report):
        made.append(1)
        begun.set()
        assert go_on.wait(10)
        report(0.5)
        return real(self, cells)

    monkeypatch.setattr(MIXTURE, "embedded", slow)
    found: dict[str, object] = {}

    def stopped(_fraction, _message=""):
        if go_on.is_set() and stop:
            raise Cancelled

    def first():
        try:
            found["first"] = stages(section.document, chosen, selection, stopped)
        except Cancelled:
            found["first"] = None

    for stop, times in ((False, 1), (True, 2)):
        domain_cache._STAGES.clear()
        made.clear()
        begun.clear()
        go_on.clear()
        one = threading.Thread(target=first)
        other = threading.Thread(target=lambda: found.__setitem__("other", stages(section.document, chosen, selection)))
        one.start()
        assert begun.wait(10)
        other.start()
        go_on.set()
        one.join(10)
        other.join(10)
        assert len(made) == times and not domain_cache._MAKING
        assert (found["first"] is None) == stop
        assert np.isfinite(found["other"].values).all()
