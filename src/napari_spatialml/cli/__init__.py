"""The command line: the same runs without a window, generated from the methods' own fields."""

from .app import main

__all__ = ["main"]
