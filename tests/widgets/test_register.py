"""The Register dock: what it asks for, what it shows, and what the hand does with a registration."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar

import numpy as np
import pytest
from spatialdata.transformations import Identity, set_transformation

from napari_spatialml.core import Alignment, Candidate, Certainty, Trust
from napari_spatialml.core.method import Interval, method
from napari_spatialml.core.registration import Registrar
from napari_spatialml.core.report import silent
from napari_spatialml.core.transform import Affine, Chain, DisplacementField
from napari_spatialml.session import Session, correct
from napari_spatialml.session.changes import Put
from napari_spatialml.session.command import Command
from napari_spatialml.session.fields import stored
from napari_spatialml.views.pointed import Pointing
from napari_spatialml.widgets.desk import desk_of
from napari_spatialml.widgets.landmark_table import suggested
from napari_spatialml.widgets.register import RegisterDock
from napari_spatialml.widgets.register_correct import trust_message
from napari_spatialml.widgets.register_files import read_pairs, write_pairs
from napari_spatialml.widgets.workbench import Workbench
from tests.session.divided import banded

TURN = Affine(np.array([[0.0, 1.0, 10.0], [1.0, 0.0, 20.0], [0.0, 0.0, 1.0]]))


@method(title="Found at once")
class Found(Registrar):
    """Finds a turn without landmarks, and says what else it could be."""

    needs: ClassVar[frozenset[str]] = frozenset({"points"})

    warned: bool = False
    """Whether it doubts itself."""
    shift: Annotated[float, Interval(ge=0, le=100)] = 0.0
    """Added to y."""

    def __call__(self, pair, report=silent):
        """Return four candidates, where it is sure, and how far it can be believed."""
        turn = Affine.translation(self.shift, 0.0) @ TURN
        others = tuple(Candidate(Affine.rotation(a) if hasattr(Affine, "rotation") else turn, -a) for a in (1.0, 2.0))
        y, x = np.meshgrid(np.linspace(0, 200, 9), np.linspace(0, 200, 9), indexing="ij")
        places = np.stack([y.ravel(), x.ravel()], 1)
        trust = Trust(0.1, "The two sides share little. Place landmarks.") if self.warned else Trust(0.95)
        return Alignment(turn, None, (Candidate(turn, 1.0), *others), trust, Certainty(places, 1 + places[:, 1] / 50))


@pytest.fixture
def found(monkeypatch):
    """Offer the method in the dock."""
    from napari_spatialml.widgets import step

    known = step.methods
    more = {"registration": {"found": Found}}
    monkeypatch.setattr(step, "methods", lambda kind: {**known(kind), **more.get(kind, {})})
    return Found


def test_at_first_the_method_fits_the_pair(dock, desk, show):
    assert type(dock.panel.method()).__name__ == "Landmarks", "some are placed already"
    desk.correct("clear-landmarks", landmarks="msi")
    fresh = show(RegisterDock(desk.viewer))
    fresh.refresh_now()
    assert type(fresh.panel.method()).__name__ == "Images"


@pytest.mark.parametrize("genes", [True, False])
def test_two_sections_of_spots_without_an_image_are_compared_by_what_they_express(viewer, show, genes):
    sdata = banded(second=True)
    set_transformation(sdata["second_spots"], {"second": Identity()}, set_all=True)
    if not genes:
        sdata["second"].var_names = [f"other{i}" for i in range(sdata["second"].n_vars)]
    desk_of(viewer).take(Session.start(sdata))
    dock = show(RegisterDock(viewer))
    dock.refresh_now()
    assert dock.panel.method().name == ("consecutive-sections" if genes else "images")
    assert dock.panel.button.isEnabled()


@pytest.fixture
def dock(desk, show, found):
    made = show(RegisterDock(desk.viewer))
    made.refresh_now()
    return made


def alignment(desk):
    return desk.session.document.attribute("alignments", {}).get("msi", {})


def registered(dock, ran, **settings):
    dock.panel.set_method(Found(**settings))
    text = ran(dock)
    dock.refresh_now()
    return text


# what it asks for ----------------------------------------------------------------------------


def test_a_method_that_needs_no_landmarks_runs_at_once(dock, desk):
    for _ in range(len(desk.session.document.attribute("landmarks")["msi"]["fixed_um"])):
        desk.correct("delete-landmark", landmarks="msi", number=1)
    dock.refresh_now()
    assert "2 pairs of landmarks" in dock.panel.message.text() and not dock.panel.button.isEnabled()
    dock.panel.set_method(Found())
    dock.refresh_now()
    assert dock.waiting_for() == "" and dock.panel.button.isEnabled()


def test_only_what_the_method_uses_is_asked_for_and_only_what_fits_is_offered(dock):
    fields = dock.fields
    assert fields.moving_points.isHidden() and fields.moving_image.isHidden()
    dock.panel.set_method(Found())
    dock.refresh_now()
    assert not fields.moving_points.isHidden() and fields.moving_image.isHidden()
    offered = [fields.moving_points.itemData(k) for k in range(fields.moving_points.count())]
    assert offered == ["msi"]
    assert "msi" not in [fields.fixed_points.itemData(k) for k in range(fields.fixed_points.count())]
    chosen = dock.selection()
    assert (chosen.moving, chosen.fixed, chosen.moving_points) == ("msi", "global", "msi")
    assert chosen.fixed_points == "spot_counts" and chosen.moving_image == "" and not chosen.refine


def test_a_side_without_what_the_method_needs_says_so(dock, monkeypatch):
    monkeypatch.setattr(Found, "needs", frozenset({"points", "features"}))
    dock.panel.set_method(Found())
    dock.refresh_now()
    assert "no features in common" in dock.waiting_for()


def test_ions_and_tables_serve_as_images(dock, monkeypatch):
    monkeypatch.setattr(Found, "needs", frozenset({"image"}))
    dock.panel.set_method(Found())
    dock.refresh_now()
    moving, fixed = ([field.itemData(k) for k in range(field.count())] for field in (
        dock.fields.moving_image, dock.fields.fixed_image))  # fmt: skip
    assert moving == ["msi_pixels"] and fixed == ["he", "dapi", "spot_counts"]
    assert dock.waiting_for() == "" and dock.selection().moving_image == "msi_pixels"


# what came out -------------------------------------------------------------------------------


def test_a_doubtful_result_is_a_warning_with_ways_out_and_never_green(dock, desk, ran):
    registered(dock, ran, warned=True)
    line = dock.panel.message
    assert line.message.level == "warning" and "share little" in dock.hand.trust.text()
    assert set(line.buttons()) >= {"Place landmarks", "Remove"}
    line.buttons()["Remove"].click()
    assert alignment(desk) == {} and desk.session.history[-1].label.startswith("remove")


def test_a_result_that_can_be_believed_is_told_as_one(dock, ran):
    registered(dock, ran)
    assert dock.panel.message.message.level == "ok"
    assert "95 %" in dock.hand.trust.text() and dock.hand.trust.message.level == "ok"


@pytest.mark.parametrize("score", [0.0, 0.3, 0.99])
def test_a_warning_is_never_told_as_a_success(score):
    said = trust_message({"trust": {"score": score, "warning": "No overlap. Choose other sections."}})
    assert said.level == "warning" and "No overlap" in said.text


def test_a_card_lays_another_candidate_and_undo_brings_the_first_back(dock, desk, ran):
    registered(dock, ran)
    cards = [b for b in dock.hand.cards.buttons if not b.isHidden()]
    assert len(cards) == 3
    assert all(c.text().startswith("score ") and "higher is better" in c.toolTip() for c in cards)
    assert "higher is better" in dock.hand.cards.words.text()
    before = desk.session.document.affine("msi_pixels", "global").matrix
    cards[1].click()
    assert alignment(desk)["chosen"] == 1
    assert not np.allclose(desk.session.document.affine("msi_pixels", "global").matrix, before)
    desk.undo()
    assert np.allclose(desk.session.document.affine("msi_pixels", "global").matrix, before)


def test_a_field_that_is_lost_is_said_with_the_way_out(dock, desk, ran):
    """Else the canvas shows neither folds nor overlay, and the dock says that all is well."""
    registered(dock, ran)
    assert dock.hand.trust.message.level == "ok" and dock.hand.folds.isEnabled()
    field = DisplacementField((0.0, 0.0), 5.0, np.random.default_rng(0).normal(0, 0.1, (40, 40, 2)))
    values, changes = stored(desk.session.document, Chain((TURN, field)))
    assert changes, "the field lies beside the attributes, and is not taken along"
    before = desk.session.document.attribute("alignments")
    after = {**before, "msi": {**before["msi"], "transform": values}}
    desk.session.execute(Command("copy", (Put(("attrs", "alignments"), before, after),)))
    dock.refresh_now()
    message = dock.hand.trust.message
    assert message.level == "error" and "is not in this store" in message.text
    assert "register the pair again" in message.hint
    assert not dock.hand.folds.isEnabled()


def test_accepting_is_one_step_and_is_said(dock, desk, ran):
    registered(dock, ran)
    n = desk.session.position
    dock.hand.accept_button.click()
    dock.refresh_now()
    assert desk.session.position == n + 1 and alignment(desk)["accepted"]
    assert "Accepted" in dock.hand.trust.text() and not dock.hand.accept_button.isEnabled()


def test_refining_goes_on_from_how_the_sides_lie(dock, desk, ran, qtbot):
    registered(dock, ran)
    asked = []
    job = dock.panel._job
    dock.panel._job = lambda chosen: (asked.append(dock.selection()), job(chosen))[1]
    dock.hand.refine_button.click()
    qtbot.waitUntil(lambda: dock.panel.state == "idle", timeout=30_000)
    assert asked[0].refine and not dock.fields.refine.isChecked()


def test_two_registrations_are_kept_and_compared(dock, desk, ran, qtbot, tmp_path):
    kept = dock.hand.kept
    registered(dock, ran)
    kept.name.setText("first")
    kept.name.returnPressed.emit()
    registered(dock, ran, shift=30.0)
    assert [kept.names.itemData(k) for k in range(kept.names.count())] == ["first"]
    kept.run_row.button.click()
    qtbot.waitUntil(lambda: kept.report is not None, timeout=30_000)
    heads = [kept.table.horizontalHeaderItem(c).text() for c in range(kept.table.columnCount())]
    assert heads == ["", "before", "first", "now"] and kept.table.item(0, 0).text() == "landmark error, median, µm"
    assert "30.0 µm apart" in kept.said.text()
    kept.write(tmp_path / "report.csv")
    assert "landmark error, median" in (tmp_path / "report.csv").read_text()
    lay = desk.session.document.affine("msi_pixels", "global").matrix
    kept.used.emit("first")
    dock.refresh_now()
    moved = desk.session.document.affine("msi_pixels", "global").matrix - lay
    assert np.allclose(moved[:2, 2], [-30.0, 0.0]) and kept.report is None


# the map and the pins ------------------------------------------------------------------------


def test_pins_appear_where_it_is_most_and_least_certain(dock, desk, ran):
    registered(dock, ran)
    legend = next(g for g in desk.presenter.legends() if g.element == "pins")
    names = [name for name, _, _ in legend.categories]
    assert names == ["least certain", "most certain"]
    dots = desk.presenter.layer_of("pins")
    assert len(dots.data) == sum(n for _, _, n in legend.categories)


def test_the_mouse_over_a_pin_finds_what_lies_below_it(dock, desk, ran):
    registered(dock, ran)
    pins = desk.presenter.layer_of("pins")
    assert pins.visible
    for place in pins.data:
        Pointing(desk.presenter).at(np.asarray(pins.data_to_world(place))[-2:])


def test_the_expected_error_is_a_map_in_micrometres(dock, desk, ran):
    registered(dock, ran)
    dock.hand.error.click()
    legend = next(g for g in desk.presenter.legends() if g.element == "expected error")
    assert legend.unit == "µm" and 0 <= legend.low < legend.high <= 5.0
    values = np.asarray(desk.presenter.layer_of("expected error").data)
    assert np.nanmin(values) == pytest.approx(1.0) and np.nanmax(values) == pytest.approx(5.0)
    dock.hand.error.click()
    assert desk.presenter.layer_of("expected error") is None


def test_leaving_the_step_takes_its_views_away(desk, show, found, qtbot):
    bench = show(Workbench(desk.viewer))
    dock = bench.go_to("Register")
    dock.views.buttons["overlaid"].click()
    assert desk.presenter.overlay.on
    bench.go_to("Domains")
    assert not desk.presenter.overlay.on and desk.presenter.state.aligned is None


# landmarks -----------------------------------------------------------------------------------


def test_the_suggested_model_is_said_with_its_errors():
    rng = np.random.default_rng(3)
    moving = rng.uniform(0, 1000, (12, 2))
    sheared = moving @ np.array([[1.0, 0.2], [0.0, 1.1]]) + rng.normal(0, 1, (12, 2))
    said = suggested({"moving_um": moving.tolist(), "fixed_um": sheared.tolist()})
    assert said.startswith("Affine suggested: left-out error") and "(similarity)" in said
    assert suggested({"moving_um": moving[:2].tolist(), "fixed_um": sheared[:2].tolist()}) == ""


def test_a_locked_landmark_says_so_and_cannot_be_deleted(dock, desk):
    from qtpy.QtCore import Qt

    dock.table.item(1, 0).setCheckState(Qt.CheckState.Checked)
    assert desk.session.document.attribute("landmarks")["msi"]["locked"][1]
    dock.refresh_now()
    assert dock.table.rows[1].locked and not dock.table.cellWidget(1, 4).isEnabled()
    desk.undo()
    dock.refresh_now()
    assert not dock.table.rows[1].locked


def test_over_each_other_the_hand_drags_what_lies_wrong(dock, desk):
    dock.views.buttons["overlaid"].click()
    assert desk.presenter.overlay.on and desk.presenter.state.beside == ""
    dock.tools.buttons["landmark"].click()
    assert desk.presenter.tool == "landmark" and desk.presenter.state.beside == ""
    assert "Drag what lies wrong" in dock.tools.hint.text()
    dock.views.buttons["beside"].click()
    assert desk.presenter.state.beside == "msi" and "Click a place" in dock.tools.hint.text()


def test_the_overlay_follows_an_undo(dock, desk):
    dock.views.buttons["overlaid"].click()
    before = np.array(desk.presenter.overlay.layer.data[0])
    move = {"landmarks": "msi", "number": 1, "side": "fixed", "to_um": [5.0, 5.0]}
    desk.session.execute(correct(desk.session.document, "move-landmark", **move))
    dock.refresh_now()
    assert not np.allclose(desk.presenter.overlay.layer.data[0], before)
    desk.undo()
    dock.refresh_now()
    assert np.allclose(desk.presenter.overlay.layer.data[0], before)


def test_landmarks_go_to_a_file_and_come_back(dock, desk, tmp_path):
    held = desk.session.document.attribute("landmarks")["msi"]
    write_pairs(desk, tmp_path / "pairs.csv", "plain", "msi", "global")
    desk.correct("delete-landmark", landmarks="msi", number=2)
    desk.correct("clear-landmarks", landmarks="msi")
    read_pairs(desk, tmp_path / "pairs.csv", "msi", "global")
    back = desk.session.document.attribute("landmarks")["msi"]
    assert np.allclose(back["fixed_um"], held["fixed_um"]) and np.allclose(back["moving_um"], held["moving_um"])
    assert desk.session.history[-1].label.startswith("import")


def test_the_next_landmark_is_marked_on_both_sides(dock, desk, qtbot):
    dock.landmarks.go_to_next()
    qtbot.waitUntil(lambda: getattr(desk.presenter.current, "suggested", None) is not None, timeout=20_000)
    fixed, moving = desk.presenter.current.suggested
    landed = desk.presenter.landmark_fit().transform.apply([moving])[0]
    assert np.allclose(landed, fixed, atol=1e-6)
    assert len(desk.presenter.marks.lines) > 0 and "blue ring" in dock.tools.hint.text()


def test_no_field_is_wider_than_the_dock(dock, ran):
    registered(dock, ran, warned=True)
    assert dock.body.minimumSizeHint().width() <= 385
    assert replace(Found(), warned=True).warned
