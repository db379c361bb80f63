"""StarDist: nuclei as star-convex shapes, by the published networks or one's own, from a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from ...core.flow_input import limits_of, scaled
from ...core.method import Channel, Interval, Means, Unit, method
from ...core.report import Report, forward_only, silent
from ...core.segmentation import Masks, Pixels, Segmenter
from ...errors import BadInput, MissingWeights

__all__ = ["Stardist"]

PUBLISHED = ("2D_versatile_fluo", "2D_versatile_he", "2D_paper_dsb2018")
SITE = "https://github.com/stardist/stardist-models/releases/download/v0.1/"
_TILE = 1024  # pixels
_SMALLEST = 64  # pixels; smaller images are repeated at their edge
_HDF5 = b"\x89HDF\r\n\x1a\n"


@method(
    title="StarDist (nuclei)",
    citation="Schmidt, Weigert, Broaddus & Myers, MICCAI (2018), doi:10.1007/978-3-030-00934-2_30; "
    "Weigert & Schmidt, ISBI (2022), doi:10.1109/ISBIC56247.2022.9854534",
    requires=("stardist", "tensorflow"),
    extra="stardist",
)
class Stardist(Segmenter):
    """Nuclei as star-convex shapes, which parts touching round nuclei well.

    A network predicts at each pixel the distances to the border in 32 directions; of overlapping shapes the
    likelier stays. The model is a folder with its config.json and its weights, named or in the folder where
    StarDist keeps what it fetches. Nothing is fetched.

    Notes
    -----
    Written for StarDist 0.9 and tested against a stand-in with its documented interface, not with the package
    itself: TensorFlow and the published weights were not at hand.
    """

    model: Annotated[str, Means("", "by the image, or a folder")] = ""
    """Folder of a model, with config.json and weights (.h5), or the name of a published one. Empty takes
    2D_versatile_he for RGB histology, else 2D_versatile_fluo."""
    pixel_size_um: Annotated[float, Interval(ge=0, le=10), Unit("µm"), Means(0, "as the image", 0.5)] = 0.0
    """Pixel size of the images that the model was trained on; the image is scaled to it. 0 leaves it as it is."""
    channel: Annotated[str, Channel(), Means("", "the first")] = ""
    """Channel with the nuclear stain. Empty takes the first, or all three of RGB histology."""
    prob_thresh: Annotated[float | None, Interval(ge=0, le=1)] = None
    """Least probability of a nucleus: lower it to find more. Empty takes what is stored with the model."""
    nms_thresh: Annotated[float | None, Interval(ge=0, le=1)] = None
    """Largest overlap of two nuclei: lower it to keep fewer that overlap. Empty takes what is stored with the
    model."""

    def __call__(self, pixels: Pixels, report: Report = silent) -> Masks:
        """Find the nuclei; a score is the probability of a nucleus.

        Raises
        ------
        MissingDependency
            When StarDist or TensorFlow is not installed.
        MissingWeights
            When the model is not on this machine; nothing is downloaded.
        BadInput
            When the channel does not exist, or the folder holds no model of StarDist.
        """
        self.check_installed()
        report = forward_only(report)
        report(0.0, "looking for the model")
        pixels = pixels.opaque
        image = self._image(pixels)
        folder = self._folder(pixels)
        _check(folder)
        report(0.05, "loading the network")
        if not np.ptp(image, axis=(0, 1)).any():
            report(1.0, "the image is constant: no nuclei")
            return Masks(np.zeros(image.shape[:2], np.int32))
        labels, probability = self._run(image, pixels.pixel_size_um, folder, report)
        ids, codes = np.unique(labels, return_inverse=True)
        numbers = np.asarray(codes.reshape(labels.shape) + (0 if ids[0] == 0 else 1), dtype=np.int32)
        report(1.0, f"{int(numbers.max())} nuclei")
        return Masks(numbers, np.asarray(probability, dtype=np.float64)[ids[ids > 0] - 1])

    def _image(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """Return (y, x, c) with the 1st and 99.8th percentile of each channel at 0 and 1, as in its training."""
        if self.channel and self.channel not in pixels.channels:
            raise BadInput(
                f"The image has no channel '{self.channel}'.", f"Choose one of {', '.join(pixels.channels)}."
            )
        values = pixels.values
        if self.channel or not pixels.is_histology:
            at = pixels.channels.index(self.channel) if self.channel else 0
            values = values[at][None]
        return np.moveaxis(scaled(values, limits_of(values), dark_nuclei=False), 0, -1)

    def _folder(self, pixels: Pixels) -> Path:
        name = self.model or PUBLISHED[1 if pixels.is_histology and not self.channel else 0]
        given = Path(name).expanduser()
        home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models" / "StarDist2D" / name
        for place in (given, home / name, home / f"{name}_extracted", home):
            if (place / "config.json").is_file():
                return place
        if given.exists():
            raise BadInput(
                f"'{given.name}' is no folder of a StarDist model: it has no config.json.", "Choose another."
            )
        url = f"{SITE}python_{name}.zip" if name in PUBLISHED else "a model of StarDist"
        raise MissingWeights(
            f"There is no StarDist model '{name}' on this machine.", f"Get {url} and unpack it into {home / name}."
        )

    def _run(
        self, image: npt.NDArray[np.float32], pixel_size_um: float, folder: Path, report: Report
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        from stardist.models import StarDist2D

        net: Any = StarDist2D(None, name=folder.name, basedir=str(folder.parent))
        wanted = int(net.config.n_channel_in)
        if wanted != image.shape[-1]:
            raise BadInput(
                f"The model '{folder.name}' takes {wanted} channels, the image gives {image.shape[-1]}.",
                "Choose a model for this stain, or a channel.",
            )
        height, width = image.shape[:2]
        missing = [max(_SMALLEST - n, 0) for n in (height, width)]
        padded = np.pad(image, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
        scale = pixel_size_um / self.pixel_size_um if self.pixel_size_um else 1.0
        tiles = [max(1, round(n * scale / _TILE)) for n in padded.shape[:2]]
        report(0.1, f"running the network, {int(np.prod(tiles))} tiles")
        steps = net._predict_instances_generator(
            padded,
            axes="YXC",
            prob_thresh=self.prob_thresh,
            nms_thresh=self.nms_thresh,
            scale=scale if scale != 1 else None,
            n_tiles=(*tiles, 1),
            show_tile_progress=False,
        )
        found: Any = None
        for done, step in enumerate(steps):  # one a tile, and where Stop is heard; the last is the result
            report(0.1 + 0.8 * min(done / (int(np.prod(tiles)) + 2), 1.0), "running the network")
            found = step
        labels, details = found
        return np.asarray(labels)[:height, :width], np.asarray(details["prob"])


def _check(folder: Path) -> None:
    """Raise unless a folder has weights in HDF5: without any, StarDist would go on with an untrained network."""
    files = sorted([*folder.glob("*.h5"), *folder.glob("*.hdf5")])
    if not files:
        raise MissingWeights(f"The model '{folder.name}' has no weights.", f"Put its .h5 file into {folder}.")
    for file in files:
        with file.open("rb") as opened:
            if opened.read(len(_HDF5)) != _HDF5:
                raise BadInput(f"The file '{file.name}' holds no weights.", "Choose the folder of a StarDist model.")
