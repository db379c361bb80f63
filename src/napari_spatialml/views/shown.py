"""What a viewer shows of a session's document, and how: the state of the view becomes layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from psygnal import Signal

from ..core.transform import Affine
from ..errors import BadInput
from ..session import Document, Session
from .canvas import Canvas
from .choices import choices_of, colour_of, title_of
from .landmark_fit import LandmarkFit, landmark_fit
from .looking_scene import arrangement
from .memory import Memory
from .pie_specs import draw_pies
from .pies import Pies
from .places import extent_of_system
from .plan import legends, offset_of, plan
from .state import ColourBy, Legend, ViewState
from .tools import Place
from .transcripts import see_all
from .type_layers import require_few

__all__ = ["Shown"]


class Shown:
    """Keeps the layers of a viewer as the state of the view says.

    Parameters
    ----------
    viewer
        A napari viewer or its model.
    session
        The session.
    """

    state_changed: ClassVar[Signal] = Signal()
    """Emitted when what is shown, or how, has changed."""
    told: ClassVar[Signal] = Signal(str, str)
    """Emitted with a level ("info", "ok", "warning" or "error") and a sentence for the person."""

    def __init__(self, viewer: Any, session: Session) -> None:
        self.viewer, self.session = viewer, session
        self.state, self.canvas, self.memory = ViewState(), Canvas(viewer), Memory()
        self._shown = False

    def tell(self, level: str, sentence: str) -> None:
        """Say something to the person."""
        self.told.emit(level, sentence)

    @property
    def document(self) -> Document:
        """The document."""
        return self.session.document

    def show(self, **changes: Any) -> None:
        """Replace fields of the state, and show the document so. The first time, fit the view.

        Parameters
        ----------
        **changes
            Fields of `ViewState`.
        """
        before, self.state = self.state, replace(self.state, **changes)
        if self.state.beside == self.state.coordinate_system:
            self.state = replace(self.state, beside="")
        self._refresh(again=True)
        if not self._shown:
            self._first_shown()
        elif arrangement(before) != arrangement(self.state):
            self.fit()
        self.state_changed.emit()

    def colour_by(self, element: str, colour: ColourBy | None) -> None:
        """Colour an element by a column or a feature; None shows it plain."""
        self.show(colours={**self.state.colours, element: colour})

    def colour_of(self, element: str) -> ColourBy | None:
        """Return what an element is coloured by now."""
        return colour_of(self.document, self.state, element)

    def show_pies(
        self, element: str, table: str, output: str = "proportions", mode: str | None = "pies", ring: bool = True
    ) -> None:
        """Draw the proportions of an element's spots; any other colour takes their place.

        Parameters
        ----------
        element, table, output
            The spots, a table that annotates them, and the proportions in its ``obsm``.
        mode
            "pies", "bars" or "dominant"; None for plain discs in the colours of the dominant types.
        ring
            Whether a ring says how unsure the proportions of each spot are.
        """
        made = Pies(table, output, mode or "dominant", ring)
        others = {name: pies for name, pies in self.state.pies.items() if name != element}
        pies = {**others, element: made} if mode else others
        self.show(pies=pies, colours={**self.state.colours, element: made.colour})

    def show_types(self, element: str, table: str = "", output: str = "proportions") -> None:
        """Give each type of an element's proportions a layer of its own, hidden at first; without a table, none.

        Raises
        ------
        BadInput
            When the element is made of neither spots nor bins, or there are too many.
        """
        if table:
            require_few(self.document, element, table, output)
        others = {name: of for name, of in self.state.by_type.items() if name != element}
        self.show(by_type={**others, element: (table, output)} if table else others)

    def show_stroke(self, table: str = "", column: str = "domain", number: int = -1) -> None:
        """Outline one stroke of the hand on a map of domains beside the others; without a table, none."""
        self.show(stroke=(table, column, number) if table and number >= 0 else None)

    def fade_unsure(self, element: str, on: bool = True) -> None:
        """Draw an element's domains the paler the less sure the map is."""
        self.show(faded=self.state.faded | {element} if on else self.state.faded - {element})

    def hide_categories(self, element: str, names: frozenset[str]) -> None:
        """Leave categories of an element undrawn."""
        self.show(hidden_categories={**self.state.hidden_categories, element: frozenset(names)})

    def choices(self, element: str) -> tuple[ColourBy, ...]:
        """Return everything an element can be coloured by, features last."""
        return choices_of(self.document, element)

    def title_of(self, colour: ColourBy) -> str:
        """Return what the legend calls a colour."""
        return title_of(self.document, colour)

    def legends(self) -> tuple[Legend, ...]:
        """Return what the colours on the canvas mean."""
        return legends(self.document, self.state, self.memory)

    def landmark_fit(self, landmarks: str = "") -> LandmarkFit:
        """Return how far the current fit misses each landmark of a set."""
        return landmark_fit(self.document, landmarks or self.state.landmarks, self.state.model)

    def fit(self) -> None:
        """Move the camera so that the whole section is in view."""
        if len(self.viewer.layers):
            self.viewer.fit_to_view(margin=0.04)
            see_all(self.viewer, self.canvas)

    def layer_of(self, element: str) -> Any:
        """Return the layer by which an element is known, or None."""
        return self.canvas.layer_of(element)

    def element_of(self, layer: Any) -> str:
        """Return the element that a layer shows, or ""."""
        return self.canvas.element_of(layer)

    @property
    def offset(self) -> tuple[float, float]:
        """The shift (y, x) in µm of the coordinate system that is drawn beside the first."""
        return offset_of(self.document, self.state, self.memory)

    @property
    def boundary(self) -> float:
        """The x in µm that divides the two coordinate systems on the canvas; infinite without a second."""
        if not self.state.beside:
            return float("inf")
        right = extent_of_system(self.document, self.state.coordinate_system)[1, 1]
        left = extent_of_system(self.document, self.state.beside)[0, 1] + self.offset[1]
        return float(right + left) / 2

    def place_of(self, element: str) -> Place:
        """Return where an element is drawn.

        Raises
        ------
        BadInput
            When it is not in view.
        """
        placed = self.document.placed(element)
        for system, offset in ((self.state.coordinate_system, (0.0, 0.0)), (self.state.beside, self.offset)):
            if system and system in placed:
                affine = Affine.translation(*offset) @ self.document.affine(element, system)
                return Place(element, system, offset, affine)
        raise BadInput(
            f"'{element}' does not lie in '{self.state.coordinate_system}'.", f"Show the system {', '.join(placed)}."
        )

    def _first_shown(self) -> None:
        self._shown = True
        self.viewer.canvas.overlays["scale_bar"].visible = True
        self.fit()

    def _refresh(self, *, again: bool) -> None:
        told = dict(self.memory.problems)
        self.canvas.apply(plan(self.document, self.state, self.memory), again=again)
        draw_pies(self.viewer, self.canvas)
        for element, sentence in self.memory.problems.items():
            if told.get(element) != sentence:
                self.tell("warning", sentence)
