"""The diameter of nuclei is that of the best of four scales, of which most need not be tried."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatialml.core import flow_diameter

GUESS = 30.0
PLANES = np.zeros((3, 8, 8), np.float32)


# merit and diameter over the guess, from the finest scale to the coarsest; which win, and how many must be looked at
@pytest.mark.parametrize(
    ("merits", "across", "best", "passes"),
    [
        ((0.010, 0.050, 0.000, 0.0), (0.9, 1.1, 2.0, 4.0), 1, 1),  # taken as they are
        ((0.039, 0.030, 0.000, 0.0), (0.6, 0.6, 2.0, 4.0), 0, 2),  # small
        ((0.021, 0.036, 0.003, 0.0), (0.8, 0.8, 1.2, 4.0), 1, 2),
        ((0.000, 0.002, 0.121, 0.055), (0.5, 1.6, 2.6, 2.9), 2, 3),  # large
        ((0.003, 0.001, 0.030, 0.140), (0.7, 0.8, 2.3, 4.4), 3, 4),  # larger: pieces of them look small
        ((0.000, 0.030, 0.121, 0.055), (0.5, 1.8, 2.6, 2.9), 2, 3),
        ((0.008, 0.005, 0.002, 0.0), (0.5, 0.6, 1.2, 4.0), 0, 3),  # faint
        ((0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0), None, 3),  # empty
    ],
)
def test_the_scale_of_highest_merit_wins(
    merits: tuple[float, ...],
    across: tuple[float, ...],
    best: int | None,
    passes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[int] = []

    def tried(net: object, planes: object, guess: float, scale: float, device: str) -> tuple[float, float]:
        looked.append(1 - round(np.log2(scale * guess / flow_diameter.NOMINAL)))
        return merits[looked[-1]], across[looked[-1]] * guess

    monkeypatch.setattr(flow_diameter, "_tried", tried)
    found = flow_diameter.estimate_diameter(None, PLANES, GUESS, "cpu")
    assert found == pytest.approx(GUESS if best is None else across[best] * GUESS)
    assert len(looked) == len(set(looked)) == passes and looked[0] == 1
