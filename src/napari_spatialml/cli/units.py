"""The options that state units of files that carry none."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ..demo.options import StatedUnits

__all__ = ["UNSTATED", "Units"]

UNSTATED = StatedUnits()
Units = Annotated[StatedUnits, Parameter(name="*")]
