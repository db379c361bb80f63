"""The demonstration without a window: a section walks the whole way, is measured, and leaves a report."""

from .options import Options, StatedUnits
from .walk import Row, Walk, walk

__all__ = ["Options", "Row", "StatedUnits", "Walk", "walk"]
