"""Segmentation in two halves: a network that is slow, and thresholds that are quick and may be moved."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

from .flow_input import Limits
from .flows import FlowField
from .report import Report, silent
from .segmentation import Masks, Pixels, Segmenter

__all__ = ["FlowSegmenter"]


class FlowSegmenter(Segmenter):
    """Base class of segmentation methods whose network and decoding are apart.

    Parameters that are marked ``Decoding()`` change nothing in `field`; all others may.
    """

    comes_along: ClassVar[bool] = False
    """Whether its weights come with the program, so that it runs on every machine that has its packages."""

    @abstractmethod
    def field(self, pixels: Pixels, report: Report = silent, limits: Limits | None = None) -> FlowField:
        """Run the network and return what it says, before any threshold.

        Parameters
        ----------
        pixels
            An image or a window of one.
        report
            Told how far it is.
        limits
            The values between which each channel used is scaled, for windows of an image that must agree;
            those of ``pixels`` by default.
        """

    @abstractmethod
    def decode(self, field: FlowField, pixel_size_um: float) -> Masks:
        """Make cells of a field with this method's thresholds, without running the network."""

    @abstractmethod
    def settled(self, pixels: Pixels, report: Report = silent, limits: Limits | None = None) -> tuple[Self, Limits]:
        """Decide for an image what this method would decide by itself: so that each window of it is read alike.

        Parameters
        ----------
        pixels
            The image, or a sample of it.
        report
            Told how far it is.
        limits
            As in `field`, where they are known from a larger sample.

        Returns
        -------
        tuple
            The method with the channel, the stain and the diameter that it takes; the limits of its channels.
        """

    def scale_on(self, pixel_size_um: float) -> float:
        """Return how much an image is enlarged for the network, as far as the parameters say; 1 where they do not."""
        return 1.0

    def stands_for(self, field: FlowField | None, pixel_size_um: float) -> dict[str, Any]:
        """Return by name what parameters that are left to the method stand for; before any image, if None."""
        return {}
