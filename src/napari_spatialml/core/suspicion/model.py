"""The fitted numbers: trees for the score, and for each kind of reason how much its measures say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .measure import Columns
from .relative import FEATURES
from .trees import Trees

__all__ = ["Model", "Term", "default_model", "logistic"]

Floats = npt.NDArray[np.float64]
_FOLDER = Path(__file__).parent
_FARTHEST = 6.0  # scales beyond which a measure is not odder


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
    usual, scale
        Median and spread among cells that are right.
    weight
        Gain of the log-odds of being wrong for each scale, ≥ 0.
    """

    feature: str
    side: int
    usual: float
    scale: float
    weight: float

    def gain(self, values: Floats) -> Floats:
        """Return the gain of the log-odds; 0 without evidence."""
        odd = self.side * (values - self.usual) / self.scale
        return np.asarray(self.weight * np.nan_to_num(np.clip(odd, 0, _FARTHEST)))


@dataclass(frozen=True, eq=False)
class Model:
    """How features become a score and reasons.

    Parameters
    ----------
    trees
        Their sum is the log-odds of being wrong.
    slope, start
        Calibration: log-odds = slope · sum + start.
    base
        Log-odds of a cell about which nothing is unusual.
    reasons
        The terms of each kind.
    """

    trees: Trees
    slope: float
    start: float
    base: dict[str, float]
    reasons: dict[str, tuple[Term, ...]]

    def probability(self, features: Columns) -> Floats:
        """Return (n,) the probability of being wrong."""
        rows = np.stack([features[name] for name in FEATURES], axis=1).astype(np.float32).astype(np.float64)
        return logistic(self.slope * self.trees(rows) + self.start)

    def gains(self, features: Columns) -> dict[str, Floats]:
        """Return for each kind (terms, n) the gain of the log-odds by each term."""
        n = len(features[FEATURES[0]])
        return {
            kind: np.stack([term.gain(features[term.feature]) for term in terms]) if terms else np.zeros((0, n))
            for kind, terms in self.reasons.items()
        }


@lru_cache(maxsize=1)
def default_model() -> Model:
    """Return the model that is shipped; `training/suspicion.py` makes it."""
    with np.load(_FOLDER / "trees.npz", allow_pickle=False) as held:
        names = ("feature", "threshold", "left", "right", "missing_left", "value", "roots")
        trees = Trees(*(held[name] for name in names), start=float(held["start"]))
    plain = json.loads((_FOLDER / "reasons.json").read_text(encoding="utf-8"))
    reasons = {kind: tuple(Term(*term) for term in terms) for kind, terms in plain["reasons"].items()}
    return Model(trees, plain["slope"], plain["start"], plain["base"], reasons)
