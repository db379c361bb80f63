"""Nuclei without a network: threshold, distance transform and watershed."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ...core.method import Advanced, Channel, Interval, Means, Unit, method
from ...core.report import Report, silent
from ...core.segmentation import Masks, OnSlide, Pixels, Segmenter
from ...errors import BadInput

__all__ = ["Watershed"]

Signal = npt.NDArray[np.float32]


class _Threshold(NamedTuple):
    """What is read off the image as a whole: its darkest value, Otsu's threshold, and the contrast around it."""

    lowest: float
    level: float
    contrast: float


_SURROUNDINGS = 0.625  # standard deviation of the local mean, in diameters; with _LOCAL and the
_LOCAL = 0.9  # defaults chosen on training images only
_GROUND = 7  # nodes; an opening this wide, in diameters, removes nuclei and leaves the ground
_REACH = 10  # diameters; beyond, the smoothing of the ground has next to no weight
_NUCLEAR = ("dapi", "hoechst", "nucle", "draq", "h3", "dna")


@method(
    title="Watershed (nuclei)",
    citation="Otsu, IEEE Trans. Syst. Man Cybern. 9 (1979), doi:10.1109/TSMC.1979.4310076; "
    "Vincent & Soille, IEEE PAMI 13 (1991), doi:10.1109/34.87344; "
    "Ruifrok & Johnston, Anal. Quant. Cytol. Histol. 23 (2001)",
)
class Watershed(Segmenter):
    """Classical segmentation of nuclei: fast, no network, no training.

    The nuclear signal is smoothed and its background removed; a pixel is nucleus where the signal
    exceeds a global threshold (Otsu) or, more strictly, stands out from its surroundings. Touching
    nuclei are parted by a watershed on the distance to their border.

    Notes
    -----
    O(pixels). Works on nuclei in fluorescence, and fairly on H&E; for whole cells use a network.
    """

    diameter_um: Annotated[float, Interval(gt=0, le=1000), Unit("µm")] = 8.0
    """Typical diameter of a nucleus. Sets the scale at which touching nuclei are parted."""
    channel: Annotated[str, Channel(), Means("", "by its name")] = ""
    """Channel with the nuclear stain. Empty takes one named like DAPI or Hoechst, else the first."""
    stain: Literal["auto", "fluorescence", "histology"] = "auto"
    """What the image shows; "auto" takes an 8-bit RGB image on a light ground for histology."""
    threshold_offset: Annotated[float, Interval(ge=-1, le=1)] = 0.0
    """Shifts the threshold, in parts of the distance between background and nuclei: higher finds less."""
    min_area_um2: Annotated[float, Interval(ge=0), Unit("µm²")] = 8.0
    """Smaller nuclei are dropped."""
    smoothing_um: Annotated[float, Interval(ge=0, le=100), Unit("µm"), Advanced()] = 0.4
    """Standard deviation of the Gaussian that smooths the signal first."""
    split_depth: Annotated[float, Interval(ge=0, le=1), Advanced()] = 0.08
    """How deep a neck must be, in parts of the radius, to part two nuclei: higher parts less."""

    def __call__(self, pixels: Pixels, report: Report = silent) -> Masks:
        """Find the nuclei.

        Raises
        ------
        BadInput
            When the channel does not exist, or histology is asked for an image that is not RGB.
        """
        return self._found(pixels.opaque, None, report)

    def on_slide(self, sample: Pixels, report: Report = silent) -> OnSlide:
        """Return this method with stain and threshold fixed for all tiles of a slide."""
        sample = sample.opaque
        chosen = replace(self, stain="histology" if self._is_histology(sample) else "fluorescence")
        diameter, lowest = chosen._diameter(sample), chosen._lowest(sample)
        report(0.0, "reading the stain")
        signal = _flattened(chosen._smooth(sample, lowest), diameter)
        report(0.7, "finding the threshold")
        threshold = _threshold(signal, lowest)

        def segment(pixels: Pixels, report: Report = silent) -> Masks:
            if threshold is None:
                return Masks(np.zeros(pixels.values.shape[1:], np.int32))
            return chosen._found(pixels.opaque, threshold, report)

        fixed = "no threshold: no contrast" if threshold is None else f"{chosen.stain}, threshold {threshold.level:.6g}"
        step = max(1, round(diameter))
        return OnSlide(segment, diameter, round(_REACH * diameter), step, fixed=fixed)

    def _found(self, pixels: Pixels, threshold: _Threshold | None, report: Report) -> Masks:
        """Find the nuclei, with a threshold that is given or with the image's own."""
        report(0.0, "reading the stain")
        pixels = pixels.opaque
        size, diameter = pixels.pixel_size_um, self._diameter(pixels)
        lowest = self._lowest(pixels) if threshold is None else threshold.lowest
        smooth = self._smooth(pixels, lowest)
        report(0.1, "removing the background")
        signal = _flattened(smooth, diameter)
        report(0.3, "finding the threshold")
        threshold = _threshold(signal, lowest) if threshold is None else threshold
        foreground = self._foreground(signal, diameter, threshold, report)
        report(0.5, "finding the middle of each nucleus")
        labels = _parted(foreground, self.split_depth, diameter, report)
        report(0.85, "measuring contrast")
        labels = _without_small(labels, self.min_area_um2 / size**2)
        scores = _contrast(signal, labels, diameter)
        report(1.0, f"{len(scores)} nuclei")
        return Masks(labels, scores)

    def _diameter(self, pixels: Pixels) -> float:
        return max(self.diameter_um / pixels.pixel_size_um, 2.0)

    def _is_histology(self, pixels: Pixels) -> bool:
        return pixels.is_histology if self.stain == "auto" else self.stain == "histology"

    def _lowest(self, pixels: Pixels) -> float:
        """Return the darkest value where it is negative; else 0."""
        if self._is_histology(pixels):
            return 0.0
        return min(float(pixels.values[self._channel_index(pixels)].min()), 0.0)

    def _smooth(self, pixels: Pixels, lowest: float) -> Signal:
        """Return the nuclear stain, bright in the nuclei, with a variance that does not grow with it; smoothed."""
        sigma = self.smoothing_um / pixels.pixel_size_um
        if self._is_histology(pixels):
            return _smoothed(_hematoxylin(pixels), sigma)
        values = pixels.values[self._channel_index(pixels)].astype(np.float32)
        # photon counts scatter as their root: the root gives dim nuclei the weight of bright ones
        return _smoothed(np.asarray(np.sqrt(np.maximum(values - lowest, 0))), sigma)

    def _channel_index(self, pixels: Pixels) -> int:
        if self.channel:
            if self.channel not in pixels.channels:
                raise BadInput(
                    f"The image has no channel '{self.channel}'.", f"Choose one of {', '.join(pixels.channels)}."
                )
            return pixels.channels.index(self.channel)
        named = (i for i, name in enumerate(pixels.channels) if any(word in name.lower() for word in _NUCLEAR))
        return next(named, 0)

    def _foreground(
        self, flat: Signal, diameter: float, threshold: _Threshold | None, report: Report
    ) -> npt.NDArray[np.bool_]:
        """Return where the signal exceeds the global and the local threshold."""
        from scipy.ndimage import binary_opening, gaussian_filter

        if threshold is None:
            return np.zeros(flat.shape, dtype=bool)
        level, contrast = threshold.level, threshold.contrast
        surroundings = gaussian_filter(flat, _SURROUNDINGS * diameter, truncate=3)
        report(0.4, "comparing with the surroundings")
        local = _LOCAL * surroundings + (1 - _LOCAL) * level
        mask = flat > np.maximum(level, local) + self.threshold_offset * contrast
        # an opening needs three rows and columns; thinner images are left as they are
        if min(mask.shape) >= 3:
            mask = binary_opening(mask)
        return _filled(mask)


