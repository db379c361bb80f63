"""What the hand does: each correction is made by name and plain arguments, so that it can be replayed.

``correct(document, "merge-cells", labels="nuclei", cells=[12, 19])`` returns the command; executing it
is the session's. The window, the command line and the replay all come through here. One file a topic;
a new one registers its functions by being imported below.
"""

from __future__ import annotations

from inspect import signature
from typing import Any

from ...core.report import Report, silent
from ...errors import BadInput
from ..cells import table_name
from ..command import Command
from ..document import Document
from ..expansion import has_labels
from ..planes import said_plane
from ..summary import summary_of
from . import (  # noqa: F401  (importing them registers the corrections)
    alignments,
    annotate,
    annotation_classes,
    annotation_import,
    bringing,
    cells,
    colouring,
    columns,
    counts,
    dividing,
    domains,
    done,
    elements,
    expanding,
    landmarks,
    linking,
    looking,
    proportions,
    readers,
    review,
    selections,
    shaping,
    transferring,
)
from .registry import COMPLETED, MADE, checked_arguments, packed, unpacked

__all__ = ["correct", "corrections", "packed", "unpacked"]


def corrections() -> tuple[str, ...]:
    """Return the names of all corrections."""
    return tuple(MADE)


def correct(document: Document, name: str, /, *, report: Report = silent, **arguments: Any) -> Command:
    """Make the command of a correction. Nothing changes until a session executes it.

    Parameters
    ----------
    document
        The document.
    name
        One of `corrections`.
    report
        Told how far a long one is; it may be made on a worker thread while nothing is executed.
    **arguments
        Plain values, kept in the record; arrays are kept as lists.

    Raises
    ------
    BadInput, DocumentError
        When there is no such correction, it cannot be made, or an argument is of another kind than it takes.
    """
    if name not in MADE:
        raise BadInput(f"There is no correction '{name}'.", f"Choose one of {', '.join(MADE)}.")
    arguments = checked_arguments(MADE[name], arguments)
    if "new_id" in signature(MADE[name]).parameters and "new_id" not in arguments:
        arguments["new_id"] = _next_id(document, arguments)  # recorded, so that a replay uses it
    if name in COMPLETED:
        arguments = COMPLETED[name](arguments)
    heard = {"report": report} if "report" in signature(MADE[name]).parameters else {}
    label, changes = MADE[name](document, **arguments, **heard)
    record: dict[str, Any] = {"type": "correction", "name": name, "arguments": arguments}
    summary = summary_of(changes, table_name(arguments["labels"])) if "labels" in arguments else ""
    if summary:
        record["summary"] = summary
    for key in ("labels", "nuclei"):
        address = str(arguments.get(key, ""))
        label = label.replace(address, said_plane(address)) if address.endswith("]") else label
    return Command(label, tuple(changes), record)


def _next_id(document: Document, arguments: dict[str, Any]) -> int:
    """Return an id that no cell ever had: neither in the labels nor in the nuclei or cells that ids link to them."""
    named = {arguments[key] for key in ("labels", "nuclei") if key in arguments}
    about = document.attribute("segmentations", {})
    linked = {frozenset((name, said["nuclei"])) for name, said in about.items() if said.get("linked_by") == "id"}
    named |= {name for pair in linked if pair & named for name in pair}
    return 1 + max((document.grid(n).maximum() for n in named if has_labels(document, n)), default=0)
