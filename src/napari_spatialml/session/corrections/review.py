"""Corrections of a review: rank the cells, accept, flag or reopen them, dismiss a place, judge a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...core import labels as edits
from ...core.patch import Window
from ...core.report import Report, silent
from ...core.sampling import sample
from ...errors import BadInput
from ..cells import table_name
from ..changes import Change, EditColumn
from ..document import Document
from ..evidence import Sources
from ..planes import split_plane
from ..ranking import rank, ranking_changes
from ..reviewed import ACCEPTED, PENDING, REASON, REASONS, STATE, STATES, SUSPICION, WRONG
from ..store import put, put_entry
from .cells import labels_changes, named, pixels_of
from .registry import Made, correction

__all__ = ["rows_of_cells"]

Again = Mapping[str, Sequence[Any]]
"""Scores that a correction changed: "cells", "scores", "kinds" and "reasons", of one length."""


@correction
def rank_cells(
    document: Document,
    labels: str,
    image: str = "",
    nuclei: str = "",
    points: str = "",
    network: str = "",
    report: Report = silent,
) -> Made:
    """Rank the cells of labels by how likely they are wrong, and find places where one is missing."""
    if split_plane(labels)[1] is not None:
        raise BadInput(f"'{labels}' is a plane of a stack.", "Only labels without planes are reviewed so far.")
    sources = Sources(labels, image, nuclei, points, network)
    return f"rank the cells of {labels}", ranking_changes(document, sources, rank(document, sources, report))


@correction
def accept_cells(
    document: Document, labels: str, cells: Sequence[int], note: str = "", again: Again | None = None
) -> Made:
    """Say that cells were looked at and are right."""
    return f"accept {named(cells)} in {labels}", _decided(document, labels, cells, ACCEPTED, again)


@correction
def flag_cells(
    document: Document, labels: str, cells: Sequence[int], note: str = "", again: Again | None = None
) -> Made:
    """Say that cells were looked at and are wrong, and still have to be fixed."""
    return f"flag {named(cells)} in {labels}", _decided(document, labels, cells, WRONG, again)


@correction
def reopen_cells(
    document: Document, labels: str, cells: Sequence[int], note: str = "", again: Again | None = None
) -> Made:
    """Put cells back into the queue."""
    return f"reopen {named(cells)} in {labels}", _decided(document, labels, cells, PENDING, again)


@correction
def dismiss_missing(
    document: Document, labels: str, place: Sequence[float] = (), places: Sequence[Sequence[float]] = ()
) -> Made:
    """Say that no cell is missing at a place, or at several: (y, x) in pixels of the labels."""
    given = [[round(float(v), 1) for v in p] for p in ([place, *places] if len(place) else places)]
    known = document.attribute("missing", {}).get(labels, {}).get("where", [])
    absent = next((p for p in given if p not in known), None)
    if absent is not None or not given:
        raise BadInput(f"There is no place {absent or ''} in the queue of '{labels}'.", "Rank the cells again.")
    held = document.attribute("dismissed", {}).get(labels, [])
    new = [p for p in given if p not in held]
    y, x = given[0]
    where = f"{y:.0f}, {x:.0f}" if len(given) == 1 else f"{len(given)} places"
    return f"nothing is missing at {where} in {labels}", (
        [put_entry(document, "dismissed", labels, [*held, *new])] if new else []
    )


@correction
def redraw_cell(
    document: Document, labels: str, cell: int, outline: Sequence[Sequence[float]], window: Window | None = None
) -> Made:
    """Give a cell a new outline of (y, x) pixel positions; it keeps its id, and takes nothing from others."""
    gone = edits.delete_cells(pixels_of(document, labels, window), [cell], window=window)
    grid = document.grid(labels)
    corners = np.asarray(outline, dtype=float).reshape(-1, 2)
    (y, x), (h, w) = gone.offset, gone.shape
    low = np.clip(np.floor(np.vstack([corners, [[y, x]]]).min(0)), 0, grid.shape).astype(int)
    high = np.clip(np.ceil(np.vstack([corners, [[y + h, x + w]]]).max(0)) + 1, 0, grid.shape).astype(int)
    old = grid.read((int(low[0]), int(high[0]), int(low[1]), int(high[1])))
    new = np.where(old == cell, 0, old).astype(old.dtype)
    drawn = edits.draw_outline(new, corners - low, cell)
    patch = edits.diff(old, drawn.applied_to(new), (int(low[0]), int(low[1])))
    changes = [] if patch is None else labels_changes(document, labels, patch)
    return f"redraw cell {cell} in {labels}", changes


@correction
def draw_sample(document: Document, labels: str, n: int = 50, seed: int = 0) -> Made:
    """Choose cells at random, to be judged right or wrong; an earlier sample is given up."""
    ids = np.asarray(document.instances(_reviewed(document, labels)))
    drawn = sample(ids.astype(np.int64), int(n), int(seed))
    kept = {"seed": int(seed), "population": len(ids), "cells": drawn.tolist(), "right": [], "wrong": []}
    return f"draw {len(drawn)} cells of {labels} at random", [put_entry(document, "inspections", labels, kept)]


@correction
def judge_cell(document: Document, labels: str, cell: int, right: bool, again: Again | None = None) -> Made:
    """Say whether a cell of the sample is right; the review takes it as accepted, or as wrong."""
    held = document.attribute("inspections", {}).get(labels, {"cells": []})
    if cell not in held["cells"]:
        raise BadInput(f"The cell {cell} is not in the sample of '{labels}'.", "Draw a sample first.")
    kept = {**held, **{side: [c for c in held[side] if c != cell] for side in ("right", "wrong")}}
    kept["right" if right else "wrong"].append(int(cell))
    changes = [put_entry(document, "inspections", labels, kept)]
    state = ACCEPTED if right else WRONG
    if cell in rows_of_cells(document, labels, [cell])[0]:
        changes += _decided(document, labels, [cell], state, again)  # type: ignore[arg-type]
    return f"cell {cell} of the sample is {'right' if right else 'wrong'}", changes


def rows_of_cells(
    document: Document, labels: str, cells: Sequence[int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return those of the cells that the table of a review has, and their rows, ascending."""
    instances = np.asarray(document.instances(_reviewed(document, labels)))
    rows = np.flatnonzero(np.isin(instances, np.asarray(list(cells), dtype=np.int64)))
    return instances[rows].astype(np.int64), rows


