"""InstanSeg: the published networks for nuclei and cells in fluorescence and bright-field, from a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal
from zipfile import ZipFile, is_zipfile

import numpy as np
import numpy.typing as npt

from ...core.device import Device, choose, load_torch, with_memory_fallback
from ...core.method import Advanced, Channel, Means, method
from ...core.report import Report, forward_only, silent
from ...core.segmentation import Masks, Pixels, Segmenter
from ...errors import BadInput, MissingWeights

__all__ = ["Instanseg"]

PUBLISHED = ("fluorescence_nuclei_and_cells", "brightfield_nuclei")
SITE = "https://github.com/instanseg/instanseg/releases"
_TILE, _WHOLE = 512, 1500 * 1500
_SMALLEST = 64  # pixels; InstanSeg takes the shortest axis for that of the channels


@method(
    title="InstanSeg",
    citation="Goldsborough et al., arXiv (2024), doi:10.48550/arXiv.2408.15954; "
    "Goldsborough et al., bioRxiv (2024), doi:10.1101/2024.09.04.611150",
    requires=("instanseg", "torch"),
    extra="instanseg",
)
class Instanseg(Segmenter):
    """Nuclei or cells by InstanSeg, in fluorescence with any number of channels and in bright-field.

    A network predicts seeds and, around each, which pixels belong to it. The model is a TorchScript file; it
    is taken from a path, or from the folder in which InstanSeg keeps its models. Nothing is fetched.

    Notes
    -----
    Tested with the package, version 0.1.2, and a small model of our own: the published weights were not at
    hand. A TorchScript file holds a program in a language of its own; take it only from where you trust it.
    """

    model: Annotated[str, Means("", "by the image, or a file")] = ""
    """Path of an instanseg.pt, of the folder that holds it, or the name of a published model. Empty takes
    brightfield_nuclei for RGB histology, else fluorescence_nuclei_and_cells."""
    target: Literal["nuclei", "cells"] = "nuclei"
    """What is found, by a model that knows both."""
    channel: Annotated[str, Channel(), Means("", "all")] = ""
    """The one channel that is used. Empty takes all of them."""
    device: Annotated[Device, Advanced()] = "auto"
    """Where the network runs; "auto" takes the fastest that is there."""

    def __call__(self, pixels: Pixels, report: Report = silent) -> Masks:
        """Find nuclei or cells.

        Raises
        ------
        MissingDependency
            When InstanSeg is not installed.
        MissingWeights
            When the model is not on this machine; nothing is downloaded.
        BadInput
            When the channel does not exist, or the file is no TorchScript model of InstanSeg.
        """
        self.check_installed()
        report = forward_only(report)
        report(0.0, "looking for the model")
        pixels = pixels.opaque
        values, path = self._values(pixels), self._path(pixels)
        _check(path)
        report(0.05, "loading the network")
        if not np.ptp(values, axis=(1, 2)).any():
            report(1.0, "the image is constant: no cells")
            return Masks(np.zeros(values.shape[1:], np.int32))
        found = with_memory_fallback(
            lambda _batch, device: self._run(values, pixels.pixel_size_um, path, device, report),
            1,
            choose(self.device),
            lambda said: report(0.05, said),
        )
        masks = Masks(_in_order(found))
        report(1.0, f"{int(masks.labels.max())} {self.target}")
        return masks

    def warm(self, report: Report = silent) -> None:
        """Import torch and InstanSeg; its model is read by each run."""
        self.check_installed()
        load_torch()
        report(0.6)
        import instanseg  # noqa: F401

    def _values(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        if self.channel and self.channel not in pixels.channels:
            raise BadInput(
                f"The image has no channel '{self.channel}'.", f"Choose one of {', '.join(pixels.channels)}."
            )
        values = pixels.values
        if self.channel:
            values = values[pixels.channels.index(self.channel)][None]
        return np.asarray(values, dtype=np.float32)

    def _path(self, pixels: Pixels) -> Path:
        name = self.model or PUBLISHED[1 if pixels.is_histology and not self.channel else 0]
        given = Path(name).expanduser()
        if given.is_file():
            return given
        named = os.environ.get("INSTANSEG_BIOIMAGEIO_PATH")
        folder = Path(named) if named else _own_folder()
        for place in (given, folder / name):
            found = sorted(place.glob("instanseg.pt")) + sorted(place.glob("*/instanseg.pt"))
            if found:
                return found[-1]  # the newest version
        where = (given if given.is_absolute() else folder / name) / "instanseg.pt"
        raise MissingWeights(
            f"There is no InstanSeg model '{name}' on this machine.", f"Get it from {SITE} and save it as {where}."
        )

    def _run(
        self, values: npt.NDArray[np.float32], pixel_size_um: float, path: Path, device: str, report: Report
    ) -> npt.NDArray[Any]:
        import torch
        from instanseg import InstanSeg

        load: Any = torch.jit.load  # untyped
        net = load(str(path), map_location=device)
        for needed in ("pixel_size", "cells_and_nuclei"):
            if not hasattr(net, needed):
                raise BadInput(f"'{path.name}' is no model of InstanSeg: it has no {needed}.", "Choose another file.")
        if self.target == "cells" and not bool(net.cells_and_nuclei):
            raise BadInput(f"The model '{path.name}' knows one kind of outline.", "Choose nuclei, or another model.")
        height, width = values.shape[1:]
        edge = max(_SMALLEST, 2 * len(values))
        padded = np.pad(values, ((0, 0), (0, max(edge - height, 0)), (0, max(edge - width, 0))), mode="edge")
        scale = pixel_size_um / float(net.pixel_size)
        whole = padded[0].size * scale**2 <= _WHOLE
        tiles = 1 if whole else int(np.prod([-(-n * scale // (_TILE * 0.75)) for n in padded.shape[1:]]))
        report(0.1, f"running the network on {device}")
        engine: Any = InstanSeg(_heard(net, report, tiles), device=device, verbosity=0)
        target = {"target": self.target, "return_image_tensor": False}
        with torch.inference_mode():
            if whole:
                found = engine.eval_small_image(padded, pixel_size_um, **target)
            else:
                found = engine.eval_medium_image(padded, pixel_size_um, tile_size=_TILE, **target)
        report(0.95, "numbering")
        labels = np.asarray(found.cpu().numpy()).reshape(-1, *padded.shape[1:])[0]
        return np.asarray(labels[:height, :width])


def _own_folder() -> Path:
    """Return the folder in which InstanSeg keeps its models, without importing it."""
    from importlib.util import find_spec

    found = find_spec("instanseg")
    at = next(iter(found.submodule_search_locations or []), "") if found is not None else ""
    return Path(at) / "bioimageio_models"


def _check(path: Path) -> None:
    """Raise `BadInput` unless a file is a TorchScript archive, before anything of it is loaded."""
    names = []
    if is_zipfile(path):
        with ZipFile(path) as archive:
            names = archive.namelist()
    if not any("/code/" in name for name in names) or not any(name.endswith("constants.pkl") for name in names):
        raise BadInput(
            f"The file '{path.name}' is no TorchScript model.",
            "Choose an instanseg.pt; other files are not opened, for they may hold code.",
        )


def _heard(net: Any, report: Report, tiles: int) -> Any:
    """Return a network that reports each tile, which is also where Stop is heard."""
    import torch

    class Heard(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.seen = net, 0
            self.pixel_size, self.cells_and_nuclei, self.graph = net.pixel_size, net.cells_and_nuclei, net.graph

        def forward(self, *given: Any, **more: Any) -> Any:
            report(0.1 + 0.8 * min(self.seen / tiles, 1.0), f"tile {min(self.seen + 1, tiles)} of {tiles}")
            self.seen += 1
            return self.net(*given, **more)

    return Heard()


def _in_order(labels: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Number the cells 1 to n."""
    ids, codes = np.unique(labels, return_inverse=True)
    return np.asarray(codes.reshape(labels.shape) + (0 if ids[0] == 0 else 1), dtype=np.int32)
