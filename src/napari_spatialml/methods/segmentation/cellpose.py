"""Cellpose, versions 3.1 and 4: the published networks, or weights of one's own, from a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from ...core import cellpose_training as training
from ...core import cellpose_weights as weights_of
from ...core.cellpose_network import Image, cut, evaluated, in_order, mean_probability
from ...core.device import Device, choose, load_torch, with_memory_fallback
from ...core.flow_input import Limits
from ...core.flow_segmenter import FlowSegmenter
from ...core.flows import FlowField, decode
from ...core.learning import Learner, Lesson, diameter_um_of
from ...core.method import Advanced, Channel, Decoding, Interval, Means, Offered, Unit, method
from ...core.report import Report, forward_only, part, silent
from ...core.segmentation import Masks, OnSlide, Pixels
from ...errors import BadInput

__all__ = ["Cellpose"]

_WIDEST = 17.0  # pixels: the smallest diameter that a published network was trained at
_STEPS = 200
_LICENSED = ("cpsam", "cpdino")


@method(
    title="Cellpose",
    citation="Stringer, Wang, Michaelos & Pachitariu, Nature Methods 18 (2021), doi:10.1038/s41592-020-01018-x; "
    "Stringer & Pachitariu, Nature Methods 22 (2025), doi:10.1038/s41592-025-02595-5; "
    "Pachitariu, Rariden & Stringer, bioRxiv (2025), doi:10.1101/2025.04.28.651001",
    requires=("cellpose", "torch"),
    extra="cellpose",
)
class Cellpose(FlowSegmenter, Learner):
    """Cells or nuclei by a network that predicts flows towards the middle of each cell.

    Runs what the installed package offers: the networks of Cellpose 3.1, or those of Cellpose 4
    (Cellpose-SAM). Weights are taken from a file or from Cellpose's own folder; nothing is fetched
    unless ``download`` is set. The weights of Cellpose-SAM are not free for commercial use.

    Notes
    -----
    On a processor, about 3 s a megapixel with the networks of 3.1 at their own scale, and minutes with
    Cellpose-SAM. A run makes its cells with Cellpose's own decoding. `decode`, with which thresholds are tried
    on what is in view, is eight times as fast, and differs from it in less than one cell of a hundred.
    """

    ending: ClassVar[str] = ""

    model: Annotated[str, Offered(training.offered), Means("", "the newest, or a file")] = ""
    """Name of a published model ("cyto3", "nuclei", "cpsam" …) or path of a weights file. Empty takes
    cyto3 with Cellpose 3 and cpsam with Cellpose 4. The weights of cpsam are not free for commercial
    use."""
    diameter_um: Annotated[float, Interval(ge=0, le=1000), Unit("µm"), Means(0, "as trained", 10.0)] = 0.0
    """Typical diameter of a cell; the image is scaled so that it fits what the network was trained on.
    0 takes the diameter that is stored with the weights (in pixels)."""
    channel: Annotated[str, Channel(), Means("", "the first, or grey")] = ""
    """Channel to segment: the cytoplasm or membrane, or the nuclei. Empty takes the first, or for RGB
    histology the grey image (Cellpose 4: all three)."""
    nuclear_channel: Annotated[str, Channel(), Means("", "none")] = ""
    """Second channel with the nuclei, which helps to find cells. Empty is none."""
    flow_threshold: Annotated[float, Interval(ge=0, le=3), Decoding(), Means(0, "off")] = 0.4
    """Largest error between the predicted flows and those of the cell found: raise it to keep more
    cells, lower it to drop ill-shaped ones; 0 turns the check off."""
    cellprob_threshold: Annotated[float, Interval(ge=-6, le=6), Decoding()] = 0.0
    """Pixels above this are cell: lower it to find more and larger cells."""
    min_area_um2: Annotated[float, Interval(ge=0), Unit("µm²"), Decoding()] = 4.0
    """Smaller cells are dropped."""
    niter: Annotated[int, Interval(ge=0, le=10000), Advanced(), Decoding(), Means(0, "by the diameter", 200)] = 0
    """Steps that pixels follow the flows; more for long cells. 0 derives it from the diameter."""
    batch_size: Annotated[int, Interval(ge=1, le=1024), Advanced()] = 8
    """Tiles that go through the network together; halved when memory runs out."""
    device: Annotated[Device, Advanced()] = "auto"
    """Where the network runs; "auto" takes the fastest that is there."""
    download: Annotated[bool, Advanced()] = False
    """Fetch a published model that is not on this machine, once, from its authors' site."""

    def __call__(self, pixels: Pixels, report: Report = silent) -> Masks:
        """Find the cells.

        The scores are each cell's mean probability.

        Raises
        ------
        MissingDependency
            When Cellpose is not installed.
        MissingWeights
            When the weights are not on this machine; nothing is downloaded unless asked.
        BadInput
            When a channel does not exist, or the file holds no weights of the installed version.
        """
        self.check_installed()
        pixels = pixels.opaque
        return self._found(pixels, self._normalised(self._stack(pixels, pixels.is_histology)), report)

    def on_slide(self, sample: Pixels, report: Report = silent) -> OnSlide:
        """Return this method with each channel's 1st and 99th percentile fixed for all tiles of a slide."""
        histology = sample.opaque.is_histology
        chosen, limits = self.settled(sample, report)

        def segment(pixels: Pixels, report: Report = silent) -> Masks:
            pixels = pixels.opaque
            return chosen._found(pixels, chosen._normalised(chosen._stack(pixels, histology), limits), report)

        bounds = ", ".join(f"{low:g} to {high:g}" for low, high in limits)
        return OnSlide(segment, self.diameter_um / sample.pixel_size_um, reach=128, fixed=f"limits {bounds}")

    def warm(self, report: Report = silent) -> None:
        """Import torch and Cellpose; its weights are read by each run."""
        self.check_installed()
        load_torch()
        report(0.6)
        import cellpose.models  # noqa: F401

    def _found(self, pixels: Pixels, image: Image, report: Report) -> Masks:
        report = forward_only(report)
        path = self._weights(report)
        if not np.ptp(image, axis=(0, 1)).any():
            report(1.0, "the image is constant: no cells")
            return Masks(np.zeros(image.shape[:2], np.int32))
        masks = with_memory_fallback(
            lambda batch, device: self._run(image, pixels.pixel_size_um, path, batch, device, report),
            self.batch_size,
            choose(self.device),
            lambda said: report(0.05, said),
        )
        report(1.0, f"{int(masks.labels.max())} cells")
        return masks

    # learning from corrections --------------------------------------------------------------

    def weights_file(self) -> Path:
        """Return the file of the weights; it is looked for as when the method is called."""
        return weights_of.find(self.model, self.download)

    def lineage(self) -> dict[str, Any]:
        """Return what the weights were made of; empty where nothing is said of them."""
        return training.lineage_of(self.weights_file())

    def told(self, lessons: Sequence[Lesson]) -> Self:
        """Return the method with the diameter of the cells in the lessons, unless one is given."""
        return self if self.diameter_um else replace(self, diameter_um=diameter_um_of(lessons))

    def learn(self, lessons: Sequence[Lesson], file: Path, seed: int, report: Report = silent) -> Self:
        """Let Cellpose go on training with the lessons, and save what it learned in its own way.

        Raises
        ------
        MissingDependency, MissingWeights, BadInput
            As when the method is called.
        """
        self.check_installed()
        parent = self.weights_file()
        weights_of.check(parent)
        images = [self._normalised(self._stack(p, p.is_histology)) for p in (one.pixels.opaque for one in lessons)]
        labels = [np.asarray(lesson.labels) for lesson in lessons]
        onward = forward_only(report)
        with_memory_fallback(
            lambda batch, device: training.fine_tune(
                parent, images, labels, file, seed, device=device, report=onward, batch_size=batch
            ),
            training.RECIPES[weights_of.version()]["batch_size"],
            choose(self.device),
            lambda said: onward(0.0, said),
        )
        return replace(self, model=str(file))

    def keep(self, path: Path, about: dict[str, str]) -> Self:
        """Copy the weights, as Cellpose saved them, and write what is said of them beside."""
        training.keep(self.weights_file(), path, about)
        return replace(self, model=str(path), diameter_um=0.0)

    # network and decoding apart --------------------------------------------------------------

    def field(self, pixels: Pixels, report: Report = silent, limits: Limits | None = None) -> FlowField:
        """Run the network and return what it says, before any threshold.

        Raises
        ------
        MissingDependency, MissingWeights, BadInput
            As when the method is called.
        """
        self.check_installed()
        report, pixels = forward_only(report), pixels.opaque
        image = self._normalised(self._stack(pixels, pixels.is_histology), limits)
        path = self._weights(report)
        if not np.ptp(image, axis=(0, 1)).any():
            report(1.0, "the image is constant: no cells")
            h, w = image.shape[:2]
            return FlowField(np.full((h, w), -20, np.float32), np.zeros((2, h, w), np.float32))
        return with_memory_fallback(
            lambda batch, device: self._raw(image, pixels.pixel_size_um, path, batch, device, report),
            self.batch_size,
            choose(self.device),
            lambda said: report(0.05, said),
        )

    def decode(self, field: FlowField, pixel_size_um: float) -> Masks:
        """Make cells of a field with this method's thresholds, without running the network."""
        # a path that has ended costs nothing: too many steps do no harm
        steps = self.niter or max(_STEPS, int(np.ceil(_STEPS * field.diameter / _WIDEST)))
        probability = float(1 / (1 + np.exp(-self.cellprob_threshold)))
        return decode(field, probability, self.flow_threshold, self.min_area_um2 / pixel_size_um**2, steps)

    def settled(self, pixels: Pixels, report: Report = silent, limits: Limits | None = None) -> tuple[Self, Limits]:
        """Return this method with the channel of an image, and the limits of the channels that it takes.

        Raises
        ------
        MissingDependency, BadInput
            As when the method is called.
        """
        self.check_installed()
        pixels = pixels.opaque
        grey = pixels.is_histology and not (self.channel or self.nuclear_channel)
        method = self if grey else replace(self, channel=self.channel or pixels.channels[0])
        stack = method._stack(pixels, pixels.is_histology)
        return method, limits or tuple(_limits(channel) for channel in stack)

    def caution(self) -> str:
        """Say under which licence the weights are."""
        if type(self).missing():
            return ""
        name = self.model or weights_of.PUBLISHED[weights_of.version()][0]
        if not Path(name).name.startswith(_LICENSED):
            return ""
        return f"The weights '{Path(name).name}' are under CC-BY-NC: they may not be used commercially."

    def _weights(self, report: Report) -> Path:
        report(0.0, "looking for the weights")
        path = weights_of.find(self.model, self.download, part(report, 0.0, 0.04))
        weights_of.check(path)
        report(0.05, "loading the network")
        return path

    def _stack(self, pixels: Pixels, histology: bool) -> list[Image]:
        """Return the channels that the network sees."""
        four = weights_of.version() >= 4
        if self.channel or self.nuclear_channel or not histology:
            first = _channel(pixels, self.channel)
            second = _channel(pixels, self.nuclear_channel) if self.nuclear_channel else np.zeros_like(first)
            return [first, second] + ([np.zeros_like(first)] if four else [])
        if four:
            return [np.asarray(channel, dtype=np.float32) for channel in pixels.values]
        grey = np.asarray(pixels.values, dtype=np.float32).mean(axis=0)
        return [grey, np.zeros_like(grey)]

    def _normalised(self, stack: list[Image], limits: Limits | None = None) -> Image:
        """Return (y, x, c), scaled once so that each channel's 1st and 99th percentiles are 0 and 1."""
        known = [_limits(channel) for channel in stack] if limits is None else limits
        return np.stack([_normalised(channel, *bounds) for channel, bounds in zip(stack, known, strict=True)], axis=-1)

    def _run(self, image: Image, pixel_size_um: float, path: Path, batch: int, device: str, report: Report) -> Masks:
        """Run the network and follow its flows; starts from the beginning when called again."""
        labels, flows, _ = evaluated(
            image,
            self.diameter_um / pixel_size_um or None,
            path,
            batch,
            device,
            report,
            flow_threshold=self.flow_threshold,
            cellprob_threshold=self.cellprob_threshold,
            min_size=max(1, round(self.min_area_um2 / pixel_size_um**2)),
            niter=self.niter or None,
        )
        found = in_order(cut(labels, image))
        return Masks(found, mean_probability(found, cut(flows[2], image)))

    def _raw(
        self, image: Image, pixel_size_um: float, path: Path, batch: int, device: str, report: Report
    ) -> FlowField:
        """Run the network alone."""
        diameter = self.diameter_um / pixel_size_um or None
        _, flows, rescale = evaluated(image, diameter, path, batch, device, report, compute_masks=False)
        across = [cut(one, image) / np.float32(5) for one in np.asarray(flows[1])]  # as Cellpose's decoding does
        return FlowField(cut(flows[2], image), np.stack(across), _WIDEST / rescale)


def _channel(pixels: Pixels, name: str) -> Image:
    if name and name not in pixels.channels:
        raise BadInput(f"The image has no channel '{name}'.", f"Choose one of {', '.join(pixels.channels)}.")
    return np.asarray(pixels.values[pixels.channels.index(name) if name else 0], dtype=np.float32)


def _limits(channel: Image) -> tuple[float, float]:
    """Return the 1st and the 99th percentile, as Cellpose does."""
    low, high = np.percentile(channel, 1), np.percentile(channel, 99)
    if high <= low:  # fewer than one pixel in a hundred stands out
        low, high = channel.min(), channel.max()
    return float(low), float(high)


def _normalised(channel: Image, low: float, high: float) -> Image:
    """Scale so that ``low`` is 0 and ``high`` is 1; a flat channel is 0."""
    if high <= low:
        return np.zeros_like(channel)
    scaled = channel.copy()
    scaled -= np.float32(low)
    scaled /= np.float32(high) - np.float32(low)
    return scaled
