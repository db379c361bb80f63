"""How many domains: a suggestion from the stability of maps, with a small plot in which a click takes a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..core.domains import DomainDetector
from ..core.report import Report
from .plots.stability import StabilityPlot
from .run_row import RunRow
from .style import SPACING, Quiet

if TYPE_CHECKING:
    from ..session import DomainsSelection
    from .desk import Desk

__all__ = ["NumberPart"]


class NumberPart(QWidget):
    """The button that suggests a number, the plot of what was tried, and why.

    Parameters
    ----------
    desk
        The desk.
    ask
        Returns the method and what a run would work on; it may raise our errors.
    """

    chosen = Signal(int)
    """The number that was taken."""

    def __init__(
        self, desk: Desk, ask: Callable[[], tuple[DomainDetector, DomainsSelection]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._desk, self._ask = desk, ask
        self.suggest = RunRow(
            "Suggest the number…",
            "Divide the section into few and into many domains, from several starts each, and see for which number "
            "the maps agree best. Nothing is stored.",
            self._job,
            self._done,
        )
        self.plot, self.about = StabilityPlot(), Quiet()
        self.plot.chosen.connect(self._take)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (self.suggest, self.plot, self.about):
            layout.addWidget(part)
        self.clear()

    def follow(self, method: DomainDetector | None) -> None:
        """Show which number the form has; a method without one has nothing to suggest."""
        number = getattr(method, "n_domains", None)
        self.setVisible(method is None or number is not None)
        if number is not None:
            self.plot.set_current(int(number))

    def clear(self) -> None:
        """Forget what was found: it was about another table."""
        self.suggest.runner.stop()
        self.suggest.message.show_message(None)
        self.plot.show_numbers(None)
        self.about.hide()

    def _job(self) -> Callable[[Report], Any]:
        from ..session.domain_numbers import suggested_number

        assert self._desk.session is not None
        document, (method, selection) = self._desk.session.document, self._ask()
        return lambda report: suggested_number(document, method, selection, report)

    def _done(self, found: Any) -> str:
        self.plot.show_numbers(found, found.suggested)
        self.about.setText(f"{found.sentence} Click a point to take another number.")
        self.about.show()
        self._take(found.suggested)
        return ""

    def _take(self, number: int) -> None:
        self.plot.set_current(number)
        self.chosen.emit(number)
