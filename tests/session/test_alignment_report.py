"""The report of a registration: what got better, and where two of one pair differ."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core import Affine
from napari_spatialml.core.alignment_figures import difference, likeness_under, pictures_of
from napari_spatialml.core.registration import Side
from napari_spatialml.errors import BadInput, Cancelled
from napari_spatialml.session import RegistrationSelection, Session, correct, run
from napari_spatialml.session.alignment_report import report_of_alignments
from tests.session.sections import MARKS_UM, PLAIN, TRUTH, Marks, marks, started
from tests.session.test_aligning import LANDMARKS

IMAGES = RegistrationSelection("second", moving_image="dapi", fixed_image="he")


@pytest.fixture
def session():
    made = started()
    made.document.sdata.attrs["spatialml"]["landmarks"] = {"second": LANDMARKS}
    run(made, Marks(), IMAGES)
    yield made
    made.close()


def test_what_a_registration_made_better_stands_beside_what_was_before(session: Session) -> None:
    found = report_of_alignments(session.document, "second")()
    before, now = found.columns
    assert (before.name, now.name) == ("before", "now") and found.apart is None
    assert now.values["landmark error, median"] < 0.5 < 20 < before.values["landmark error, median"]
    assert now.values["mutual information"] > 2 * before.values["mutual information"]
    assert now.values["tissue on tissue"] > 70
    assert now.values["folded area"] == 0 and now.values["trust"] == pytest.approx(97)
    assert now.values["turned by"] == pytest.approx(25, abs=0.5) and now.values["mirrored"] == 0
    assert "landmark error, median, µm" in found.to_text()


def test_a_kept_one_is_compared_with_the_present_one(session: Session) -> None:
    session.execute(correct(session.document, "keep-alignment", moving="second", name="machine"))
    pin = {"fixed_um": [90.0, 100.0], "to_um": [90.0, 112.0], "radius_um": 60.0}
    session.execute(correct(session.document, "drag-pin", moving="second", **pin))
    found = report_of_alignments(session.document, "second", ["machine"])()
    assert [c.name for c in found.columns] == ["before", "machine", "now"]
    assert found.apart is not None and found.apart.largest_um == pytest.approx(12, rel=0.2)
    assert found.apart.median_um < 3
    near = found.apart.places[found.apart.distance_um > 6]
    assert np.abs(near - [90, 112]).max() < 40, "they differ around the pin"
    assert found.columns[2].values["largest bend"] > 8 > found.columns[1].values["largest bend"]
    told = json.loads(found.to_json())
    assert told["difference"]["first"] == "machine" and len(told["registrations"]) == 3
    table = pd.read_csv(io.StringIO(found.to_csv()), index_col=0)
    assert table.loc["landmark error, median", "machine"] < 0.5
    assert "'machine' and 'now' put the same tissue" in found.to_text()


def test_a_wrong_candidate_scores_worse(session: Session) -> None:
    session.execute(correct(session.document, "keep-alignment", moving="second", name="right"))
    session.execute(correct(session.document, "choose-candidate", moving="second", number=1))
    _, right, turned = report_of_alignments(session.document, "second", ["right"])().columns
    assert right.values["mutual information"] > 1.3 * turned.values["mutual information"]
    assert right.values["landmark error, median"] < turned.values["landmark error, median"] / 50


def test_warnings_are_in_the_report(session: Session) -> None:
    run(session, Marks(warning="Look at it first."), IMAGES)
    assert "now: Look at it first." in report_of_alignments(session.document, "second")().to_text()


def test_it_can_be_stopped_and_what_is_not_there_is_told_in_words(session: Session) -> None:
    def stop(fraction: float, message: str = "") -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        report_of_alignments(session.document, "second")(stop)
    with pytest.raises(BadInput, match="No registration is kept as 'ghost'"):
        report_of_alignments(session.document, "second", ["ghost"])
    with pytest.raises(BadInput, match="'global' is not registered"):
        report_of_alignments(session.document, "global")


@settings(max_examples=15, deadline=None)
@given(st.floats(-180, 180), st.booleans(), st.floats(-1e4, 1e4))
def test_the_frame_does_not_change_the_likeness(turn: float, mirrored: bool, far: float) -> None:
    """Moving both sections together moves nothing between them."""
    image = marks(PLAIN, MARKS_UM)
    side = Side(image=image, pixel_size_um=2.0)
    here = likeness_under(pictures_of(side, side), Affine.identity())
    there = likeness_under(pictures_of(side, side, (far, 7.0), (0.0, -far)), Affine.translation(far, 7.0 + far))
    assert there.information_bits == pytest.approx(here.information_bits, abs=0.05)
    turned = likeness_under(pictures_of(side, side), Affine.similarity(1, turn, (40.0, 30.0), mirrored))
    assert turned.information_bits <= here.information_bits + 0.02, "nothing is more alike than the image itself"


def test_two_shifts_differ_by_their_difference() -> None:
    found = difference(TRUTH, Affine.translation(3, 4) @ TRUTH, MARKS_UM)
    assert np.allclose(found.distance_um, 5) and found.p95_um == pytest.approx(5)
