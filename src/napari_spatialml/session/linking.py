"""Nuclei and cells that are found anew: which belongs to which is worked out again."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ..core.overlap import matches, overlap
from .changes import Put
from .document import Document

__all__ = ["entries_of", "ids_beside", "partner_of"]

_WITHIN = 0.5
"""The part of the smaller one's pixels that a nucleus and its cell share, at least."""
_LARGEST = np.iinfo(np.int32).max
"""The largest id that masks can have; labels of other programs may have larger ones."""


def partner_of(document: Document, name: str, shape: tuple[int, ...], places: dict[str, Any]) -> str:
    """Return the labels with which new ones shall have their ids in common; "" where there are none.

    Parameters
    ----------
    document
        The document.
    name
        What the new labels are called.
    shape, places
        Their size (y, x), and where they lie: one matrix a coordinate system.

    Returns
    -------
    str
        The nuclei that they were linked with by id, or else the first cells; only where these are still there,
        lie on the same pixels, and have ids that new labels can have.
    """
    entries = document.attribute("segmentations", {})
    nuclei = entries.get(name, {})
    linked = [str(nuclei["nuclei"])] if nuclei.get("linked_by") == "id" else []
    linked += [other for other in _made_of(entries, name) if entries[other].get("linked_by") == "id"]
    fit = (o for o in linked if _on_the_same_pixels(document, o, shape, places) and _leaves_ids(document, o, shape))
    return next(fit, "")


def ids_beside(labels: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Return, for the labels 1 to n, the ids by which those that belong to an object of other labels have its id.

    One belongs to one: of a nucleus and a cell the smaller lies with at least half of its pixels in the
    larger, and as many find a partner as can. What has none gets an id that none of the others has.

    Parameters
    ----------
    labels, other
        (y, x), of one shape; 0 is background, and ``labels`` has every number from 1 to n.
    """
    found = overlap([((0, 0), labels, other)])
    n = int(labels.max()) if labels.size else 0
    pairs = sp.coo_matrix(found.shared)
    smaller = np.minimum(found.a.areas[pairs.row], found.b.areas[pairs.col])
    within = sp.csr_matrix((pairs.data / smaller, (pairs.row, pairs.col)), shape=found.shared.shape)
    rows, columns = matches(within, _WITHIN)
    ids = np.zeros(n, np.int32)
    ids[found.a.ids[rows] - 1] = found.b.ids[columns]
    alone = ids == 0
    ids[alone] = int(other.max(initial=0)) + np.arange(1, int(alone.sum()) + 1)
    return ids


def entries_of(document: Document, name: str, about: dict[str, Any], partner: str) -> Put:
    """Return the change that says of new labels where they come from, and which nuclei and cells belong together.

    Parameters
    ----------
    document
        The document.
    name
        What the new labels are called.
    about
        What is said of them.
    partner
        The labels whose ids they share, from `partner_of`; with all others no ids link them any more.
    """
    held = document.attribute("segmentations")
    entries = dict(held or {})
    nuclei = str(entries.get(name, {}).get("nuclei", ""))
    if nuclei in document.names("labels"):
        about = about | {"nuclei": nuclei} | ({"linked_by": "id"} if partner == nuclei else {})
    for other in _made_of(entries, name):
        if other != partner:
            entries[other] = {k: v for k, v in entries[other].items() if k != "linked_by"}
    return Put(("attrs", "segmentations"), held, entries | {name: about})


def _made_of(entries: dict[str, Any], nuclei: str) -> list[str]:
    return [other for other, said in entries.items() if said.get("nuclei") == nuclei and other != nuclei]


def _on_the_same_pixels(document: Document, other: str, shape: tuple[int, ...], places: dict[str, Any]) -> bool:
    if other not in document.names("labels") or document.grid(other).shape != shape:
        return False
    there = document.get(("labels", other)).transforms
    shared = there.keys() & places.keys()
    return bool(shared) and all(np.allclose(there[s], places[s], rtol=1e-9, atol=1e-9) for s in shared)


def _leaves_ids(document: Document, other: str, shape: tuple[int, ...]) -> bool:
    """Whether no id of other labels, nor one beyond them for each pixel, is too large for a new label."""
    return document.grid(other).maximum() + shape[0] * shape[1] <= _LARGEST
