"""The embedded network: nuclei without a download, in fluorescence, histology and bright-field."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from ...core.device import Device, choose, load_torch, with_memory_fallback
from ...core.flow_input import LazyPlanes, Limits, Stain, limits_of, planes_of
from ...core.flow_learner import FlowLearner
from ...core.flow_models import offered, typical_diameter_um
from ...core.flows import FlowField, decode
from ...core.method import Advanced, Channel, Decoding, Interval, Means, Offered, Unit, method
from ...core.patch import NO_SIDES, Sides
from ...core.report import Report, forward_only, part, silent
from ...core.segmentation import Masks, OnSlide, Pixels
from ...errors import BadInput

__all__ = ["Starter"]

# fitted by cross-validation, each fold as the network saw it that was trained without: probability, flow error
FITTED: dict[str, tuple[float, float]] = {
    "fluorescence": (0.5, 0.0),
    "histology": (0.5, 0.8),
    "bright-field": (0.5, 0.8),
}
_EXPECTED_UM = 10.0
_LEAST_PX = 3.0
"""Pixels across a nucleus of the usual size, below which nothing of its outline is left."""
_EDGE_CPU, _EDGE_GPU = 512, 4096
"""Pixels of the network along a tile of a slide: on a processor one pass that takes less than a second, for which Stop
has to wait; on a GPU many passes together."""
_NUCLEAR = ("dapi", "hoechst", "nuc", "draq", "sytox", "h2b")


@method(
    title="Starter (nuclei)",
    citation="After Stringer, Wang, Michaelos & Pachitariu, Nature Methods 18 (2021), doi:10.1038/s41592-020-01018-x; "
    "trained on images of Caicedo et al., Nature Methods 16 (2019), doi:10.1038/s41592-019-0612-7",
    requires=("torch",),
    extra="torch",
)
class Starter(FlowLearner):
    """Nuclei by a small network that comes with the program: no download.

    A network predicts for each pixel whether it is nucleus and which way its middle lies; pixels that
    flow to one place are one nucleus. It knows nuclei in fluorescence, in H&E and in bright-field, and
    takes them to be about 10 µm wide unless the image says otherwise.

    Notes
    -----
    About 0.8 s a megapixel on one core with AMX; more without, and for nuclei of fewer than 18 pixels,
    which are enlarged. Estimating the diameter adds a second or two. The model card,
    ``docs/starter-model-card.md``, says what it was trained on and how well it does.
    """

    comes_along: ClassVar[bool] = True

    diameter_um: Annotated[float, Interval(ge=0, le=1000), Unit("µm"), Means(0, "estimate", _EXPECTED_UM)] = 0.0
    """Typical diameter of a nucleus; the image is scaled to what the network was trained on. 0 estimates
    it from the image, or takes that of the nuclei that weights of your own learned from."""
    channel: Annotated[str, Channel(), Means("", "by its name")] = ""
    """Channel with the nuclear stain. Empty takes one named like DAPI or Hoechst, else the first."""
    stain: Literal["auto", "fluorescence", "histology", "bright-field"] = "auto"
    """What the image shows: bright nuclei (fluorescence), an RGB image of stained tissue (histology), or
    dark nuclei in one channel (bright-field); "auto" decides by the ground."""
    cell_probability: Annotated[float | None, Interval(ge=0, le=1), Decoding()] = None
    """Pixels whose probability of being nucleus is above this are nucleus: lower it to find more and
    larger nuclei. Empty takes what was fitted to the stain."""
    flow_error: Annotated[float | None, Interval(ge=0, le=4), Decoding(), Means(0, "off")] = None
    """Largest error between the predicted flows and those of the nucleus found: lower it to drop
    ill-shaped ones; 0 turns the check off. Empty takes what was fitted to the stain."""
    min_area_um2: Annotated[float, Interval(ge=0), Unit("µm²"), Decoding()] = 6.0
    """Smaller nuclei are dropped."""
    weights: Annotated[str, Offered(offered), Means("", "those of the program")] = ""
    """Name of a model that was learned from corrections, or path of weights (.safetensors). Empty takes
    those that come with the program."""
    batch: Annotated[int, Interval(ge=1, le=1024), Advanced()] = 4
    """Tiles that go through the network together; halved when memory runs out."""
    device: Annotated[Device, Advanced()] = "auto"
    """Where the network runs; "auto" takes the fastest that is there."""

    def __call__(self, pixels: Pixels, report: Report = silent) -> Masks:
        """Find the nuclei.

        The score of a nucleus is its mean probability times the mean length of the flow in it.

        Raises
        ------
        MissingDependency
            When torch is not installed.
        MissingWeights, BadInput
            When the weights are not there or not those of a flow network; when the channel does not
            exist, or histology is asked for an image that is not RGB.
        """
        report = forward_only(report)
        field = self.field(pixels, part(report, 0.0, 0.85))
        report(0.85, "following the flows")
        masks = self.decode(field, pixels.pixel_size_um)
        report(1.0, f"{int(masks.labels.max())} nuclei")
        return masks

    def field(
        self, pixels: Pixels, report: Report = silent, limits: Limits | None = None, spare: Sides = NO_SIDES
    ) -> FlowField:
        """Run the network and return what it says, before any threshold.

        Parameters
        ----------
        pixels
            An image or a window of one.
        limits
            Values of ground and nuclei of each channel used, for windows of a slide that must agree;
            those of the image by default (see `flow_input.limits_of`).
        spare
            Pixels at each side that are looked at and of which nothing need be said: the field is smaller by them.

        Raises
        ------
        MissingDependency, MissingWeights, BadInput
            As when the method is called.
        """
        self.check_installed()
        self._check_scale(pixels.pixel_size_um)
        report = forward_only(report)
        report(0.0, "reading the stain")
        values, stain = self.seen(pixels)
        limits = limits_of(values) if limits is None else limits
        diameter = (self._known_um() or _EXPECTED_UM) / pixels.pixel_size_um
        if not any(high > low for low, high in limits):
            report(1.0, "the image is constant: no nuclei")
            top, bottom, left, right = spare
            height, width = values.shape[1:]
            return _nothing((height - top - bottom, width - left - right), diameter, stain)
        report(0.02, "loading the network")
        planes = planes_of(values, stain, limits)
        return with_memory_fallback(
            lambda batch, device: self._run(planes, diameter, batch, device, report, stain=stain, spare=spare),
            self.batch,
            choose(self.device),
            lambda said: report(0.05, said),
        )

    def on_slide(self, sample: Pixels, report: Report = silent) -> OnSlide:
        """Return this method with stain, channel, limits and diameter fixed for all tiles of a slide."""
        from ...core.flow_inference import grain, working_scale

        chosen, limits = self.settled(sample, report)
        diameter = (chosen._known_um() or _EXPECTED_UM) / sample.pixel_size_um

        def within(pixels: Pixels, spare: Sides, report: Report = silent) -> Masks:
            field = chosen.field(pixels, part(report, 0.0, 0.9), limits, spare)
            report(0.9, "following the flows")
            return chosen.decode(field, pixels.pixel_size_um)

        scale = working_scale(diameter)
        device = choose(self.device)
        bounds = ", ".join(f"{low:g} to {high:g}" for low, high in limits)
        return OnSlide(
            lambda pixels, report: within(pixels, NO_SIDES, report),
            diameter,
            int(np.ceil(self._net(device).reach / scale)),
            grain(scale),
            max(256, int((_EDGE_CPU if device == "cpu" else _EDGE_GPU) / scale)),
            f"{chosen.stain}, diameter {diameter * sample.pixel_size_um:.2f} µm, limits {bounds}",
            within,
        )

    def warm(self, report: Report = silent) -> None:
        """Import torch, read the weights, and find the nuclei of a tiny picture, which loads the loops behind it."""
        self.check_installed()
        load_torch()
        device = choose(self.device)
        report(0.6)
        path = self.weights_file()
        _warmed(path, path.stat().st_mtime, device)

    def decode(self, field: FlowField, pixel_size_um: float) -> Masks:
        """Make nuclei of a field with this method's thresholds, without running the network."""
        probability, error = FITTED[field.stain]
        return decode(
            field,
            probability if self.cell_probability is None else self.cell_probability,
            error if self.flow_error is None else self.flow_error,
            self.min_area_um2 / pixel_size_um**2,
        )

    def settled(self, pixels: Pixels, report: Report = silent, limits: Limits | None = None) -> tuple[Self, Limits]:
        """Return this method with the channel, the stain and the diameter of an image, and its channels' limits.

        Raises
        ------
        MissingDependency, MissingWeights, BadInput
            As when the method is called.
        """
        self.check_installed()
        self._check_scale(pixels.pixel_size_um)
        values, stain = self.seen(pixels)
        limits = limits_of(values) if limits is None else limits
        one = "" if len(values) == 3 else self._name_of(pixels)
        method = replace(self, stain=stain, channel=one)
        if self._known_um() or not any(high > low for low, high in limits):
            return method, limits
        planes, guess = LazyPlanes(values, stain, limits), _EXPECTED_UM / pixels.pixel_size_um
        diameter = self._estimated(planes, guess, choose(self.device), forward_only(report))
        return replace(method, diameter_um=diameter * pixels.pixel_size_um), limits

    def scale_on(self, pixel_size_um: float) -> float:
        """Return how much an image is enlarged for the network; 1 while the diameter is not known."""
        from ...core.flow_inference import working_scale

        known = self._known_um()
        return working_scale(known / pixel_size_um) if known else 1.0

    def stands_for(self, field: FlowField | None, pixel_size_um: float) -> dict[str, Any]:
        """Return the thresholds that were fitted to the stain, and the diameter that was estimated."""
        probability, error = FITTED["fluorescence" if field is None else field.stain]
        found: dict[str, Any] = {"cell_probability": probability, "flow_error": error}
        return found if field is None else found | {"diameter_um": field.diameter * pixel_size_um}

    def _run(
        self, planes: npt.NDArray[np.float32], diameter: float, batch: int, device: str, report: Report, **more: Any
    ) -> FlowField:
        from ...core.flow_diameter import estimate_diameter
        from ...core.flow_inference import apply

        net = self._net(device)
        known = bool(self._known_um())
        if not known:
            diameter = estimate_diameter(net, planes, diameter, device, part(report, 0.05, 0.3))
        running = part(report, 0.05 if known else 0.3, 1.0)
        return apply(net, planes, diameter, batch=batch, device=device, report=running, **more)

    def _check_scale(self, pixel_size_um: float) -> None:
        """Refuse pixels in which no nucleus has an outline: enlarged for the network they would fill the memory."""
        expected = self._known_um() or _EXPECTED_UM
        if expected < _LEAST_PX * pixel_size_um:
            raise BadInput(
                f"Nuclei of {expected:.3g} µm have no outline in pixels of {pixel_size_um:.3g} µm.",
                f"Choose an image with pixels of at most {expected / _LEAST_PX:.2g} µm, better of 0.5 µm.",
            )

    def _known_um(self) -> float:
        """Return the diameter given, else that of the nuclei that the weights learned from, else 0."""
        return self.diameter_um or typical_diameter_um(self.weights_file())

    def _net(self, device: str) -> Any:
        from ...core.flow_inference import load

        path = self.weights_file()
        return load(path, path.stat().st_mtime, device)

    def _estimated(self, planes: LazyPlanes, guess: float, device: str, report: Report) -> float:
        from ...core.flow_diameter import estimate_diameter

        return with_memory_fallback(
            lambda _, where: estimate_diameter(self._net(where), planes, guess, where, part(report, 0.2, 1.0)),
            1,
            device,
        )

    def seen(self, pixels: Pixels) -> tuple[npt.NDArray[Any], Stain]:
        """Return the channels that the network sees, one or three, and what they show."""
        pixels = pixels.opaque
        values, names = pixels.values, pixels.channels
        colour = len(values) == 3 and not self.channel
        if self.stain in ("histology", "bright-field") and colour:
            return values, self.stain
        if self.stain == "histology":
            raise BadInput(
                f"The image has {1 if self.channel else len(values)} channels, histology has three.",
                "Leave the channel empty and choose an RGB image, or choose 'bright-field'.",
            )
        if self.stain == "auto" and colour and Pixels(values, pixels.pixel_size_um).is_histology:
            return values, "histology"
        one = values[self._index(values, names)][None]
        if self.stain != "auto":
            return one, self.stain
        return one, "bright-field" if _has_light_ground(one[0]) else "fluorescence"

    def _name_of(self, pixels: Pixels) -> str:
        """Return the name of the one channel that is used."""
        pixels = pixels.opaque
        return pixels.channels[self._index(pixels.values, pixels.channels)]

    def _index(self, values: npt.NDArray[Any], names: tuple[str, ...]) -> int:
        if self.channel:
            if self.channel not in names:
                raise BadInput(f"The image has no channel '{self.channel}'.", f"Choose one of {', '.join(names)}.")
            return names.index(self.channel)
        named = (i for i, name in enumerate(names) if any(word in name.lower() for word in _NUCLEAR))
        lit = (i for i, channel in enumerate(values) if channel.min() < channel.max())
        return next(named, next(lit, 0))


@lru_cache(maxsize=2)
def _warmed(path: Path, stamp: float, device: Any) -> None:
    """Go through a run once: two touching nuclei on 64 × 64 pixels."""
    y, x = np.mgrid[:64, :64]
    nuclei = sum(500.0 * ((y - 32) ** 2 + (x - middle) ** 2 < 100) for middle in (23, 42))
    Starter(weights=str(path), diameter_um=_EXPECTED_UM, device=device)(Pixels(nuclei[None], 0.5))


def _has_light_ground(channel: npt.NDArray[Any]) -> bool:
    """Whether most of an image is nearer to its lightest than to its darkest."""
    ((low, high),) = limits_of(channel[None])
    return bool(high > low and float(np.median(channel)) > low + 0.6 * (high - low))


def _nothing(shape: tuple[int, ...], diameter: float, stain: Stain) -> FlowField:
    """Return the field of an image without contrast."""
    return FlowField(np.full(shape, -20, np.float32), np.zeros((2, *shape), np.float32), diameter, stain)
