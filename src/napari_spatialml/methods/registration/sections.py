"""Registration of consecutive sections by what their spots or cells express."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from ...core.method import Advanced, Interval, method
from ...core.registration import Alignment, Candidate, Certainty, Pair, Registrar, Side
from ...core.report import Report, part, silent
from ...core.section_bend import bend, drift
from ...core.section_evidence import Sections
from ...core.section_placement import Placement, place_section
from ...core.section_refinement import match_points
from ...core.section_trust import agreement, lead, permuted, standing_out, trust_of
from ...core.shared_expression import shared_expression
from ...errors import BadInput

_FEWEST = 10
_SHOWN = 4
_NODES = 1500
"""Places of a section that take part in the search; more points are averaged on a grid."""


@method(title="Consecutive sections", citation="Vayer et al. 2020, doi:10.3390/a13090212")
class ConsecutiveSections(Registrar):
    """Bring a section onto its neighbour by what their spots or cells express.

    Every rotation is tried, mirrored and not; the best are followed up by partial fused
    Gromov–Wasserstein transport and by an expectation-maximisation that moves the section until its
    expression fits. The sections may overlap in part, lie on other lattices, and differ gene by gene
    in depth. What it returns besides the map is the soft matching of the points, the other ways in
    which the section may lie, and how far to believe it.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"points", "features"})

    movement: Literal["rigid", "similarity"] = "rigid"
    """Whether the section only turns and shifts, or may shrink and grow too."""
    reflection: Literal["auto", "never"] = "auto"
    """Whether the moving section may be turned over, where the expression says so."""
    bend: bool = False
    """Whether the section is bent smoothly after it was placed, as far as genes that were held back agree."""
    overlap: Annotated[float, Interval(ge=0.2, le=1)] = 0.5
    """At least this share of the smaller section lies on the other."""
    alpha: Annotated[float, Interval(ge=0, le=0.95), Advanced()] = 0.5
    """Weight of the expression beside that of the place when points are matched."""
    n_starts: Annotated[int, Interval(ge=8, le=180), Advanced()] = 36
    """Rotations tried, each mirrored and not."""
    seed: Annotated[int, Interval(ge=0, le=2**31 - 1), Advanced()] = 0
    """Number that fixes the shuffled expression, against which the result is held."""

    def __call__(self, pair: Pair, report: Report = silent) -> Alignment:
        """Find the map from ``pair.moving`` to ``pair.fixed`` from points and features.

        Raises
        ------
        BadInput
            When points or features are missing or too few, when the sides have different features, or when
            no feature varies on both.
        """
        report(0.0, "Reading the expression")
        fixed, fixed_features = _read(pair.fixed, "fixed")
        moving, moving_features = _read(pair.moving, "moving")
        shared = shared_expression(fixed_features, moving_features, fixed, moving, report=part(report, 0.0, 0.3))
        everything = Sections(fixed, moving, shared.fixed, shared.moving)
        others = Sections(fixed, moving, shared.others_fixed, shared.others_moving)
        seen, unseen = everything.fewer(_NODES), others.fewer(_NODES)
        placements = place_section(
            seen,
            unseen,
            self.n_starts,
            self.overlap,
            self.alpha,
            self.movement,
            self.reflection == "auto",
            part(report, 0.3, 0.8),
        )
        best = placements[0]
        trust = trust_of(self._figures(unseen, placements))
        transform = bend(seen, unseen, best.transform, part(report, 0.8, 0.9)) if self.bend else best.transform
        report(0.9, "Matching the points")
        coupling = match_points(everything, transform, alpha=self.alpha)
        asked = drift(seen, transform)
        moved = transform.apply(asked.source)
        error = np.sqrt(((asked.target - moved) ** 2).sum(1) + 2 * asked.error_um**2)
        report(1.0, "Registered")
        return Alignment(
            transform,
            coupling,
            tuple(Candidate(one.transform, one.score) for one in _shown(placements)),
            trust,
            Certainty(moved, error),
        )

    def _figures(self, unseen: Sections, placements: list[Placement]) -> dict[str, float]:
        """Return what the trust rests on, from genes that were not fitted."""
        best = placements[0]
        rivals = [lead(unseen, best.transform, one.transform) for one in placements[1:]]
        mirrored = [v for v, one in zip(rivals, placements[1:], strict=True) if _flipped(one, best)]
        figures = {
            "agreement": agreement(unseen, best.transform),
            "lead": min(rivals, default=0.0),
            "correlation": best.correlation,
            "overlap": best.overlap,
            "information": best.score,
            "plan rank": best.rank,
            "plan residual um": best.residual_um,
            "times the next turn": standing_out(unseen, best.transform, [one.transform for one in placements[1:]]),
            "shuffled correlation": permuted(unseen, best.transform, np.random.default_rng(self.seed)),
        }
        if mirrored:
            figures["lead over mirrored"] = min(mirrored)
        return figures


def _flipped(one: Placement, other: Placement) -> bool:
    return one.transform.reflects != other.transform.reflects


def _shown(placements: list[Placement]) -> list[Placement]:
    """Return the best ways to lie; the best mirrored one is always among them."""
    shown = placements[:_SHOWN]
    mirrored = next((one for one in placements if _flipped(one, placements[0])), None)
    if mirrored is not None and mirrored not in shown:
        shown[-1] = mirrored
    return shown


def _read(side: Side, name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the points and the features, if expression can place them."""
    if side.points is None or side.features is None:
        raise BadInput(f"The {name} side has no expression.", "Choose a table of counts whose rows have coordinates.")
    n, places = len(side.points), len(np.unique(side.points, axis=0))
    if places < _FEWEST:
        raise BadInput(
            f"The {name} side has {n} points on {places} places.", f"Expression needs at least {_FEWEST} places."
        )
    spread = np.linalg.svd(side.points - side.points.mean(0), compute_uv=False)
    if spread[1] < 1e-6 * spread[0]:
        raise BadInput(f"All points of the {name} side lie on one line.", "Choose a section with both directions.")
    return side.points, side.features
