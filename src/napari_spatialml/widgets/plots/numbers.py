"""How numbers are said under a plot, and which columns hold numbers."""

from __future__ import annotations

from ...session import Document
from ...views.state import ColourBy
from ...views.values import is_categorical

__all__ = ["is_grouping", "is_measured", "said"]


def said(value: float) -> str:
    """Return a number in four digits, as a person writes it."""
    if value != 0 and (abs(value) >= 1e6 or abs(value) < 1e-3):
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def is_measured(document: Document, choice: ColourBy) -> bool:
    """Whether a choice is a column of numbers."""
    return choice.part == "obs" and not is_categorical(document.table(choice.table).obs[choice.name])


def is_grouping(document: Document, choice: ColourBy) -> bool:
    """Whether a choice is a column of categories."""
    return choice.part == "obs" and is_categorical(document.table(choice.table).obs[choice.name])
