"""The Register dock: bring what lies in one coordinate system onto another, by landmarks."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ..errors import BadInput
from ..session import GLOBAL, RegistrationSelection, Selection
from .hand import HandTools
from .landmark_table import LandmarkTable, judged
from .step import MethodStep, choose
from .style import SPACING, Quiet, Rows

__all__ = ["RegisterDock"]

_TOOLS = (("landmark", "Place landmarks", "Click a place on one side, then the same place on the other.",
           "Shift+L"),)  # fmt: skip
_FEWEST = 2


class RegisterDock(MethodStep):
    """Register one coordinate system onto another."""

    kind = "registration"
    title = "Register"
    sentence = "Bring what lies in one coordinate system onto another, by places that are the same in both."

    def make_inputs(self) -> QWidget:
        """Make the fields for the two sides, and the landmarks: they are what the method runs on."""
        self.moving, self.fixed = QComboBox(), QComboBox()
        self.moving.currentIndexChanged.connect(lambda _i: self._follow_sides())
        self.fixed.currentIndexChanged.connect(lambda _i: self._follow_sides())
        rows = Rows()
        rows.add("Moving", self.moving, "What is brought onto the fixed side.")
        rows.add("Fixed", self.fixed, "What stays where it is.")
        self.table = LandmarkTable()
        self.table.visited.connect(self._visit)
        self.table.deleted.connect(self._delete)
        self.tools = HandTools(self.desk, _TOOLS, self._options)
        self.summary = Quiet()
        self._inputs = QWidget()
        layout = QVBoxLayout(self._inputs)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (rows, self._view_buttons(), self.tools, self.table, self.summary):
            layout.addWidget(part)
        return self._inputs

    def make(self) -> QWidget:
        """Make the panel; another model judges the landmarks anew."""
        panel = super().make()
        self.panel.method_changed.connect(self.mark_stale)
        return panel

    def fill(self) -> None:
        """Offer the coordinate systems, and judge the landmarks."""
        systems = self.session.document.coordinate_systems()
        choose(self.fixed, systems, GLOBAL)
        others = [s for s in systems if s != self.fixed.currentData()]
        choose(self.moving, others)
        landmarks = self._landmarks()
        rows, model = judged(landmarks, self._model())
        self.table.set_rows(rows)
        self.summary.setText(_summary(rows, model))
        self._inputs.setEnabled(len(others) > 0)
        state = self.desk.presenter.state if self.desk.presenter is not None else None
        beside = bool(state is not None and state.beside)
        for button, down in ((self.side_by_side, beside), (self.overlaid, not beside)):
            button.setChecked(down)

    def waiting_for(self) -> str:
        """Return what is missing."""
        if not self.moving.currentData():
            return (
                "Everything lies in one coordinate system, so there is nothing to register. "
                "To bring two files together, choose both in Open files…"
            )
        missing = _FEWEST - len(self._landmarks().get("fixed_um", []))
        if missing > 0:
            pairs = "1 more pair" if missing == 1 else f"{missing} pairs"
            return f"Place {pairs} of landmarks: press Place landmarks."
        return ""

    def selection(self) -> Selection:
        """Return the two sides."""
        if self.moving.currentData() == self.fixed.currentData():
            raise BadInput("Both sides are the same coordinate system.", "Choose two different ones.")
        return RegistrationSelection(str(self.moving.currentData()), str(self.fixed.currentData()))

    def show_result(self, selection: Selection) -> None:
        """Show both sides on top of each other."""
        self.tools.put_down()
        self.show_beside(False)

    def show_beside(self, beside: bool) -> None:
        """Show the two sides side by side, or overlaid in the fixed frame."""
        presenter, moving, fixed = self.desk.presenter, self.moving.currentData(), self.fixed.currentData()
        if presenter is None or not moving or not fixed:
            return
        moved = self._moved(moving, fixed, original=beside)
        below = [n for n in self.desk.images_in(fixed) if n not in moved][:1] or self._only_in(fixed, moving)
        if not beside and not any(fixed in self.session.document.placed(n) for n in moved):
            below = self._only_in(fixed, moving)
        presenter.show(
            coordinate_system=fixed,
            beside=moving if beside else "",
            landmarks=moving if beside else "",
            shown=tuple(dict.fromkeys([*below, *moved])),
        )
        for spec, layer in presenter.canvas.layers():
            if spec.key.element in moved and not spec.key.beside:
                # on the fixed side what was moved would cover the places to click
                layer.visible = not beside
                layer.opacity = min(layer.opacity, 0.6)
        presenter.fit()

    def _moved(self, moving: str, fixed: str, *, original: bool) -> list[str]:
        """Return what lies in the moving system; overlaid, a warped copy instead of its original."""
        document = self.session.document
        warped = document.attribute("warped_from", {})
        names = [n for t in ("images", "labels", "shapes") for n in document.names(t)]
        mine = [n for n in names if moving in document.placed(warped.get(n, n))]
        if original:
            return [n for n in mine if n not in warped]
        return [n for n in mine if n not in warped.values()]

    def _only_in(self, system: str, other: str) -> list[str]:
        document = self.session.document
        names = [n for t in ("images", "labels", "shapes") for n in document.names(t)]
        return [n for n in names if system in document.placed(n) and other not in document.placed(n)]

    def _view_buttons(self) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.side_by_side, self.overlaid = QPushButton("Side by side"), QPushButton("Overlaid")
        for button, beside, help in (
            (self.side_by_side, True, "Draw the moving side to the right of the fixed one, to place landmarks."),
            (self.overlaid, False, "Draw both in the fixed frame, to see how well they match."),
        ):
            button.setCheckable(True)
            button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            button.setToolTip(help)
            button.setStyleSheet("QPushButton { padding: 3px 8px; }")
            button.clicked.connect(lambda _checked=False, b=beside: self.show_beside(b))
            layout.addWidget(button)
        layout.addStretch(1)
        return row

    def _follow_sides(self) -> None:
        if self.desk.session is not None:
            self.refresh_now()

    def _landmarks(self) -> dict[str, Any]:
        sets = self.session.document.attribute("landmarks", {})
        return dict(sets.get(str(self.moving.currentData() or ""), {}))

    def _model(self) -> str:
        try:
            return str(getattr(self.panel.method(), "model", "auto"))
        except BadInput:
            return "auto"

    def _options(self, tool: str) -> dict[str, Any]:
        if self.desk.presenter is not None and not self.desk.presenter.state.beside:
            self.show_beside(True)
        return {"landmarks": str(self.moving.currentData() or "")}

    def _visit(self, number: int) -> None:
        presenter, held = self.desk.presenter, self._landmarks()
        if presenter is not None and 1 <= number <= len(held.get("fixed_um", [])):
            y, x = np.asarray(held["fixed_um"][number - 1], dtype=float)
            self.desk.look_at(float(y), float(x))

    def _delete(self, number: int) -> None:
        self.desk.correct("delete-landmark", landmarks=str(self.moving.currentData()), number=number)


def _summary(rows: list[Any], model: str) -> str:
    if not rows:
        return "No landmarks yet: 2 pairs turn, scale and shift; 3 or more also shear or bend."
    known = [row.residual for row in rows if row.residual is not None]
    n = f"{len(rows)} landmark{'s' if len(rows) != 1 else ''}"
    if not known:
        return f"{n}."
    left = [row.left_out for row in rows if row.left_out is not None and np.isfinite(row.left_out)]
    line = f"{n} ({model}): median residual {np.median(known):.1f} µm"
    return line + (f", left out in turn {np.median(left):.1f} µm." if left else ".")
