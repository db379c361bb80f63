"""How many cells, spots or pixels lie in each region; the count runs beside the window."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ..session.annotating import annotation_names, units_inside
from ..views.rasters import is_pixel_grid

if TYPE_CHECKING:
    from ..session import Document
    from .desk import Desk

__all__ = ["CountsInside"]


class CountsInside:
    """The counts of the regions of a set, as far as they are known.

    Parameters
    ----------
    desk
        The desk.
    counted
        Called when a count has ended.
    failed
        Called with what went wrong with one.
    """

    def __init__(self, desk: Desk, counted: Callable[[], object], failed: Callable[[BaseException], object]) -> None:
        self._desk, self._counted, self._failed = desk, counted, failed
        self._token: Any = None
        self._found: dict[str, int] = {}

    def of(self, document: Document, name: str) -> tuple[dict[str, int], str]:
        """Return what is known of a set of regions, and what is counted; a count that is due begins."""
        table = next(iter(_tables(document, document.placed(name)[0])), "")
        if not table:
            return {}, ""
        token = (name, table, document.revision(("shapes", name)), document.revision(("tables", table)))
        if self._token != token:
            self._desk.runner.run(
                lambda report: units_inside(document, name, table),
                on_result=partial(self._take, token),
                on_error=self._failed,
                title="Count what is inside",
                key=f"inside {id(self)}",
                replace=True,
            )
        same = self._token is not None and self._token[:2] == token[:2]
        return (self._found if same else {}), _unit(document, table)

    def _take(self, token: Any, counts: dict[str, int]) -> None:
        self._token, self._found = token, counts
        self._counted()


def _unit(document: Document, table: str) -> str:
    element = document.annotated(table)
    if element not in document.names("labels"):
        return "Spots"
    return "Pixels" if is_pixel_grid(document, element) else "Cells"


def _tables(document: Document, system: str) -> list[str]:
    """Return the tables whose rows lie in a coordinate system, those of cells first."""
    there = {n for t in ("labels", "shapes") for n in document.names(t) if system in document.placed(n)}
    there -= set(annotation_names(document))
    found = [t for t in document.names("tables") if document.annotated(t) in there]
    order = ("Cells", "Spots", "Pixels")
    return sorted(found, key=lambda t: (order.index(_unit(document, t)), t))
