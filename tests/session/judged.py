"""A judge for tests: cells are as suspicious as they are small, and every call is written down."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_spatialml.core import suspicion
from napari_spatialml.core.suspicion import Missing, Reason, Suspicions, Usual


class Judge:
    """Replaces the scores and the missing places by ones that can be foretold."""

    def __init__(self) -> None:
        self.seen: list[SimpleNamespace] = []
        self.usual: list[Usual | None] = []
        self.places: list[tuple[float, float, int, float]] = []

    def measure(self, evidence, report=None):
        ids, n = np.unique(evidence.labels[evidence.labels > 0], return_counts=True)
        y0, x0 = evidence.offset
        whole = []
        for k in ids:
            y, x = np.nonzero(evidence.labels == k)
            h, w = evidence.labels.shape
            low, high = (y.min() > 0 or y0 == 0) and (x.min() > 0 or x0 == 0), (y.max() + 1 < h, x.max() + 1 < w)
            ends = (y0 + h == evidence.whole[0], x0 + w == evidence.whole[1])
            whole.append(low and all(a or b for a, b in zip(high, ends, strict=True)))
        measured = dict(zip(ids[whole].tolist(), n[whole].tolist(), strict=True))
        self.seen.append(SimpleNamespace(evidence=evidence, cells=list(measured)))
        return measured

    def judge(self, measured, usual=None):
        self.usual.append(usual)
        sizes = {k: n for one in measured for k, n in one.items()}
        ids = sorted(sizes)
        scores = [1 / (1 + sizes[k] / 200) for k in ids]
        reasons = tuple(
            (Reason("area", s, f"{sizes[k]} px; small."), Reason("shape", 0.1, "Odd."))
            for k, s in zip(ids, scores, strict=True)
        )
        return Suspicions(np.array(ids, np.int64), np.array(scores, float), reasons)

    def missing(self, evidence, report=None):
        y0, x0 = evidence.offset
        h, w = evidence.labels.shape
        inside = [p for p in self.places if y0 <= p[0] < y0 + h and x0 <= p[1] < x0 + w]
        where = np.array([p[:2] for p in inside], float).reshape(-1, 2)
        areas, scores = np.array([p[2] for p in inside], int), np.array([p[3] for p in inside], float)
        return Missing(where, areas, scores, tuple(f"{p[2]} px of foreground" for p in inside))

    def install(self, patch) -> None:
        """Take the place of what judges."""
        patch.setattr(suspicion, "measure", self.measure)
        patch.setattr(suspicion, "judge", self.judge)
        patch.setattr(suspicion, "missing", self.missing)
        patch.setattr(suspicion, "joined", lambda measured: measured)
        patch.setattr(suspicion, "usual_of", lambda measured: Usual(5.0, 0.4))


@pytest.fixture
def judge(monkeypatch):
    made = Judge()
    made.install(monkeypatch)
    return made
