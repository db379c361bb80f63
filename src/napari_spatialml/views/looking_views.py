"""A view to a bookmark, and back."""

from __future__ import annotations

from typing import Any, Protocol

from ..session import Document
from ..session.bookmarks import Bookmark, bookmarks_of
from .state import ColourBy, ViewState

__all__ = ["free_name", "go_to", "view_now"]


class Stage(Protocol):
    """What is needed of the presenter."""

    viewer: Any
    state: ViewState

    @property
    def document(self) -> Document: ...
    def show(self, **changes: Any) -> None: ...


def view_now(stage: Stage, name: str) -> Bookmark:
    """Return what is in view now."""
    camera, state = stage.viewer.scene.camera, stage.state
    y, x = (float(v) for v in camera.center[-2:])
    colours = {k: None if v is None else (v.table, v.key) for k, v in state.colours.items()}
    height = float(stage.viewer.canvas.size[0]) / float(camera.zoom)
    return Bookmark(
        name, state.coordinate_system, (y, x), height, state.shown, colours, state.also, state.overlaid
    )  # fmt: skip


def go_to(stage: Stage, view: Bookmark) -> str:
    """Show what a bookmark shows. Return what of it is no longer there, in words, or ""."""
    document = stage.document
    there = {n for t in ("images", "labels", "shapes", "points") for n in document.names(t)}
    systems = document.coordinate_systems()
    shown = None if view.shown is None else tuple(n for n in view.shown if n in there)
    gone = [n for n in view.shown or () if n not in there]
    gone += [s for s in (view.system, *view.also) if s not in systems]
    stage.show(
        coordinate_system=view.system if view.system in systems else stage.state.coordinate_system,
        beside="",
        landmarks="",
        also=tuple(s for s in view.also if s in systems),
        overlaid=view.overlaid,
        shown=shown or None,
        colours={k: None if v is None else ColourBy(*v) for k, v in view.colours.items() if k in there},
    )
    camera = stage.viewer.scene.camera
    camera.center = (0.0, *view.centre_um)
    camera.zoom = float(stage.viewer.canvas.size[0]) / view.height_um
    return ", ".join(dict.fromkeys(gone))


def free_name(document: Document) -> str:
    """Return a name that no bookmark has yet."""
    held = {b.name for b in bookmarks_of(document)}
    return next(f"View {k}" for k in range(1, len(held) + 2) if f"View {k}" not in held)
