"""Registration by landmark pairs that the hand has placed."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np

from ...core.landmark_trust import certainty_of, trust_in
from ...core.landmarks import judge
from ...core.method import Advanced, Interval, method
from ...core.registration import Alignment, Pair, Registrar
from ...core.report import Report, silent
from ...errors import BadInput


@method(title="Landmarks", citation="Bookstein 1989, doi:10.1109/34.24792")
class Landmarks(Registrar):
    """Bring the moving section onto the fixed one by pairs of landmarks.

    A similarity (2 pairs or more) turns, scales, shifts and may mirror; an affine transform
    (3 or more) also shears; a thin-plate spline (3 or more) bends, as stiffly as leaving each
    landmark out in turn advises. "auto" takes the simplest of the three that predicts left-out
    landmarks no worse.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"landmarks"})

    model: Literal["auto", "similarity", "affine", "spline"] = "auto"
    """What the moving section may do: "auto" lets the landmarks decide."""
    reflection: Literal["auto", "never"] = "auto"
    """Whether the moving section may be turned over, where the landmarks say so clearly."""
    ridge: Annotated[float | None, Interval(ge=0), Advanced()] = None
    """Stiffness of the spline: 0 passes through every landmark; empty chooses by leave-one-out."""

    def __call__(self, pair: Pair, report: Report = silent) -> Alignment:
        """Fit the transform from ``pair.moving.landmarks`` to ``pair.fixed.landmarks``.

        Raises
        ------
        BadInput
            When landmarks are missing, too few, on one place or on one line.
        """
        report(0.0, "Fitting the landmarks")
        moving, fixed = pair.moving.landmarks, pair.fixed.landmarks
        if moving is None or fixed is None:
            raise BadInput("There are no landmarks.", "Place at least 2 pairs, on both sections.")
        judged = judge(moving, fixed, self.model, "auto" if self.reflection == "auto" else "forbidden", self.ridge)
        if judged.transform is None:
            raise BadInput(judged.why)
        if not np.isfinite(judged.transform.apply(moving)).all():
            raise BadInput("The landmarks give no finite transform.", "Spread them over the section.")
        report(0.5, f"Fitted: {judged.model}")
        certainty = certainty_of(judged, moving, pair.fixed)
        trust = trust_in(judged, moving, fixed, certainty)
        report(1.0, f"Fitted: {judged.model}")
        return Alignment(judged.transform, trust=trust, certainty=certainty)
