"""The Register dock: bring what lies in one coordinate system onto another, and correct it by hand."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..errors import BadInput
from ..methods import methods
from ..session import RegistrationSelection, Selection
from ..session.alignment_report import report_of_alignments
from ..views.alignment_now import certainty_of, held_alignment, why_unreadable
from ..views.state import Aligned
from .messages import Message
from .register_correct import CorrectRegistration
from .register_inputs import RegisterInputs, way_to_compare
from .register_landmarks import LandmarkPanel
from .register_scene import RegisterScene
from .register_views import RegisterViews
from .step import MethodStep
from .style import SPACING

__all__ = ["RegisterDock"]

_FEWEST = 2


class RegisterDock(MethodStep):
    """Register one coordinate system onto another."""

    kind = "registration"
    title = "Register"
    sentence = "Bring what lies in one coordinate system onto another, and correct it by hand."

    def make_inputs(self) -> QWidget:
        """Make the fields for the two sides, the views, and the landmarks."""
        self._suited = ("", "")
        self.fields = RegisterInputs(self._follow_sides)
        self.moving, self.fixed = self.fields.moving, self.fields.fixed
        self.scene = RegisterScene(self.desk, self)
        self.views = RegisterViews()
        self.views.view_wanted.connect(self._look)
        self.views.compared.connect(self.scene.compare)
        self.views.opacity_wanted.connect(self.scene.mix)
        self.scene.changed.connect(self._on_view)
        self.landmarks = LandmarkPanel(self.desk, self.scene, self._landmark_options)
        self.landmarks.looked.connect(self._draw)
        self.table, self.summary, self.tools = self.landmarks.table, self.landmarks.summary, self.landmarks.tools
        self.desk.tool_changed.connect(self._on_tool)
        self._inputs = QWidget()
        layout = QVBoxLayout(self._inputs)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (self.fields, self.views, self.landmarks):
            layout.addWidget(part)
        return self._inputs

    def make_correct(self) -> QWidget:
        """Make the hand's tools for a registration that is there."""
        self.hand = CorrectRegistration(self.desk, self._pin_options, self._report)
        self.hand.act.connect(self._act)
        self.hand.looked.connect(self._draw)
        self.hand.cards.chosen.connect(self._choose)
        kept = self.hand.kept
        kept.kept.connect(lambda name: self.desk.correct("keep-alignment", moving=self._moving, name=name))
        kept.used.connect(lambda name: self.desk.correct("use-alignment", name=name))
        kept.forgotten.connect(lambda name: self.desk.correct("forget-alignment", name=name))
        kept.swiped.connect(self.scene.compare_kept)
        self._reported: dict[str, Any] = {}
        return self.hand

    def make(self) -> QWidget:
        """Make the panel; another model judges the landmarks anew."""
        panel = super().make()
        self.panel.method_changed.connect(self.mark_stale)
        self.panel.finished.connect(self._tell_trust)
        return panel

    def fill(self) -> None:
        """Offer what the document holds, judge the landmarks, and show what is known of the registration."""
        document = self.session.document
        self.fields.fill(document, self._method_class())
        if self._suit_method():
            self.fields.fill(document, self._method_class())
        method = self._method_class()
        scene, chosen = self.scene, self.fields.selection()
        before = (scene.moving, scene.fixed)
        scene.moving, scene.fixed = chosen.moving, chosen.fixed
        scene.moving_image, scene.fixed_image = chosen.moving_image, chosen.fixed_image
        needed = method is not None and "landmarks" in method.needs
        self.landmarks.fill(self._moving, self._landmarks(), self._model(), needed=needed)
        scene.model = self._model()
        self._inputs.setEnabled(bool(self._moving))
        self._fill_hand()
        self._draw()
        if before != (scene.moving, scene.fixed) and scene.moving:
            self.hand.suit_radius(document, scene.fixed)
            if scene.view:
                scene.go(scene.view)
        scene.follow()
        self._on_view()

    def waiting_for(self) -> str:
        """Return what is missing for the chosen method."""
        if not self._moving:
            return (
                "Everything lies in one coordinate system, so there is nothing to register. "
                "To bring two files together, choose both in Open files…"
            )
        method = self._method_class()
        if method is None:
            return ""
        missing = _FEWEST - len(self._landmarks().get("fixed_um", []))
        if "landmarks" in method.needs and missing > 0:
            pairs = "1 more pair" if missing == 1 else f"{missing} pairs"
            return f"Place {pairs} of landmarks: press Place landmarks."
        return self.fields.missing(method)

    def selection(self) -> Selection:
        """Return the two sides, and what is compared of each."""
        chosen: RegistrationSelection = self.fields.selection()
        if chosen.moving == chosen.fixed:
            raise BadInput("Both sides are the same coordinate system.", "Choose two different ones.")
        return chosen

    def show_result(self, selection: Selection) -> None:
        """Show both sides on top of each other."""
        self.landmarks.tools.put_down()
        self.hand.tools.put_down()
        self.fields.refine.setChecked(False)
        self.scene.go("overlaid")
        self._draw()

    def show_beside(self, beside: bool) -> None:
        """Show the two sides side by side, or overlaid in the fixed frame."""
        self.scene.go("beside" if beside else "overlaid")

    def leave(self) -> None:
        """Take the views of this step off the canvas."""
        presenter = self.desk.presenter
        shown = presenter is not None and (presenter.state.beside or self.scene.view)
        self.scene.leave()
        if shown and presenter is not None:
            presenter.fit()

    # what is chosen ------------------------------------------------------------------------------

    @property
    def _moving(self) -> str:
        return str(self.moving.currentData() or "")

    def _method_class(self) -> type[Any] | None:
        return type(self.panel.form.value()) if self._valid() else None

    def _valid(self) -> bool:
        try:
            return self.panel.form is not None and self.panel.form.value() is not None
        except BadInput:
            return False

    def _landmarks(self) -> dict[str, Any]:
        return dict(self.session.document.attribute("landmarks", {}).get(self._moving, {}))

    def _model(self) -> str:
        try:
            return str(getattr(self.panel.method(), "model", "auto"))
        except BadInput:
            return "auto"

    def _landmark_options(self, tool: str) -> dict[str, Any]:
        scene = self.scene
        view = scene.view if scene.view in ("overlaid", "edges") else "beside"
        if view != scene.view or view != "beside":
            scene.go(view, live=True, fit=view != scene.view)
        return self.scene.landmark_options(self.landmarks.snap.isChecked())

    def _pin_options(self, tool: str) -> dict[str, Any]:
        view = self.scene.view if self.scene.view in ("overlaid", "edges") else "overlaid"
        if self.desk.presenter is not None and self.desk.presenter.tool != "pin":
            self.scene.go(view, live=True, fit=view != self.scene.view)
        return {"moving": self._moving, "radius_um": self.hand.radius.value()}

    # what the hand does --------------------------------------------------------------------------

    def _act(self, what: str) -> None:
        acts = {
            "accept": lambda: self.desk.correct("accept-alignment", moving=self._moving),
            "remove": self._remove,
            "refine": self._refine,
        }
        acts[what]()

    def _remove(self) -> None:
        self.hand.tools.put_down()
        if self.desk.correct("remove-alignment", moving=self._moving):
            self.scene.go("beside")

    def _refine(self) -> None:
        self.refresh_now()
        self.fields.refine.setChecked(True)
        self.panel.run()

    def _choose(self, number: int) -> None:
        if self.desk.correct("choose-candidate", moving=self._moving, number=number):
            self.scene.go(self.scene.view if self.scene.view == "edges" else "overlaid", fit=False)
        self.mark_stale()

    def _suit_method(self) -> bool:
        """Choose at first what fits the pair: landmarks where some are placed, else images, else what is expressed."""
        document = self.session.document
        pair = (str(self.moving.currentData() or ""), str(self.fixed.currentData() or ""))
        if pair == self._suited or not pair[0]:
            return False
        self._suited = pair
        placed = len(document.attribute("landmarks", {}).get(pair[0], {}).get("fixed_um", ()))
        known = methods(self.kind)
        wanted = "landmarks" if placed >= _FEWEST else way_to_compare(document, *pair)
        self.panel.set_method(known.get(wanted, known["landmarks"])())
        return True

    def _look(self, view: str) -> None:
        self.scene.go(view)
        self._draw()

    # what is shown -------------------------------------------------------------------------------

    def _follow_sides(self) -> None:
        if self.desk.session is not None:
            self.refresh_now()

    def _on_view(self) -> None:
        state = self.desk.presenter.state if self.desk.presenter is not None else None
        view = "beside" if state is not None and state.beside else self.scene.view
        self.views.follow(view, self.scene.way)

    def _on_tool(self, tool: str) -> None:
        """Let the moving side follow the hand while a tool is in it, and show the document when it is put down."""
        scene = self.scene
        if not tool and scene.view in ("overlaid", "edges") and not scene.way and self.isVisible():
            scene.go(scene.view, fit=False)
        self._draw()

    def _draw(self) -> None:
        """Draw the map, the folds and the pins that are asked for."""
        presenter = self.desk.presenter
        if presenter is None or self.desk.session is None or not self.isVisible() or not self._moving:
            return
        held = held_alignment(self.session.document, self._moving)
        over = self.scene.view in ("overlaid", "edges")
        result = self.hand.error.isChecked() and not self.hand.error.isHidden()
        marks = self.landmarks.error.isChecked() and not self.landmarks.error.isHidden()
        error = "result" if result and held else "landmarks" if marks else ""
        pins = bool(held) and over and presenter.tool != "landmark"
        folds = bool(held) and over and self.hand.folds.isChecked()
        tissue = next(iter(self.scene.fixed_elements()), "") if error == "landmarks" else ""
        self.scene.draw(Aligned(self._moving, error, pins, folds, tissue) if error or pins or folds else None)

    def _fill_hand(self) -> None:
        held = held_alignment(self.session.document, self._moving)
        held = held if held.get("fixed") == self.fixed.currentData() else {}
        document, method = self.session.document, self._method_class()
        certain = bool(held) and certainty_of(document, self._moving) is not None
        refinable = method is not None and not self.waiting_for() and "landmarks" not in method.needs
        unreadable = why_unreadable(document, held)
        self.hand.fill(held, certain=certain, refinable=refinable, unreadable=unreadable)
        self.hand.kept.fill(self._kept_names())
        if held != self._reported:
            self._reported = held
            self.hand.kept.forget_report()
        self.panel._correct_heading.setVisible(bool(held))
        below, above = next(iter(self.scene.fixed_elements()), ""), self.scene.picture_element()
        self.hand.draw_cards(document, held, (below, self.scene.fixed), (above, self._moving))

    def _kept_names(self) -> list[str]:
        """Return the names of the registrations that are kept of this pair."""
        known = self.session.document.attribute("alignments_kept", {})
        pair = (self._moving, self.scene.fixed)
        return [name for name, entry in known.items() if (entry.get("moving"), entry.get("fixed")) == pair]

    def _report(self) -> Any:
        images = self.fields.selection()
        return report_of_alignments(
            self.session.document, self._moving, self._kept_names(),
            fixed_image=images.fixed_image, moving_image=images.moving_image,
        )  # fmt: skip

    def _tell_trust(self, _result: Any = None) -> None:
        """Tell a doubtful result as a warning, with the ways out."""
        trust = held_alignment(self.session.document, self._moving).get("trust") or {}
        warning = str(trust.get("warning") or "").strip()
        line = self.panel.message.message
        if not warning or line is None:
            return
        ways = {"Place landmarks": lambda: self.landmarks.tools.buttons["landmark"].click(), "Remove": self._remove}
        self.panel.message.show_message(Message("warning", line.text), ways)
