"""A judge for tests: cells are as suspicious as they are small, and every call is written down."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_spatialml.core import suspicion
from napari_spatialml.core.suspicion import Missing, Reason, Suspicions


class Judge:
    """Replaces the scores and the missing places by ones that can be foretold."""

    def __init__(self) -> None:
        self.seen: list[SimpleNamespace] = []
        self.places: list[tuple[float, float, int, float]] = []

    def suspicions(self, evidence, report=None):
        ids, n = np.unique(evidence.labels[evidence.labels > 0], return_counts=True)
        self.seen.append(SimpleNamespace(evidence=evidence, cells=ids.tolist()))
        scores = 1 / (1 + n / 200)
        reasons = tuple((Reason("area", float(s), f"{k} px; small"), Reason("shape", 0.1, "odd")) for s, k in zip(scores, n))
        return Suspicions(ids.astype(np.int64), scores, reasons)

    def missing(self, evidence, report=None):
        y0, x0 = evidence.offset
        h, w = evidence.labels.shape
        inside = [p for p in self.places if y0 <= p[0] < y0 + h and x0 <= p[1] < x0 + w]
        where = np.array([p[:2] for p in inside], float).reshape(-1, 2)
        areas, scores = np.array([p[2] for p in inside], int), np.array([p[3] for p in inside], float)
        return Missing(where, areas, scores, tuple(f"{p[2]} px of foreground" for p in inside))


@pytest.fixture
def judge(monkeypatch):
    made = Judge()
    monkeypatch.setattr(suspicion, "suspicions", made.suspicions)
    monkeypatch.setattr(suspicion, "missing", made.missing)
    return made
