"""Docstrings and citations as rich text, for tooltips and the panel's help."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

__all__ = ["rich", "tooltip"]


def tooltip(text: str) -> str:
    """Return text for a tooltip that wraps (plain text would be one long line)."""
    return f"<qt>{rich(text)}</qt>" if text else ""


def rich(text: str, link: str = "") -> str:
    """Return a docstring as rich text: paragraphs, section titles, literals, and DOIs as links of a colour."""
    text = html.escape(text.strip(), quote=False)
    text = re.sub(r"(?m)^([A-Z][\w ]*)\n-{3,}$", r"\n<b>\1</b>\n", text)
    text = re.sub(r"``(.+?)``", r"<code>\1</code>", text)
    text = re.sub(r":\w+:`~?(.+?)`", r"<code>\1</code>", text)
    text = re.sub(r"(?<![\w/.])(?:doi:\s*)?(?:https?://doi\.org/)?(10\.\d{4,}/[^\s;,<]*[^\s;,.<)])", _Link(link), text)
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "".join(f'<p style="margin: 0 0 4px 0">{" ".join(p.split())}</p>' for p in paragraphs)


@dataclass(frozen=True)
class _Link:
    colour: str

    def __call__(self, found: re.Match[str]) -> str:
        style = f' style="color: {self.colour}"' if self.colour else ""
        return f'<a href="https://doi.org/{found[1]}"{style}>doi:{found[1]}</a>'
