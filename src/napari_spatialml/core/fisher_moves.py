"""How steps of `fisher` are taken: cut where they were too long, and continued where they shrink steadily."""

from __future__ import annotations

from typing import Any

__all__ = ["Moves"]

_TURNED = 0.5
_STEADY = 0.8


class Moves:
    """Where the rows are, and the step that took them there.

    Parameters
    ----------
    at
        (n, t) ≥ 0 where the rows start; an array of numpy or of torch.
    xp
        The module it is of.
    """

    def __init__(self, at: Any, xp: Any) -> None:
        self.at, self.xp = at, xp
        self.moved = xp.zeros_like(at)
        self.gain = xp.zeros_like(at[:, 0])

    def keep(self, rows: Any) -> None:
        """Go on with some rows only."""
        self.at, self.moved, self.gain = self.at[rows], self.moved[rows], self.gain[rows]

    def step(self, right: Any, product: Any, ridge: Any, wanted: Any, free: Any) -> Any:
        """Take a step, and return (n,) by how much the largest share of each row has moved.

        Parameters
        ----------
        right
            (n, t) weighted counts.
        product
            (n, t) information times where the rows are.
        ridge
            (n,) what is added to the diagonal of the information.
        wanted
            (n, t) where the quadratic problem is solved.
        free
            (n,) bool: rows without ranges, which may go on further than that.
        """
        xp = self.xp
        slope = right - product - ridge[:, None] * self.at
        turned = (slope * self.moved).sum(1)
        # where a row has arrived, gain and slope are rounding: a step is not cut by them
        cut = (self.gain > 0) & (turned < -_TURNED * self.gain)
        wanted = xp.where(free[:, None], self._further(wanted), wanted)
        moved = wanted - self.at
        gain = (slope * moved).sum(1)
        back = xp.where(cut, self.gain / xp.where(cut, self.gain - turned, 1.0), 0.0)
        last = self.at - self.moved
        self.at = xp.where(cut[:, None], last + back[:, None] * self.moved, wanted)
        change = xp.amax(xp.abs(self.at - (last + self.moved)), 1) / xp.clip(self.at.sum(1), 1e-300, None)
        self.moved = xp.where(cut[:, None], back[:, None] * self.moved, moved)
        self.gain = xp.where(cut, back * self.gain, gain)
        return change

    def _further(self, wanted: Any) -> Any:
        """Go on to where steps that shrink by one ratio would end."""
        xp = self.xp
        moved = wanted - self.at
        ratio = (moved * self.moved).sum(1) / xp.clip((self.moved**2).sum(1), 1e-300, None)
        ratio = xp.where(xp.abs(ratio) < _STEADY, ratio, 0.0)
        further = xp.clip(wanted + (ratio / (1 - ratio))[:, None] * moved, 0.0, None)
        return xp.where(wanted > 0, further, 0.0)