def _reviewed(document: Document, labels: str) -> str:
    name = table_name(labels)
    if name not in document.names("tables") or labels not in document.regions(name):
        raise BadInput(f"The cells of '{labels}' are not ranked yet.", "Rank them first.")
    return name


def _decided(document: Document, labels: str, cells: Sequence[int], state: str, again: Again | None) -> list[Change]:
    """Return the change of what was decided of cells, with the scores that an earlier correction changed."""
    found, rows = rows_of_cells(document, labels, cells)
    absent = sorted({int(c) for c in cells} - set(found.tolist()))
    if absent or not len(found):
        which = f"cell {absent[0]}" if absent else "cell named"
        raise BadInput(f"'{labels}' has no {which}.", "Choose a cell that is in the queue.")
    name = table_name(labels)
    if STATE not in document.table(name).obs:  # cells may be accepted before any are ranked
        return [put(document, ("tables", name, "obs", STATE), _first_states(document.table(name).obs, rows, state))]
    before = document.table(name).obs[STATE].iloc[rows].reset_index(drop=True)
    after = pd.Series(pd.Categorical([state] * len(rows), categories=list(STATES)))
    changes: list[Change] = _scored(document, labels, again) if again else []
    if before.astype(object).tolist() != after.astype(object).tolist():
        changes.append(EditColumn(name, STATE, rows, before, after))
    return changes


def _first_states(obs: pd.DataFrame, rows: npt.NDArray[np.int64], state: str) -> pd.Series[Any]:
    codes = np.full(len(obs), STATES.index(PENDING))
    codes[rows] = STATES.index(state)
    return pd.Series(pd.Categorical.from_codes(codes, categories=list(STATES)), index=obs.index)


def _scored(document: Document, labels: str, again: Again) -> list[Change]:
    """Return the changes of scores and reasons of cells that are still there."""
    found, rows = rows_of_cells(document, labels, again["cells"])
    name, at = table_name(labels), {int(c): i for i, c in enumerate(again["cells"])}
    order = [at[int(c)] for c in found]
    if not order:
        return []
    obs = document.table(name).obs
    kinds = obs[REASON].cat.categories
    made = {
        SUSPICION: pd.Series([float(again["scores"][i]) for i in order]),
        REASON: pd.Series(pd.Categorical([again["kinds"][i] for i in order], categories=kinds)),
        REASONS: pd.Series([str(again["reasons"][i]) for i in order], dtype=object),
    }
    return [EditColumn(name, c, rows, obs[c].iloc[rows].reset_index(drop=True), v) for c, v in made.items()]
