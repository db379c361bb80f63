"""What a tool is: it takes presses, moves and releases in µm and ends each gesture in one command."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..core.transform import Affine
from ..session import Document
from .canvas import Canvas
from .hand import Hand
from .marks import Marks
from .memory import Memory
from .overlay import Overlay
from .selected import SelectedRows
from .state import ViewState

__all__ = ["Place", "Pointer", "Stage", "Tool"]

Point = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pointer:
    """Where the mouse is.

    Parameters
    ----------
    um
        (y, x) in µm of the canvas.
    modifiers
        Keys held: "Shift", "Alt", "Control".
    button
        1 left, 2 right, 3 middle; of a move without a button, 0 or 1.
    """

    um: Point
    modifiers: Collection[str] = ()
    button: int = 1


@dataclass(frozen=True, eq=False)
class Place:
    """Where an element is drawn.

    Parameters
    ----------
    element
        The element.
    system
        Its coordinate system.
    offset
        (y, x) in µm by which the coordinate system is shifted on the canvas.
    affine
        From the element's own coordinates to µm of the canvas.
    """

    element: str
    system: str
    offset: tuple[float, float]
    affine: Affine

    def own(self, um: npt.ArrayLike) -> Point:
        """Return canvas positions (k, 2) in the element's own coordinates: pixel corners, for labels."""
        return self.affine.inverse().apply(np.asarray(um, dtype=float).reshape(-1, 2))


class Stage(Protocol):
    """What a tool may use of the presenter."""

    viewer: Any
    canvas: Canvas
    marks: Marks
    state: ViewState
    hand: Hand
    selected: SelectedRows
    memory: Memory
    overlay: Overlay
    after: Callable[[int, Callable[[], None]], Any] | None

    @property
    def document(self) -> Document: ...
    def place_of(self, element: str) -> Place: ...
    def correct(self, name: str, /, **arguments: Any) -> bool: ...
    def tell(self, level: str, sentence: str) -> None: ...
    def say(self, hint: str) -> None: ...
    def show(self, **changes: Any) -> None: ...
    def hold(self, **changes: Any) -> None: ...
    @property
    def offset(self) -> tuple[float, float]: ...
    @property
    def boundary(self) -> float: ...
    def flush(self) -> None: ...
    def correct_in_view(self, labels: str) -> None: ...
    def buffer_of(self, labels: str) -> Any: ...
    @property
    def cannot_paint(self) -> str: ...


class Tool:
    """A tool in use. Subclasses say what a press, a move and a release do."""

    hint = ""
    pans = False
    """Whether dragging still moves the view."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    @property
    def alive(self) -> bool:
        """Whether what it works on is still there."""
        return True

    @property
    def begun(self) -> bool:
        """Whether a gesture is under way, which Escape would forget."""
        return False

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End, leaving nothing half done."""

    def press(self, at: Pointer) -> None:
        """The button goes down."""

    def move(self, at: Pointer) -> None:
        """The mouse moves with the button down."""

    def release(self, at: Pointer) -> None:
        """The button comes up."""

    def hover(self, at: Pointer) -> None:
        """The mouse moves with the button up."""

    def refresh(self) -> None:
        """The document has changed."""

    def cancel(self) -> None:
        """Escape: forget what was begun."""

    def double(self, at: Pointer) -> None:
        """The second of two quick clicks, which comes without a press: a click like any other."""
        self.press(at)
        self.release(at)

    def zoomed(self) -> None:
        """The view is closer or farther."""

    def enter(self) -> None:
        """The Enter key: end what was begun."""

    def delete(self) -> None:
        """The Delete key: take away what lies under the mouse."""

    def finish(self) -> None:
        """The Enter key: bring what was begun to its end."""

    def again(self) -> None:
        """The tool was taken up while it is in the hand."""

    def held(self) -> None:
        """Something else that all tools on cells share was chosen: see `Hand`."""

    def after_other(self, at: Pointer) -> None:
        """Another tool has taken a gesture while this one is in the hand."""
        self.refresh()


def label_at(document: Document, place: Place, um: Point) -> int:
    """Return the label under a canvas position; 0 outside."""
    y, x = (int(v) for v in np.floor(place.own(um)[0]))
    h, w = document.grid(place.element).shape
    if not (0 <= y < h and 0 <= x < w):
        return 0
    return int(document.grid(place.element).read((y, y + 1, x, x + 1))[0, 0])
