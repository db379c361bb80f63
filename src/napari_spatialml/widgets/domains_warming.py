"""The first stroke need not wait: what it needs is made ready once the map is looked at."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import TYPE_CHECKING, Any

from ..core.report import Report
from ..session.warming_domains import warm_domains

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["map_in", "warm_map"]


def map_in(desk: Desk, table: str, column: str) -> Hashable:
    """Return what tells a map of domains on this canvas from others."""
    presenter = desk.presenter
    return table, column, id(presenter), presenter.state.coordinate_system if presenter is not None else ""


def warm_map(desk: Desk, table: str, column: str) -> Callable[[Report], Any] | None:
    """Return what makes ready what strokes on a map need; None where no section is open."""
    presenter, session = desk.presenter, desk.session
    if presenter is None or session is None:
        return None
    document, system = session.document, presenter.state.coordinate_system
    element, memory, warm = document.annotated(table), presenter.memory, warm_domains(document, table, column)

    def work(report: Report) -> Any:
        from ..views.row_layout import prepared_layout

        keep = prepared_layout(document, table, element, system)
        report(0.0)
        warm(report)
        return partial(keep, memory)

    return work
