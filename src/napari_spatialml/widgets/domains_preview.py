"""Preview: domains from the cached stages while the form changes, drawn and not stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QWidget

from ..core.domains import DomainDetector
from ..core.report import Report
from ..session import DomainsSelection
from ..session.previewing_domains import DomainsPreview, domains_preview
from ..session.row_words import rows_are
from ..views.domains_preview import DomainsLayer, legend_of
from ..views.state import Legend
from .desk import Desk
from .live_preview import LivePreview
from .messages import Message

__all__ = ["DomainsPreviewRow"]

_WAIT_MS = 60
"""Most changes are drawn within 150 ms: they need not wait for the next."""


class DomainsPreviewRow(LivePreview):
    """The preview of domains.

    Parameters
    ----------
    desk
        The desk.
    ask
        Returns the method chosen and what a run would work on; it may raise our errors.
    """

    def __init__(
        self, desk: Desk, ask: Callable[[], tuple[DomainDetector, DomainsSelection]], parent: QWidget | None = None
    ) -> None:
        self._ask, self._drawn = ask, DomainsLayer(desk.viewer)
        super().__init__(
            desk,
            self._drawn,
            "Preview of domains",
            "Divide the section with these values and draw the map; the slow first stages are kept, so that another "
            "number of domains or another smoothing is there at once",
            "Preview again whenever a value changes.",
            _WAIT_MS,
            parent,
        )

    def wanted(self) -> tuple[Any, Callable[[Report], DomainsPreview]]:
        """Return the method and what it runs on, and what previews it."""
        chosen, selection = self._ask()
        presenter, session = self._desk.presenter, self._desk.session
        assert presenter is not None and session is not None
        if not self.shown:
            self._desk.show_over_histology(session.document.annotated(selection.table))
        system = presenter.state.coordinate_system
        return (chosen, selection), domains_preview(session.document, chosen, selection, system)

    def draw(self, found: DomainsPreview) -> tuple[Legend, Message]:
        """Draw a map; return what its colours mean, and what is said of it."""
        presenter = self._desk.presenter
        assert presenter is not None
        self._drawn.show(presenter, found)
        n, k = len(found.where), len(found.names)
        words = rows_are(presenter.document, found.selection.table, n)
        moved = f", {found.changed:,} of them unlike the map of today" if found.changed > 0 else ""
        moved = moved or (", the same as the map of today" if found.changed == 0 else "")
        said = f"Preview, not stored: {k} domains over {n:,} {words}{moved} ({found.seconds:.2f} s). Run stores it."
        return legend_of(presenter, found), Message("info", said)
