"""Weights of one's own: where they are kept, how they are named, and what their headers say of their origin."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadInput, MissingWeights
from .flow_weights import EMBEDDED, metadata_of
from .home import home

__all__ = ["ENDING", "LINEAGE", "Model", "find", "models", "models_folder", "offered", "typical_diameter_um"]

ENDING = ".safetensors"
LINEAGE = "lineage"
"""The entry of the metadata that says, in JSON, what a model was made of."""
_LONGEST_TITLE = 60


@dataclass(frozen=True)
class Model:
    """A file of weights in the person's own folder."""

    path: Path
    metadata: dict[str, str]

    @property
    def name(self) -> str:
        """What a method's ``weights`` calls it."""
        return self.path.stem

    @property
    def title(self) -> str:
        """What a person reads: "mine: 2026-11-21 DAPI, 8 windows"."""
        said = "".join(c for c in self.metadata.get("title", "") if c.isprintable())[:_LONGEST_TITLE]
        return f"mine: {said or self.name}"

    @property
    def lineage(self) -> dict[str, Any]:
        """What it was made of; empty where the file does not say."""
        try:
            found = json.loads(self.metadata.get(LINEAGE, "{}"))
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def models_folder() -> Path:
    """Return the folder of the person's own models; it may not be there yet."""
    return home() / "models"


def models() -> tuple[Model, ...]:
    """Return the person's own models, the newest first; a file that is none is left out."""
    found = []
    for path in sorted(models_folder().glob(f"*{ENDING}"), key=lambda p: (-p.stat().st_mtime, p.name)):
        try:
            found.append(Model(path, metadata_of(path)))
        except (BadInput, MissingWeights):
            continue  # another program's file, or half of one: it is refused, in words, when it is named
    return tuple(found)


def offered() -> tuple[tuple[str, str], ...]:
    """Return the weights that a form offers: their names, and what a person reads."""
    return (("", "Starter"), *((m.name, m.title) for m in models()))


def find(weights: str) -> Path:
    """Return the file of weights given by name or path; those that come with the program for "".

    Raises
    ------
    MissingWeights
        When there is none; the hint says where to put it.
    """
    if not weights:
        return EMBEDDED
    given = Path(weights).expanduser()
    if given.is_file():
        return given
    kept = models_folder() / f"{weights}{ENDING}"
    if given.name == weights and kept.is_file():
        return kept
    known = ", ".join(f"'{m.name}'" for m in models()[:5])
    raise MissingWeights(
        f"There are no weights at '{weights}'.",
        f"Name a {ENDING} file, put it into {models_folder()}, or leave it empty."
        + (f" Models of your own: {known}." if known else ""),
    )


def typical_diameter_um(path: Path) -> float:
    """Return the diameter in µm of the nuclei that a model learned from, or 0 where its file does not say."""
    try:
        said = float(metadata_of(path).get("diameter_um", "0"))
    except ValueError:
        return 0.0
    return said if 0 < said <= 1000 else 0.0
