"""Proportions as bytes for the graphics card: where each sector of a pie ends, and which type it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput

__all__ = ["MOST_TYPES", "WIDEST", "in_lines", "packed"]

MOST_TYPES = 254
"""Types that a pie can have: one byte names them, and one number is left for none."""
WIDEST = 4096
"""Texels along a texture's line; every card has room for so many."""
Bytes = npt.NDArray[np.uint8]


def packed(values: npt.NDArray[Any], nothing: int) -> Bytes:
    """Return the sectors of pies.

    Parameters
    ----------
    values
        (n, t) proportions; they are divided by their sum. Below 0, NaN and infinity count as 0.
    nothing
        The number of what a row without any proportion is drawn as.

    Returns
    -------
    (n, t, 4)
        The end of each sector as a share of the turn (high byte, low byte), its type, and 255. Sectors of no
        width are left out; places that are left over hold the last sector again, so that any search ends there.

    Raises
    ------
    BadInput
        When there are more types than a byte can name.
    """
    n, t = values.shape
    if not 0 < t <= MOST_TYPES:
        raise BadInput(f"{t} cell types cannot be drawn as pies.", f"Merge them into at most {MOST_TYPES}.")
    from ..core.sector_kernels import sectors

    made = np.full((n, t, 4), 255, np.uint8)
    sectors(values, nothing, made)
    return made


def in_lines(blocks: Bytes) -> tuple[Bytes, int]:
    """Return blocks (n, m, 4) as a texture (lines, texels, 4) with whole blocks to a line, and how many a line has."""
    n, m = blocks.shape[:2]
    a_line = max(min(WIDEST // m, n), 1)
    lines = max(-(-n // a_line), 1)
    texture = np.zeros((lines * a_line, m, 4), np.uint8)
    texture[:n] = blocks
    return texture.reshape(lines, a_line * m, 4), a_line
