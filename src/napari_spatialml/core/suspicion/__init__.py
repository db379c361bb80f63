"""Which cells are likely wrong, why, and where one is missing."""

from .evidence import Evidence, Field
from .judge import joined, judge, suspicions
from .looks import TURNS, Looks, asked
from .measure import Measures, measure
from .missing import missing
from .molecules import exclusive_pairs
from .relative import FEATURES, Usual, relative, usual_of
from .verdict import KINDS, Missing, Reason, Suspicions

__all__ = [
    "FEATURES",
    "KINDS",
    "TURNS",
    "Evidence",
    "Field",
    "Looks",
    "Measures",
    "Missing",
    "Reason",
    "Suspicions",
    "Usual",
    "asked",
    "exclusive_pairs",
    "joined",
    "judge",
    "measure",
    "missing",
    "relative",
    "suspicions",
    "usual_of",
]
