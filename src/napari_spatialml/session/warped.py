"""A resampled element as how it is made: small in the journal, made pixel by pixel when it is looked at or saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..errors import DocumentError

if TYPE_CHECKING:
    from .document import Document

__all__ = ["RECIPES", "WARPED_FROM", "Warped", "recipe_of"]

WARPED_FROM = "warped_from"
"""Our attribute: of what each resampled element is a copy, {"he_warped": "he"}."""
RECIPES = "warped"
"""Our attribute: how each resampled element was made, {"he_warped": the fields of a `Warped`}."""


@dataclass(frozen=True)
class Warped:
    """An element moved by a transform that SpatialData cannot store.

    Parameters
    ----------
    kind
        "images", "labels", "shapes" or "points".
    source
        The element of which it is a copy.
    fixed
        The coordinate system in which it lies.
    own
        3 × 3 on (x, y, 1): from the source's own coordinates to µm of the moving side.
    transform
        From moving to fixed, in µm, as `fields.stored` returned it.
    """

    kind: str
    source: str
    fixed: str
    own: list[list[float]]
    transform: dict[str, Any]

    def plain(self) -> dict[str, Any]:
        """Return the fields, for an attribute or the journal."""
        return asdict(self)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Warped:
        """Make one again from what `plain` returned.

        Raises
        ------
        DocumentError
            When a field is missing.
        """
        try:
            return cls(*(values[name] for name in ("kind", "source", "fixed", "own", "transform")))
        except (KeyError, TypeError) as error:
            raise DocumentError(f"How an element was resampled is damaged: {error}.", "Register it again.") from error

    def element(self, document: Document) -> Any:
        """Return the element, lazily but for outlines; labels as a `LabelsElement`."""
        from .warping import made

        return made(document, self)


def recipe_of(document: Document, kind: str, name: str) -> Warped | None:
    """Return how an image or points of the document were made, where they are a copy that is never edited."""
    held = (document.attribute(RECIPES) or {}).get(name)
    if kind not in ("images", "points") or not isinstance(held, Mapping) or held.get("kind") != kind:
        return None
    source = str(held.get("source"))
    return Warped.of(held) if source in document.names(kind) else None
