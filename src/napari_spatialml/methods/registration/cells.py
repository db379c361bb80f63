"""Registration of cells onto cells or nuclei by where they lie and what they are."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from ...core.cell_codes import joint_codes
from ...core.method import Advanced, Interval, Means, Unit, method
from ...core.registration import Alignment, Candidate, Pair, Registrar, Side
from ...core.report import Report, silent
from ...errors import BadInput

_SMALL = 50_000
"""Up to so many cells a side "auto" returns the coupling."""


@method(title="Cells", citation="Chui & Rangarajan 2003, doi:10.1016/S1077-3142(03)00009-2")
class Cells(Registrar):
    """Bring cells onto the cells or nuclei of another table, a million of them if need be.

    Every turn of the section is tried, as it is and turned over, by the density of its cells, of each type
    where both sides have features. The best are followed from coarse to fine, and bent where the densities ask for
    it; at the end cells find partners of their own type nearby, or none. Both sides may lack cells, and may overlap
    only in part. The cells' positions alone are enough: cells find the nuclei of a stained section so.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"points"})

    movement: Literal["rigid", "similarity", "affine"] = "similarity"
    """What the section may do as a whole: turn and shift; also shrink; also shear."""
    bend: bool = True
    """Whether it may also bend smoothly."""
    reflection: Literal["auto", "never"] = "auto"
    """Whether the section may be turned over, where that fits better."""
    stiffness_um: Annotated[float, Interval(ge=0), Unit("µm"), Means(0, "ten cell distances", 100), Advanced()] = 0.0
    """Over which distance neighbouring cells move alike."""
    coupling: Annotated[Literal["auto", "always", "never"], Advanced()] = "auto"
    """Whether to tell which cell lies on which: "auto" does for up to 50,000 cells a side."""
    seed: Annotated[int, Interval(ge=0), Advanced()] = 0
    """Seed of the kinds into which continuous features are cut."""

    def __call__(self, pair: Pair, report: Report = silent) -> Alignment:
        """Match ``pair.moving.points`` to ``pair.fixed.points``, by ``features`` too where both sides have them.

        Raises
        ------
        BadInput
            When points are missing, fewer than three, or all on one spot; when the features differ in number.
        """
        from ...core.matching_trust import certainty_of, trust_of
        from ...core.partners import coupling_of
        from ...core.point_matching import match_points

        report(0.0, "Reading the cells")
        fixed, moving = _points(pair.fixed, "fixed"), _points(pair.moving, "moving")
        codes = self._codes(pair, len(fixed), len(moving))
        # the order of the rows must not decide anything, not even the last bit
        first, second = (np.lexsort((c, p[:, 1], p[:, 0])) for p, c in zip((fixed, moving), codes[:2], strict=True))
        found = match_points(
            fixed[first], moving[second], codes[0][first], codes[1][second], codes[2],
            movement=self.movement, bend=self.bend, stiffness_um=self.stiffness_um,
            reflections=(False, True) if self.reflection == "auto" else (False,), report=report,
        )  # fmt: skip
        ways = tuple(Candidate(one.placement.movement, one.score) for one in found.stages[:4])
        small = max(len(fixed), len(moving)) <= _SMALL
        wanted = self.coupling == "always" or (self.coupling == "auto" and small)
        coupling = coupling_of(found.partners, fixed, found.placement.apply(moving), *codes[:2]) if wanted else None
        trust = trust_of(found, len(fixed), len(moving))
        report(1.0, f"{trust.figures['matched share']:.0%} of the cells have a partner")
        return Alignment(found.placement.transform(), coupling, ways, trust, certainty_of(found))

    def _codes(self, pair: Pair, n: int, m: int) -> tuple[Any, Any, int]:
        fixed, moving = pair.fixed.features, pair.moving.features
        if fixed is None or moving is None:
            return np.zeros(n, np.int64), np.zeros(m, np.int64), 1
        return joint_codes(fixed, moving, self.seed)


def _points(side: Side, name: str) -> Any:
    n = 0 if side.points is None else len(side.points)
    if side.points is None or n < 3:
        raise BadInput(
            f"The {name} side has {n} cell{'' if n == 1 else 's'}.",
            "Choose a table with at least 3 cells, better hundreds.",
        )
    if np.ptp(side.points, axis=0).max() == 0:
        raise BadInput(f"All {n} cells of the {name} side lie on one spot.", "Choose a table whose cells have places.")
    return np.asarray(side.points)
