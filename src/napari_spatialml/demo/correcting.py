"""The hand's steps: cells split, merged, painted, deleted and drawn, spots brushed into another domain."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.metrics import intersection_over_union
from ..session import correct, refit_domains_now
from ..session.corrections import packed
from ..session.gather import coordinates_of
from . import choosing
from .frame import Frame
from .mistakes import Mistake, by_shape, by_truth
from .picture import Draw, background, categories, mark, outlines, picture
from .walk import Walk

__all__ = ["correct_by_hand"]

CLOSE_UM = 34.0
"""Edge of the part of the section that a picture of one cell shows."""


def correct_by_hand(walk: Walk) -> None:
    """Correct cells and domains: what is corrected is chosen from the data."""
    document = walk.session.document
    walk.facts["before_corrections"] = walk.session.position
    segmented = [n for n in document.attribute("segmentations", {}) if n in document.names("labels")]
    if segmented:
        _cells(walk, segmented[0])
    else:
        walk.skip("correct", "cells", "Skipped: nothing was segmented.")
    tables = [t for t in document.names("tables") if "domain" in document.table(t).obs]
    if tables:
        first = choosing.spot_table(document)
        _domains(walk, first if first in tables else tables[0])
    else:
        walk.skip("correct", "domains", "Skipped: no domains were found.")


# cells -----------------------------------------------------------------------------------------


def _cells(walk: Walk, labels: str) -> None:
    """Correct one mistake of each kind, looking afresh after each, as a person does."""
    document = walk.session.document
    before = document.grid(labels).read()
    done: set[str] = set()
    while mistake := _next_mistake(walk, labels, done):
        _mend(walk, labels, mistake)
        done.add(mistake.correction)
    if not done:
        walk.skip("correct", f"cells of '{labels}'", "Skipped: too few cells were found.")
    elif walk.truth is not None:
        first, last = (walk.truth.precision(array) for array in (before, document.grid(labels).read()))
        walk.rows[-1].measured += f"; AP@0.5 of all, {first:.4f} → {last:.4f}"


def _next_mistake(walk: Walk, labels: str, done: set[str]) -> Mistake | None:
    document = walk.session.document
    array = document.grid(labels).read()
    if walk.truth is not None:
        found = by_truth(array, walk.truth.tissue.labels)
    else:
        scores = document.table(f"{labels}_table").obs.get("score")
        found = by_shape(array, None if scores is None else scores.to_numpy(dtype=float))
    return next((m for m in found if m.correction not in done), None)


def _mend(walk: Walk, labels: str, mistake: Mistake) -> None:
    document = walk.session.document
    frame, image = _close_up(document, labels, mistake)
    arguments = {k: packed(v) if isinstance(v, np.ndarray) else v for k, v in mistake.arguments.items()}
    with walk.step("correct", f"{mistake.correction.replace('-', ' ')}: {mistake.why}") as row:
        before = _state(walk, labels, mistake)
        panel = _panel(document, labels, image, frame)
        command = correct(document, mistake.correction, labels=labels, **arguments)
        walk.session.execute(command)
        row.measured = f"{command.label}; {_change(before, _state(walk, labels, mistake))}"
    if row.skipped:
        return
    shown = [("before", frame, panel), ("after", frame, _panel(document, labels, image, frame))]
    title = f"Correction: {command.label}"
    number = sum(p.name.startswith("correction") for p in walk.pictures) + 1
    caption = f"{mistake.why.capitalize()}. Its row of the table, area and centroid follow in the same step."
    walk.show(picture(f"correction_{number}_{mistake.correction}", title, caption, shown))


def _close_up(document: Any, labels: str, mistake: Mistake) -> tuple[Frame, str]:
    system = choosing.system_of(document, labels)
    y, x = document.affine(labels, system).apply(np.array([mistake.at]))[0]
    half = CLOSE_UM / 2
    frame = Frame((y - half, x - half, y + half, x + half), CLOSE_UM / 420, system)
    return frame, str(document.attribute("segmentations", {}).get(labels, {}).get("image", ""))


def _panel(document: Any, labels: str, image: str, frame: Frame) -> list[Draw]:
    draws = [background(document, image, frame)] if image in document.names("images") else []
    return [*draws, outlines(document, labels, frame)]


def _state(walk: Walk, labels: str, mistake: Mistake) -> dict[str, float]:
    """Return what a correction is judged by: the overlap with the true nuclei, or number and area of cells."""
    document = walk.session.document
    if walk.truth is not None and mistake.true:
        truth = walk.truth.tissue.labels
        wanted = np.where(np.isin(truth, mistake.true), truth, 0)
        overlap = intersection_over_union(wanted, document.grid(labels).read())
        return {"overlap with its true nucleus": float(overlap.max(axis=1).toarray().mean())}
    table = document.table(f"{labels}_table")
    return {"cells": float(table.n_obs), "area in µm²": float(table.obs["area_um2"].sum())}


def _change(before: dict[str, float], after: dict[str, float]) -> str:
    digits = {"cells": ",.0f", "area in µm²": ",.0f"}
    return "; ".join(f"{k} {before[k]:{digits.get(k, '.2f')}} → {after[k]:{digits.get(k, '.2f')}}" for k in before)


# domains ---------------------------------------------------------------------------------------


def _domains(walk: Walk, table: str) -> None:
    document, session = walk.session.document, walk.session
    rows, value, why = _wrong_by_truth(walk, table) if walk.truth is not None else _unsure_rows(document, table)
    if not len(rows):
        walk.skip("correct", f"domains of '{table}'", "Skipped: nothing is wrong enough to brush over.")
        return
    system = choosing.system_of(document, document.annotated(table))
    frame = choosing.tissue(document, system)
    with walk.step("correct", f"brush {choosing.row_word(document, table, len(rows))} into {value}: {why}") as row:
        before, panel = document.table(table).obs["domain"].copy(), _domain_panel(document, table, frame, rows)
        command = correct(document, "stroke-domain", table=table, rows=rows.tolist(), domain=value, reason=why)
        session.execute(command)
        row.measured = f"{command.label}{_agreement(walk, table, before)}"
    with walk.step("domains", "fitted again, from the stroke") as row:
        corrected = document.table(table).obs["domain"].copy()
        refit_domains_now(session, table, report=walk.within)
        now = document.table(table).obs["domain"]
        kept = int((now.iloc[rows].astype(str) == value).sum())
        moved = int((now.astype(str) != corrected.astype(str)).sum())
        row.measured = (
            f"{kept} of {len(rows)} corrections kept, {moved} others changed{_agreement(walk, table, corrected)}"
        )
    shown = [("before", frame, panel), ("brushed and fitted again", frame, _domain_panel(document, table, frame, rows))]
    ringed = choosing.row_word(document, table, len(rows))
    caption = f"{ringed} of '{table}' (ringed) brushed into {value}; all other rows were fitted again from the stroke."
    walk.show(picture("correction_domains", f"Correction: into domain {value}", caption, shown))


def _agreement(walk: Walk, table: str, before: Any) -> str:
    if walk.truth is None:
        return ""
    held = walk.session.document.table(table).copy()
    after = walk.truth.domain_agreement(held, "domain")
    held.obs["domain"] = before
    return f"; adjusted Rand index {walk.truth.domain_agreement(held, 'domain'):.3f} → {after:.3f}"


def _domain_panel(document: Any, table: str, frame: Frame, rows: npt.NDArray[np.intp]) -> list[Draw]:
    image = choosing.image_of(document, frame.system)
    below = [background(document, image, frame, dim=0.35)] if image else []
    where = coordinates_of(document, table, frame.system)[rows]
    return [*below, categories(document, table, "domain", frame, alpha=0.9), mark(where, size=7)]


def _wrong_by_truth(walk: Walk, table: str) -> tuple[npt.NDArray[np.intp], str, str]:
    """Return the largest group of neighbouring rows that lie in the wrong domain, and the right one."""
    assert walk.truth is not None
    document = walk.session.document
    found = document.table(table).obs["domain"]
    true = walk.truth.domains(len(found))
    counts = np.zeros((len(found.cat.categories), int(true.max()) + 1))
    np.add.at(counts, (found.cat.codes.to_numpy(), true), 1)
    meant = counts.argmax(1)
    right = {int(t): int(counts[:, t].argmax()) for t in np.unique(true) if meant[counts[:, t].argmax()] == t}
    wrong = (meant[found.cat.codes.to_numpy()] != true) & (true > 0) & np.isin(true, list(right))
    where = coordinates_of(document, table)
    group = _largest_group(where, np.where(wrong, true, -1))
    if not len(group):
        return group, "", ""
    target = int(true[group[0]])
    return group, str(found.cat.categories[right[target]]), f"truly {walk.truth.tissue.domain_names[target]}"


def _largest_group(where: npt.NDArray[np.float64], kind: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return the rows of the largest group of neighbours of one kind; kind -1 does not count."""
    import scipy.sparse as sp
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    tree = cKDTree(where)
    pitch = float(np.median(tree.query(where, k=2)[0][:, 1]))
    pairs = tree.query_pairs(1.6 * pitch, output_type="ndarray")
    pairs = pairs[(kind[pairs[:, 0]] == kind[pairs[:, 1]]) & (kind[pairs[:, 0]] >= 0)]
    graph = sp.coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(where),) * 2)
    group = connected_components(graph, directed=False)[1]
    size = np.bincount(group[kind >= 0], minlength=group.max() + 1) if (kind >= 0).any() else np.zeros(1)
    return np.flatnonzero((group == size.argmax()) & (kind >= 0)) if size.max() > 0 else np.empty(0, np.intp)


def _unsure_rows(document: Any, table: str) -> tuple[npt.NDArray[np.intp], str, str]:
    """Return the least certain row with its neighbours that could lie in the same other domain."""
    held = document.table(table)
    probabilities = np.asarray(held.obsm["domain_probabilities"])
    order = np.argsort(probabilities, axis=1)
    first = int(np.argmin(held.obs["domain_margin"].to_numpy()))
    other = int(order[first, -2])
    second = np.where(order[:, -2] == other, other, -1)
    where = coordinates_of(document, table)
    near = np.linalg.norm(where - where[first], axis=1)
    pitch = float(np.min(near[near > 0], initial=np.inf))
    rows = np.flatnonzero((second == other) & (near <= 1.6 * pitch) & (held.obs["domain_margin"].to_numpy() < 0.9))
    return rows, str(held.obs["domain"].cat.categories[other]), "least certain of all"
