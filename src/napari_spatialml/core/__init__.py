"""Pure computation on arrays: the kinds' Inputs and Results, transforms, labels, graphs, colours.

Arrays are (c, y, x); coordinates are (y, x) in µm, float64. Nothing here knows napari, Qt or
SpatialData.
"""

from .count_rows import CountRows
from .deconvolution import Constraints, Deconvolver, Fitted, Proportions, Reference, Spots
from .domains import Cells, DomainDetector, Domains, Embedded
from .embedding import Embedder, Embedding, Features
from .method import Advanced, Interval, Method, Parameter, Unit, method, parameters
from .registration import Alignment, Candidate, Certainty, Pair, Registrar, Side, Trust
from .report import Report, part, silent
from .segmentation import Masks, Pixels, Segmenter
from .transform import Affine, Chain, DisplacementField, LocalWarp, ThinPlateSpline, Transform

__all__ = [
    "Advanced",
    "Affine",
    "Alignment",
    "Candidate",
    "Cells",
    "Certainty",
    "Chain",
    "Constraints",
    "CountRows",
    "Deconvolver",
    "DisplacementField",
    "DomainDetector",
    "Domains",
    "Embedded",
    "Embedder",
    "Embedding",
    "Features",
    "Fitted",
    "Interval",
    "LocalWarp",
    "Masks",
    "Method",
    "Pair",
    "Parameter",
    "Pixels",
    "Proportions",
    "Reference",
    "Registrar",
    "Report",
    "Segmenter",
    "Side",
    "Spots",
    "ThinPlateSpline",
    "Transform",
    "Trust",
    "Unit",
    "method",
    "parameters",
    "part",
    "silent",
]
