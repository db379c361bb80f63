"""The demonstration without a window: a section walks the whole way, is measured, and leaves a report."""

from .walk import Options, Row, Walk, walk

__all__ = ["Options", "Row", "Walk", "walk"]