def _hematoxylin(pixels: Pixels) -> Signal:
    """Return the amount of hematoxylin by colour deconvolution (Ruifrok & Johnston, eqs. 1 to 4)."""
    from skimage.color import hed_from_rgb

    if len(pixels.values) != 3:
        raise BadInput(
            f"The image has {len(pixels.values)} channels, histology has three.", "Choose 'fluorescence' as the stain."
        )
    kind = pixels.values.dtype
    white = float(np.iinfo(kind).max) if np.issubdtype(kind, np.integer) else max(float(pixels.values.max()), 1.0)
    amount = np.zeros(pixels.values.shape[1:], dtype=np.float32)
    for values, weight in zip(pixels.values, hed_from_rgb[:, 0], strict=True):
        density = -np.log((np.clip(values, 0, None).astype(np.float32) * (255 / white) + 1) / 256)
        amount += density * np.float32(weight)
    return np.maximum(amount, 0)


def _smoothed(signal: Signal, sigma: float) -> Signal:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(signal, sigma) if sigma > 0 else signal, dtype=np.float32)


def _flattened(signal: Signal, diameter: float) -> Signal:
    """Subtract the ground: an opening, far wider than a nucleus, on a grid of one node a diameter."""
    from scipy.ndimage import gaussian_filter, grey_opening
    from skimage import transform

    step = max(1, round(diameter))
    nodes = gaussian_filter(signal, diameter / 4)[step // 2 :: step, step // 2 :: step]
    if min(nodes.shape) < _GROUND:
        return np.asarray(signal - signal.min())
    ground = gaussian_filter(grey_opening(nodes, (_GROUND, _GROUND)), _GROUND / 4)
    resized: Any = transform.resize  # untyped
    return np.asarray(signal - resized(ground, signal.shape, order=1, mode="edge"), dtype=np.float32)


def _otsu(signal: Signal) -> float | None:
    """Return Otsu's threshold, or None where there are no two classes."""
    from skimage import filters

    low, high = float(signal.min()), float(signal.max())
    if high - low <= 1e-6 * max(abs(low), abs(high)):
        return None
    otsu: Any = filters.threshold_otsu  # untyped
    return float(otsu(signal))


def _threshold(signal: Signal, lowest: float) -> _Threshold | None:
    level = _otsu(signal)
    if level is None:
        return None
    above = signal > level
    return _Threshold(lowest, level, float(signal[above].mean() - signal[~above].mean()))


def _filled(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Fill holes: the pieces of background that do not reach the border (SciPy's own way is slower by far)."""
    from scipy.ndimage import label

    pieces, n = label(~mask)
    open_ = np.zeros(n + 1, dtype=bool)
    for edge in (pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]):
        open_[edge] = True
    return np.asarray(mask | ~open_[pieces])


def _parted(foreground: npt.NDArray[np.bool_], split: float, diameter: float, report: Report) -> npt.NDArray[np.int32]:
    """Part touching nuclei along the necks of the distance to their border.

    The h-maxima are taken of the distance's logarithm, so that a neck counts by its share of the radius
    and not by its pixels: small and large nuclei are parted alike.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter, label
    from skimage import morphology, segmentation

    if not foreground.any():
        return np.zeros(foreground.shape, dtype=np.int32)
    depth = gaussian_filter(distance_transform_edt(foreground).astype(np.float32), diameter / 16) * foreground
    log = np.log1p(depth)
    reconstruction: Any = morphology.reconstruction  # untyped
    domes = reconstruction(log - split - 1e-3, log)
    report(0.65, "finding the middle of each nucleus")
    maxima: Any = morphology.local_maxima  # untyped
    peaks = maxima(domes).astype(bool) & foreground
    report(0.7, "parting touching nuclei")
    flood: Any = segmentation.watershed  # untyped
    return np.asarray(flood(-depth, label(peaks)[0], mask=foreground), dtype=np.int32)


def _without_small(labels: npt.NDArray[np.int32], min_area_px: float) -> npt.NDArray[np.int32]:
    """Drop small nuclei and number the others 1 to n."""
    area = np.bincount(labels.ravel())
    keep = area >= max(min_area_px, 1)
    keep[0] = False
    number = np.zeros(len(area), dtype=np.int32)
    number[keep] = np.arange(1, int(keep.sum()) + 1)
    return np.asarray(number[labels])


def _contrast(signal: Signal, labels: npt.NDArray[np.int32], diameter: float) -> npt.NDArray[np.float64]:
    """Return how far each nucleus stands out from its rim, in parts of the image's own contrast."""
    from skimage import segmentation

    n = int(labels.max())
    if n == 0:
        return np.zeros(0)
    grow: Any = segmentation.expand_labels  # untyped
    rim = np.where(labels == 0, grow(labels, max(1.0, diameter / 6)), 0)
    inside = _means(signal, labels, n)
    ground = signal[labels == 0]
    level = float(ground.mean()) if ground.size else 0.0
    outside = np.nan_to_num(_means(signal, rim, n), nan=level)
    spread = float(inside.mean()) - level
    return np.asarray((inside - outside) / spread if spread > 0 else np.zeros(n))


def _means(signal: Signal, labels: npt.NDArray[Any], n: int) -> npt.NDArray[np.float64]:
    count = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    total = np.bincount(labels.ravel(), weights=signal.ravel(), minlength=n + 1)[1:]
    return np.asarray(np.divide(total, count, out=np.full(n, np.nan), where=count > 0))
