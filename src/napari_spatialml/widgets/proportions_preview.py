"""Preview: proportions by a quick method while the form changes, drawn and not stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QWidget

from ..core.deconvolution import Deconvolver
from ..core.method import parameters
from ..core.report import Report
from ..methods import method
from ..session import DeconvolutionSelection
from ..session.previewing_proportions import ProportionsPreview, proportions_preview
from ..views.proportions_preview import ProportionsLayer, legend_of
from ..views.state import Legend
from .desk import Desk
from .live_preview import LivePreview
from .messages import Message

__all__ = ["ProportionsPreviewRow", "quick"]

_QUICK = "weighted-nnls"


def quick(chosen: Deconvolver) -> Deconvolver:
    """Return the quick method with what the chosen one shares with it: the markers, the genes left out."""
    cls: Any = method("deconvolution", _QUICK)
    own = {p.name for p in parameters(cls)}
    made: Deconvolver = cls(**{**{k: v for k, v in chosen.settings().items() if k in own}, "errors": False})
    return made


class ProportionsPreviewRow(LivePreview):
    """The preview of proportions.

    Parameters
    ----------
    desk
        The desk.
    ask
        Returns the method chosen and what a run would work on; it may raise our errors. Called in the window's
        thread.
    """

    def __init__(
        self,
        desk: Desk,
        ask: Callable[[], tuple[Deconvolver, DeconvolutionSelection]],
        parent: QWidget | None = None,
    ) -> None:
        self._ask, self._drawn = ask, ProportionsLayer(desk.viewer)
        super().__init__(
            desk,
            self._drawn,
            "Preview of proportions",
            "Estimate the proportions by the quickest method, with these markers and merged types, and draw them",
            "Preview again whenever the reference, its merged types or a value changes.",
            parent=parent,
        )

    def wanted(self) -> tuple[Any, Callable[[Report], ProportionsPreview]]:
        """Return the quick method and what it runs on, and what previews it."""
        chosen, selection = self._ask()
        presenter, session = self._desk.presenter, self._desk.session
        assert presenter is not None and session is not None
        wanted = quick(chosen)
        if (wanted, selection) != self._last:
            self._desk.show_over_histology(session.document.annotated(selection.table))
        system = presenter.state.coordinate_system
        return (wanted, selection), proportions_preview(session.document, wanted, selection, system)

    def draw(self, found: ProportionsPreview) -> tuple[Legend, Message]:
        """Draw proportions; return what their colours mean, and what is said of them."""
        presenter = self._desk.presenter
        assert presenter is not None
        self._drawn.show(presenter, found)
        most, share = found.most()
        types, n = len(found.result.types), len(found.result.values)
        what = f"{types} types in {n:,} spots, most {most} ({100 * share:.0f} %)"
        how = f"by weighted least squares in {found.seconds:.1f} s"
        said = Message("info", f"Preview, not stored: {what}, {how}. Run stores, with intervals.")
        return legend_of(presenter, found), said
