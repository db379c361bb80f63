"""The cells of labels ranked by how likely they are wrong, and the places where one is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.labels import cell_table
from ..core.patch import Window
from ..core.report import Report, part, silent
from ..errors import BadInput, DocumentError
from .cells import MEASURED, table_name
from .changes import Change, Put
from .document import Document
from .evidence import MARGIN, EvidenceReader, Sources, grown, windows_of
from .reviewed import NOTHING, REASON, REASONS, STATE, STATES, SUSPICION, joined, states_of
from .slides.joining import SEAM, SEAM_WORDS
from .store import put, put_entry

__all__ = ["Places", "Ranking", "rank", "ranking_changes", "score_again", "titles", "usual_from"]

_TOUCHING = 3
"""Pixels within which another cell is a neighbour."""
_LARGEST = 2048
"""Pixels along a cell; a larger one is no cell, and is not scored where it lies whole in no window."""
_SEAM_SCORE = 0.5
"""A cell about which two tiles of a slide disagreed is at least so suspicious."""
_CONTEXT = 512
"""Pixels around a correction that are read again, to judge its cells among others."""


@dataclass(frozen=True)
class Places:
    """Where a cell is missing: foreground, or transcripts, without a label.

    Parameters
    ----------
    where
        (m, 2) as (y, x) in pixels of the labels.
    areas_px, scores, words
        (m,) size, likelihood, and what is to be seen there.
    """

    where: npt.NDArray[np.float64]
    areas_px: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    words: tuple[str, ...]


@dataclass(frozen=True)
class Ranking:
    """Cells with their scores.

    Parameters
    ----------
    cells
        (n,) ids, ascending.
    scores
        (n,) probability of being wrong.
    kinds
        (n,) kind of the strongest reason.
    reasons
        (n,) all reasons in words.
    measures
        One row a cell: area, centroid and diameter.
    missing
        Places of missing cells; None where they were not looked for.
    """

    cells: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    kinds: tuple[str, ...]
    reasons: tuple[str, ...]
    measures: pd.DataFrame = field(default_factory=pd.DataFrame)
    missing: Places | None = None
    usual: dict[str, float] = field(default_factory=dict)
    """What is usual in the section, by which a cell that is corrected is scored again."""


def titles() -> dict[str, str]:
    """Return the kinds of reasons with what a person reads."""
    from ..core.suspicion import KINDS

    return {**KINDS, SEAM: "tiles disagree", NOTHING: "nothing unusual"}


def rank(document: Document, sources: Sources, report: Report = silent) -> Ranking:
    """Score every cell, window by window, and look for places where one is missing. May run on any thread.

    Parameters
    ----------
    document
        The document. Nobody may change the labels meanwhile: whoever calls this checks their revision.
    sources
        What tells about the cells.
    report
        Told each window.

    Notes
    -----
    Memory grows with the window and the number of cells, not with the slide.
    """
    from ..core import suspicion

    reader, found = EvidenceReader(document, sources), _Found()
    windows = list(windows_of(reader.grid.shape))
    measured: list[Any] = []
    for number, (inner, outer) in enumerate(windows):
        told = part(report, number / len(windows), (number + 1) / len(windows))
        told(0.0, f"window {number + 1} of {len(windows)}")
        evidence = reader(outer, part(told, 0.0, 0.6))
        if evidence.labels.any() or evidence.image is not None or evidence.points is not None:
            measured.append(suspicion.measure(evidence, part(told, 0.6, 0.9)))
            found.look(evidence)
            found.add_places(suspicion.missing(evidence, part(told, 0.9, 1.0)), inner)
    report(1.0, "ranking")
    if not measured:
        return found.ranking(None, {})
    # what is usual is that of the whole section: a cell is no outlier for the window in which it was seen
    usual = suspicion.usual_of(suspicion.joined(measured))
    scored = suspicion.judge(measured, usual)
    found.add(scored)
    for cell, window in _around(reader, found.unscored(), [outer for _, outer in windows]):
        evidence = reader(window)
        found.look(evidence)
        found.add(suspicion.judge([suspicion.measure(evidence, silent)], usual), np.array([cell]))
    return found.ranking(scored, asdict(usual))


def _around(
    reader: EvidenceReader, cells: npt.NDArray[np.int64], windows: list[Window]
) -> Iterator[tuple[int, Window]]:
    """Yield a window around each of the cells that are larger than the margins, up to `_LARGEST`."""
    boxes: dict[int, Window] = {}
    for window in windows if len(cells) else ():
        labels = reader.grid.read(window)
        y, x = np.nonzero(np.isin(labels, cells))
        ids = labels[y, x]
        for cell in np.unique(ids).tolist():
            v, u = y[ids == cell] + window[0], x[ids == cell] + window[2]
            a, b, c, d = boxes.get(cell, (int(v[0]), 0, int(u[0]), 0))
            boxes[cell] = min(a, int(v.min())), max(b, int(v.max()) + 1), min(c, int(u.min())), max(d, int(u.max()) + 1)
    for cell, (y0, y1, x0, x1) in boxes.items():
        if max(y1 - y0, x1 - x0) <= _LARGEST:
            yield cell, grown((y0, y1, x0, x1), MARGIN, reader.grid.shape)


def score_again(
    document: Document,
    sources: Sources,
    windows: Sequence[Window],
    usual: Mapping[str, float] | None = None,
    report: Report = silent,
) -> Ranking:
    """Score again the cells in some windows, and their neighbours; no others. May run on any thread.

    Parameters
    ----------
    document, sources
        As for `rank`.
    windows
        What was corrected.
    usual
        What was usual in the section when all cells were ranked; that of the surroundings if None.
    report
        Told each window.
    """
    from ..core import suspicion

    reader, found = EvidenceReader(document, sources), _Found()
    held = usual_from(usual)
    for number, window in enumerate(windows):
        report(number / len(windows), "scoring again")
        near = np.unique(reader.grid.read(grown(window, _TOUCHING, reader.grid.shape)))
        evidence = reader(grown(window, _CONTEXT, reader.grid.shape))
        found.look(evidence)
        found.add(suspicion.judge([suspicion.measure(evidence, silent)], held), near)
    return found.ranking(None, {})


def usual_from(kept: Mapping[str, float | None] | None) -> Any:
    """Return what is usual in a section from what `ranking_changes` kept of it; None where nothing was kept."""
    from ..core.suspicion import Usual

    return None if kept is None else Usual(**{k: np.nan if v is None else v for k, v in kept.items()})


class _Found:
    """Gathers windows. A cell in several is measured in the one that shows most of it."""

    def __init__(self) -> None:
        self._scores: dict[int, tuple[float, str, str]] = {}
        self._measures: dict[int, tuple[float, ...]] = {}
        self._places: list[tuple[float, float, int, float, str]] | None = None

    def look(self, evidence: Any) -> None:
        """Take areas and centroids."""
        measures = cell_table(evidence.labels, evidence.pixel_size_um, offset=evidence.offset)[list(MEASURED)]
        for cell, row in zip(measures.index.tolist(), measures.itertuples(index=False, name=None), strict=True):
            if cell not in self._measures or row[0] > self._measures[cell][0]:
                self._measures[cell] = row

    def add(self, scored: Any, only: npt.NDArray[Any] | None = None) -> None:
        """Take scores, of some cells or of all."""
        wanted = None if only is None else set(only.tolist())
        for cell, score, reasons in zip(scored.cells.tolist(), scored.scores.tolist(), scored.reasons, strict=True):
            if wanted is None or cell in wanted:
                kind = reasons[0].kind if reasons else NOTHING
                self._scores[cell] = (score, kind, joined([(r.words, r.strength) for r in reasons]))

    def unscored(self) -> npt.NDArray[np.int64]:
        """Return the cells that were seen and have no score."""
        return np.array(sorted(self._measures.keys() - self._scores.keys()), np.int64)

    def add_places(self, found: Any, inner: Window) -> None:
        """Take the places within a window."""
        y0, y1, x0, x1 = inner
        self._places = self._places or []
        for (y, x), area, score, words in zip(
            found.places.tolist(), found.areas_px.tolist(), found.scores.tolist(), found.words, strict=True
        ):
            if y0 <= y < y1 and x0 <= x < x1:
                self._places.append((y, x, int(area), score, words))

    def ranking(self, scored: Any, usual: dict[str, float]) -> Ranking:
        """Return all that was taken; with scores, all cells that were seen, some of which may have none."""
        cells = sorted(self._measures if scored is not None else self._scores)
        kept = [self._scores.get(c, (np.nan, NOTHING, "")) for c in cells]
        scores, kinds, reasons = zip(*kept, strict=True) if kept else ((), (), ())
        measures = pd.DataFrame([self._measures[c] for c in cells], columns=list(MEASURED), index=cells, dtype=float)
        places = None
        if self._places is not None:
            ordered = sorted(self._places, key=lambda p: (-p[3], p[0], p[1]))
            where = np.array([p[:2] for p in ordered], dtype=float).reshape(-1, 2)
            areas, likely = (np.array([p[i] for p in ordered]) for i in (2, 3))
            places = Places(where, areas.astype(np.int64), likely.astype(float), tuple(p[4] for p in ordered))
        return Ranking(np.array(cells, np.int64), np.array(scores, float), kinds, reasons, measures, places, usual)


# into the document -----------------------------------------------------------------------------


def ranking_changes(document: Document, sources: Sources, ranking: Ranking) -> list[Change]:
    """Return the changes that keep a ranking with the labels' table, which is made where there is none.

    Raises
    ------
    BadInput
        When there is no cell.
    DocumentError
        When the table of that name belongs to something else.
    """
    if len(ranking.cells) == 0:
        raise BadInput(f"'{sources.labels}' holds no cell.", "Segment an image first, or choose other labels.")
    labels, changes = sources.labels, list[Change]()
    name = table_name(labels)
    if name not in document.names("tables"):
        changes.append(Put(("tables", name), None, _new_table(labels, ranking)))
    else:
        if labels not in document.regions(name):
            raise DocumentError(f"The table '{name}' does not belong to '{labels}'.", "Rename or remove it first.")
        columns = _columns(document.table(name).obs, ranking, document.instances(name))
        changes += [put(document, ("tables", name, "obs", c), v) for c, v in columns.items()]
    usual = {k: None if np.isnan(v) else float(v) for k, v in ranking.usual.items()}  # JSON knows no NaN
    kept = {k: getattr(sources, k) for k in ("image", "nuclei", "points", "network")} | {"usual": usual}
    changes.append(put_entry(document, "reviews", labels, kept))
    if ranking.missing is not None:
        changes.append(put_entry(document, "missing", labels, _plain(ranking.missing)))
    return changes


def _columns(obs: pd.DataFrame, ranking: Ranking, instances: npt.NDArray[Any]) -> dict[str, pd.Series[Any]]:
    """Return the columns of a review for the rows of a table; decisions that were made stay."""
    at = pd.Index(ranking.cells).get_indexer(pd.Index(instances))
    known = at >= 0
    scores = np.where(known, ranking.scores[at], np.nan)
    kinds = [ranking.kinds[i] if i >= 0 else NOTHING for i in at]
    words = [ranking.reasons[i] if i >= 0 else "" for i in at]
    said = obs[SEAM].astype(str).map(SEAM_WORDS) if SEAM in obs else pd.Series(np.nan, index=obs.index, dtype=object)
    for row in np.flatnonzero(said.notna().to_numpy() & known):
        kinds[row] = kinds[row] if scores[row] >= _SEAM_SCORE else SEAM
        scores[row] = max(scores[row], _SEAM_SCORE)
        words[row] = "; ".join(w for w in (words[row], joined([(said.iloc[row], _SEAM_SCORE)])) if w)
    return {
        SUSPICION: pd.Series(scores, index=obs.index),
        REASON: pd.Series(pd.Categorical(kinds, categories=list(titles())), index=obs.index),
        REASONS: pd.Series(words, index=obs.index, dtype=object),
        STATE: pd.Series(pd.Categorical.from_codes(states_of(obs), categories=list(STATES)), index=obs.index),
    }


def _new_table(labels: str, ranking: Ranking) -> Any:
    from anndata import AnnData

    cells = ranking.cells
    obs = ranking.measures.copy()
    obs.index = pd.Index([str(c) for c in cells])
    obs.insert(0, "instance_id", cells)
    obs.insert(0, "region", pd.Categorical([labels] * len(cells), categories=[labels]))
    for column, values in _columns(obs, ranking, cells).items():
        obs[column] = values
    table = AnnData(X=np.zeros((len(cells), 0), np.float32), obs=obs)
    table.uns["spatialdata_attrs"] = {"region": labels, "region_key": "region", "instance_key": "instance_id"}
    return table


def _plain(missing: Places) -> dict[str, Any]:
    return {
        "where": np.round(missing.where, 1).tolist(),
        "areas_px": missing.areas_px.tolist(),
        "scores": np.round(missing.scores, 4).tolist(),
        "words": list(missing.words),
    }
