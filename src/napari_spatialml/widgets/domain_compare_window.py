"""Domains beside each other: two of them feature by feature, their sizes and borders, the map beside another one."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QMenu, QPushButton, QSizePolicy, QTabWidget, QVBoxLayout, QWidget

from ..errors import BadInput, SpatialMLError
from .domain_agreement_page import AgreementPage
from .domain_pair_page import PairPage
from .domain_sizes_page import SizesPage
from .domain_window import DomainWindow
from .style import MARGIN, SPACING, tooltip

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["CompareDomainsWindow"]

Page = PairPage | SizesPage | AgreementPage


class CompareDomainsWindow(DomainWindow):
    """Three pages about one column of domains; each is computed when it is looked at.

    Parameters
    ----------
    desk
        The desk.
    table, column
        A table of the section, and its column of domains.
    """

    about = "Compare domains"

    def __init__(self, desk: Desk, table: str, column: str = "domain", parent: QWidget | None = None) -> None:
        self.tabs, self.export_button, self.back_button = (
            QTabWidget(),
            QPushButton("Export"),
            QPushButton("Show domains"),
        )
        super().__init__(desk, table, column, parent)
        self.pair, self.sizes, self.agreement = PairPage(self), SizesPage(self), AgreementPage(self)
        for page in self.pages():
            self.tabs.addTab(page, page.title)
        self._set_up()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(SPACING)
        layout.addWidget(self.bar_row(after=(self.back_button, self.export_button)))
        layout.addWidget(self.message)
        layout.addWidget(self.tabs, 1)
        self.tabs.currentChanged.connect(lambda _i: self.look())
        self._follow_state()

    def pages(self) -> tuple[Page, ...]:
        """Return the pages in their order."""
        return self.pair, self.sizes, self.agreement

    def page(self) -> Page:
        """Return the page that is looked at."""
        return self.pages()[max(self.tabs.currentIndex(), 0)]

    def start(self) -> None:
        """Compute the first page."""
        self.look()

    def look(self) -> None:
        """Compute the page that is looked at, unless it shows what there is."""
        if not self.page().token() or self.is_old():
            self.compute()
        self.follow()

    def press(self) -> None:
        """Compute, or stop what runs."""
        if self.runner.state != "idle":
            self.runner.stop()
        else:
            self.compute()

    def compute(self) -> None:
        """Compute the page that is looked at from the map as it is now."""
        try:
            self.page().fill()
        except SpatialMLError as error:
            self.fail(error)
            return
        self.page().compute()

    def is_old(self) -> bool:
        """Return whether the page that is looked at is older than the map or the table."""
        page = self.page()
        return page.token() != "" and page.token() != page.token_now()

    def follow(self) -> None:
        """Say whether the page is old, and enable what can be done with it."""
        self.show_old(self.is_old())
        self._follow_state()

    def follow_state(self, idle: bool) -> None:
        """Enable what can be done now."""
        self.export_button.setEnabled(self.page().token() != "")
        for page in self.pages():
            page.follow_state(idle)

    def follow_colours(self) -> None:
        """Draw all pages in other colours."""
        for page in self.pages():
            page.follow_colours()

    def export(self, path: Path) -> None:
        """Write the table of the page as CSV, or its plot as PNG."""
        self.attempt(lambda: self._write(path))

    def _write(self, path: Path) -> str:
        if path.suffix == ".csv":
            frame = self.page().frame()
            frame.to_csv(path, index=False)
            return f"{len(frame):,} rows are in '{path.name}'."
        if not self.page().picture(path):
            raise BadInput(f"'{path}' could not be written.", "Choose another place.")
        return f"The picture is in '{path.name}'."

    def _ask_where(self, suffix: str, _checked: bool = False) -> None:
        from .file_dialogs import ask_where_to_save

        name = f"{self.desk.name} {self.column} {self.page().title.lower()}{suffix}".replace("/", "-")
        ask_where_to_save(self, "Export the comparison", name, suffix, self.export)

    def _set_up(self) -> None:
        self.back_button.setToolTip(tooltip("Colour the section by its domains again."))
        self.back_button.clicked.connect(lambda _checked=False: self.colour_by(f"obs/{self.column}"))
        self.export_button.setToolTip(tooltip("Write the table of this page as CSV, or its plot as a picture."))
        menu = QMenu(self.export_button)
        for suffix, text in ((".csv", "CSV, the table…"), (".png", "PNG, the plot…")):
            menu.addAction(text).triggered.connect(partial(self._ask_where, suffix))
        self.export_button.setMenu(menu)
        for button in (self.back_button, self.export_button):
            button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
