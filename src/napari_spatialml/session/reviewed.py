"""What a review keeps of each cell, in the table of its labels: how suspicious, why, and what was decided."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = [
    "ACCEPTED",
    "FIXED",
    "NOTHING",
    "PENDING",
    "REASON",
    "REASONS",
    "STATE",
    "STATES",
    "SUSPICION",
    "WRONG",
    "by_hand",
    "joined",
    "parted",
    "states_of",
]

SUSPICION, REASON, REASONS, STATE = "suspicion", "reason", "reasons", "review"
"""Columns of obs: a probability to be wrong; the kind of the strongest reason; all in words; what was decided."""
STATES = PENDING, ACCEPTED, FIXED, WRONG = "pending", "accepted", "fixed", "wrong"
NOTHING = "nothing"
"""The kind of reason of a cell that nothing speaks against."""
_REASON = re.compile(r"(.*) \((\d{1,3}) %\)")

Reason = tuple[str, float]
"""Words, and a strength from 0 to 1."""


def by_hand(table: Any) -> Any:
    """Say in rows that a hand has just made that their cells are fixed; return the table.

    Parameters
    ----------
    table
        New rows of the touched cells. Without a column of decisions nothing happens: no review was begun.
    """
    if STATE in table.obs:
        table.obs[STATE] = pd.Categorical([FIXED] * table.n_obs, categories=list(STATES))
        if REASONS in table.obs:  # a new cell has no reasons yet: a store keeps no missing text
            table.obs[REASONS] = table.obs[REASONS].astype(object).fillna("")
    return table


def states_of(obs: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return the place of each row's decision in ``STATES``; who has none is pending."""
    if STATE not in obs:
        return np.zeros(len(obs), dtype=np.int64)
    codes = pd.Categorical(obs[STATE].astype(object), categories=list(STATES)).codes
    return np.maximum(np.asarray(codes, dtype=np.int64), 0)


def joined(reasons: Sequence[Reason]) -> str:
    """Return reasons as one text that a person can read: "Two nuclei (93 %); Large: 412 µm² (61 %)"."""
    plain = ((words.replace(";", ",").rstrip("."), round(100 * strength)) for words, strength in reasons)
    return "; ".join(f"{words} ({percent} %)" for words, percent in plain)


def parted(text: Any) -> tuple[Reason, ...]:
    """Return the reasons that `joined` wrote."""
    if not isinstance(text, str):
        return ()
    found = (_REASON.fullmatch(part) for part in text.split("; "))
    return tuple((m.group(1), int(m.group(2)) / 100) for m in found if m is not None)
