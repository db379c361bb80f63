"""How sure proportions are: intervals, standard errors, and spots with a type that is not in the reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .box_simplex import obeying
from .count_model import Fit, Options
from .deconvolution import Reference
from .interval_calibration import calibrated_intervals
from .outside import outside
from .rehearsal import rehearse
from .report import Report, part, silent
from .unknown_type import apart_from_unknown

__all__ = ["Uncertainty", "uncertainty"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Uncertainty:
    """(n, t) ends of the 90 % intervals and standard errors, NaN without counts; (n,) a type is missing."""

    lower: Array
    upper: Array
    standard_errors: Array
    outside: npt.NDArray[np.bool_]


def uncertainty(
    found: Fit, reference: Reference, options: Options, seed: int = 0, report: Report = silent
) -> tuple[Fit, Uncertainty]:
    """Return a fit in which a type that is missing from the reference has its part, and how sure its proportions are.

    Parameters
    ----------
    found
        The fit.
    reference, options
        What it was fitted with.
    seed
        Of the spots of the rehearsal.

    Notes
    -----
    A rehearsal, whose cost does not grow with the spots, and one more look at all counts.
    """
    rehearsal = rehearse(found, reference, options, seed, part(report, 0.0, 0.8))
    assert rehearsal.fitted is not None
    report(0.8, "Spots with a type that is not in the reference")
    missing = outside(found, rehearsal.fitted)
    share, rows = missing.share, None
    apart = apart_from_unknown(found, missing.flags, options.device)
    if apart is not None:
        found, rows, share = apart.fit, apart.rows, np.where(apart.rows, apart.share, share)
    values = obeying(found.values, found.reference.types, found.constraints)
    told = calibrated_intervals(found, values, rehearsal, share, rows)
    report(1.0)
    return found, Uncertainty(told.lower, told.upper, told.errors, missing.flags)
