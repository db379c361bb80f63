"""The fitted numbers: trees for the score, and for each kind of reason how much its measures say."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .measure import Columns
from .relative import FEATURES
from .trees import Trees

__all__ = ["PRIOR", "Model", "Term", "default_model", "logistic", "oddness"]

Floats = npt.NDArray[np.float64]
_FOLDER = Path(__file__).parent
SECOND = 2.1075
"""Gain of the log-odds of a cell that other labels do not have; fitted where these were of the mirrored image."""
FARTHEST = 8.0
"""Scales beyond which a measure is not odder."""
PRIOR = -2.2
"""Log-odds of being wrong of a cell about which nothing is known: one in ten."""


def logistic(x: Floats | float) -> Floats:
    """Return 1 / (1 + exp(-x)), without overflow."""
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -40, 40))))


@dataclass(frozen=True)
class Term:
    """One measure's part in a kind of reason: how far it lies on the odd side of the usual.

    Parameters
    ----------
    feature
        One of `FEATURES`.
    side
        1: odd where large; -1: odd where small.
    usual
        Median among cells that are right.
    start, scale
        Where it begins to be odd, and how far beyond that it is odder by one.
    weight
        Gain of the log-odds of being wrong for each scale, ≥ 0.
    """

    feature: str
    side: int
    usual: float
    start: float
    scale: float
    weight: float

    def gain(self, values: Floats) -> Floats:
        """Return the gain of the log-odds; 0 without evidence."""
        return np.asarray(self.weight * oddness(values, self.side, self.start, self.scale))


def oddness(values: Floats, side: int, start: float, scale: float) -> Floats:
    """Return how many scales beyond the start the values lie, 0 to `FARTHEST`; 0 without evidence."""
    return np.asarray(np.nan_to_num(np.clip(side * (values - start) / scale, 0, FARTHEST)))


@dataclass(frozen=True, eq=False)
class Score:
    """Trees whose sum is the log-odds of being wrong, and their calibration: log-odds = slope · sum + start."""

    trees: Trees
    slope: float
    start: float

    def __call__(self, rows: Floats) -> Floats:
        """Return the log-odds of (n, features) rows."""
        return np.asarray(self.slope * self.trees(rows) + self.start)


@dataclass(frozen=True, eq=False)
class Model:
    """How features become a score and reasons.

    Parameters
    ----------
    asked, unasked
        For cells about which a network was asked, and for others.
    reasons
        For each kind, what a cell loses that has nothing odd (a log-odds ≤ 0), and the terms.
    """

    asked: Score
    unasked: Score
    reasons: dict[str, tuple[float, tuple[Term, ...]]]

    def probability(self, features: Columns) -> Floats:
        """Return (n,) the probability of being wrong."""
        rows = np.stack([features[name] for name in FEATURES], axis=1).astype(np.float32).astype(np.float64)
        asked = np.isfinite(features["chance"])
        odds = np.empty(len(rows))
        for score, where in ((self.asked, asked), (self.unasked, ~asked)):
            odds[where] = score(rows[where])
        return logistic(odds + SECOND * np.nan_to_num(1 - features["second"]))

    def strengths(self, features: Columns) -> dict[str, tuple[Floats, Floats]]:
        """Return for each kind (n,) the probability of being wrong of a cell of which only this is known, and
        (terms, n) what each term adds to its log-odds."""
        found = {}
        for kind, (base, terms) in self.reasons.items():
            if terms:
                gains = np.stack([term.gain(features[term.feature]) for term in terms])
                found[kind] = (logistic(PRIOR + base + gains.sum(0)), gains)
        return found


@lru_cache(maxsize=1)
def default_model() -> Model:
    """Return the model that is shipped; `training/suspicion.py` makes it."""
    plain = json.loads((_FOLDER / "reasons.json").read_text(encoding="utf-8"))
    scores = {}
    with np.load(_FOLDER / "trees.npz", allow_pickle=False) as held:
        for name, (slope, start) in plain["calibration"].items():
            arrays = {f.name: held[f"{name}_{f.name}"] for f in fields(Trees)}
            scores[name] = Score(Trees(**arrays | {"start": float(arrays["start"])}), slope, start)
    reasons = {kind: (base, tuple(Term(*term) for term in terms)) for kind, (base, terms) in plain["reasons"].items()}
    return Model(scores["asked"], scores["unasked"], reasons)
