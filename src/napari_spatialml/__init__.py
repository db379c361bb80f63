"""Correct, recount, save and prove what machines found in a tissue section.

Importing the package is cheap: it loads neither torch, scanpy, spatialdata nor napari.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
