"""The embedded network: nuclei without a download, in fluorescence, histology and bright-field."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt

from ...core.device import Device, choose, with_memory_fallback
from ...core.flow_input import Limits, Stain, limits_of, planes_of
from ...core.flow_weights import EMBEDDED
from ...core.flows import FlowField, decode
from ...core.method import Advanced, Interval, Unit, method
from ...core.report import Report, forward_only, part, silent
from ...core.segmentation import Masks, Pixels, Segmenter
from ...errors import BadInput, MissingWeights

__all__ = ["Starter"]

# fitted by cross-validation, each fold as the network saw it that was trained without: probability, flow error
FITTED: dict[str, tuple[float, float]] = {
    "fluorescence": (0.5, 0.0),
    "histology": (0.5, 0.8),
    "bright-field": (0.5, 0.8),
}
_EXPECTED_UM = 10.0
_NUCLEAR = ("dapi", "hoechst", "nuc", "draq", "sytox", "h2b")


@method(
    title="Starter (nuclei)",
    citation="After Stringer, Wang, Michaelos & Pachitariu, Nature Methods 18 (2021), doi:10.1038/s41592-020-01018-x; "
    "trained on images of Caicedo et al., Nature Methods 16 (2019), doi:10.1038/s41592-019-0612-7",
    requires=("torch",),
    extra="torch",
)
class Starter(Segmenter):
    """Nuclei by a small network that comes with the program: no download.

    A network predicts for each pixel whether it is nucleus and which way its middle lies; pixels that
    flow to one place are one nucleus. It knows nuclei in fluorescence, in H&E and in bright-field, and
    takes them to be about 10 µm wide unless the image says otherwise.

    Notes
    -----
    About 3.5 s a megapixel on one core, 1.3 s on one with AMX; more for nuclei of fewer than 18 pixels,
    which are enlarged. Estimating the diameter adds a second or two. The model card,
    ``docs/starter-model-card.md``, says what it was trained on and how well it does.
    """

    diameter_um: Annotated[float, Interval(ge=0, le=1000), Unit("µm")] = 0.0
    """Typical diameter of a nucleus; the image is scaled to what the network was trained on. 0 estimates
    it from the image."""
    channel: str = ""
    """Channel with the nuclear stain. Empty takes one named like DAPI or Hoechst, else the first."""
    stain: Literal["auto", "fluorescence", "histology", "bright-field"] = "auto"
    """What the image shows: bright nuclei (fluorescence), an RGB image of stained tissue (histology), or
    dark nuclei in one channel (bright-field); "auto" decides by the ground."""
    cell_probability: Annotated[float | None, Interval(ge=0, le=1)] = None
    """Pixels whose probability of being nucleus is above this are nucleus: lower it to find more and
    larger nuclei. Empty takes what was fitted to the stain."""
    flow_error: Annotated[float | None, Interval(ge=0, le=4)] = None
    """Largest error between the predicted flows and those of the nucleus found: lower it to drop
    ill-shaped ones; 0 turns the check off. Empty takes what was fitted to the stain."""
    min_area_um2: Annotated[float, Interval(ge=0), Unit("µm²")] = 6.0
    """Smaller nuclei are dropped."""
    weights: Annotated[str, Advanced()] = ""
    """Path of weights of one's own (.safetensors). Empty takes those that come with the program."""
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

    def field(self, pixels: Pixels, report: Report = silent, limits: Limits | None = None) -> FlowField:
        """Run the network and return what it says, before any threshold.

        Parameters
        ----------
        pixels
            An image or a window of one.
        limits
            Values of ground and nuclei of each channel used, for windows of a slide that must agree;
            those of the image by default (see `flow_input.limits_of`).

        Raises
        ------
        MissingDependency, MissingWeights, BadInput
            As when the method is called.
        """
        self.check_installed()
        report = forward_only(report)
        report(0.0, "reading the stain")
        values, stain = self._read(pixels)
        limits = limits_of(values) if limits is None else limits
        diameter = (self.diameter_um or _EXPECTED_UM) / pixels.pixel_size_um
        if not any(high > low for low, high in limits):
            report(1.0, "the image is constant: no nuclei")
            return _nothing(values.shape[1:], diameter, stain)
        report(0.02, "loading the network")
        planes = planes_of(values, stain, limits)
        return with_memory_fallback(
            lambda batch, device: self._run(planes, diameter, stain, batch, device, report),
            self.batch,
            choose(self.device),
            lambda said: report(0.05, said),
        )

    def decode(self, field: FlowField, pixel_size_um: float) -> Masks:
        """Make nuclei of a field with this method's thresholds, without running the network."""
        probability, error = FITTED[field.stain]
        return decode(
            field,
            probability if self.cell_probability is None else self.cell_probability,
            error if self.flow_error is None else self.flow_error,
            self.min_area_um2 / pixel_size_um**2,
        )

    def _run(
        self, planes: npt.NDArray[np.float32], diameter: float, stain: Stain, batch: int, device: str, report: Report
    ) -> FlowField:
        from ...core.flow_inference import apply, estimate_diameter, load

        path = Path(self.weights) if self.weights else EMBEDDED
        if not path.is_file():
            raise MissingWeights(f"There are no weights at '{path}'.", "Name a .safetensors file, or leave it empty.")
        net = load(path, path.stat().st_mtime, device)
        if not self.diameter_um:
            diameter = estimate_diameter(net, planes, diameter, device, part(report, 0.05, 0.3))
        running = part(report, 0.3 if not self.diameter_um else 0.05, 1.0)
        return apply(net, planes, diameter, stain=stain, batch=batch, device=device, report=running)

    def _read(self, pixels: Pixels) -> tuple[npt.NDArray[Any], Stain]:
        """Return the channels that the network sees, one or three, and what they show."""
        values, names = _without_alpha(pixels)
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

    def _index(self, values: npt.NDArray[Any], names: tuple[str, ...]) -> int:
        if self.channel:
            if self.channel not in names:
                raise BadInput(f"The image has no channel '{self.channel}'.", f"Choose one of {', '.join(names)}.")
            return names.index(self.channel)
        named = (i for i, name in enumerate(names) if any(word in name.lower() for word in _NUCLEAR))
        lit = (i for i, channel in enumerate(values) if channel.min() < channel.max())
        return next(named, next(lit, 0))


def _without_alpha(pixels: Pixels) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Drop the fourth channel of an 8-bit image where it is named alpha, or says "opaque" everywhere."""
    values, names = pixels.values, pixels.channels
    if len(values) != 4 or values.dtype != np.uint8:
        return values, names
    if names[3].lower() in ("a", "alpha") or values[3].min() == 255:
        return values[:3], names[:3]
    return values, names


def _has_light_ground(channel: npt.NDArray[Any]) -> bool:
    """Whether most of an image is nearer to its lightest than to its darkest."""
    ((low, high),) = limits_of(channel[None])
    return bool(high > low and float(np.median(channel)) > low + 0.6 * (high - low))


def _nothing(shape: tuple[int, ...], diameter: float, stain: Stain) -> FlowField:
    """Return the field of an image without contrast."""
    return FlowField(np.full(shape, -20, np.float32), np.zeros((2, *shape), np.float32), diameter, stain)
