"""StarDist and InstanSeg: the adapters keep the promises of a segmentation method.

InstanSeg itself is used where it is installed, with a small model made here. Elsewhere, and for StarDist
always, a stand-in with the documented interface takes the package's place: it shows that the adapter asks
for the right thing and reads the answer rightly, not how well the networks do.
"""

from __future__ import annotations

import json
import pickle
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from napari_spatialml.core.segmentation import Masks, Pixels, Segmenter
from napari_spatialml.errors import BadInput, Cancelled, MissingDependency, MissingWeights
from napari_spatialml.methods.segmentation.instanseg import Instanseg
from napari_spatialml.methods.segmentation.stardist import Stardist

torch = pytest.importorskip("torch")

INSTANSEG = """
import torch
class InstanSeg:
    def __init__(self, model_type="brightfield_nuclei", device=None, image_reader="auto", verbosity=1):
        self.instanseg = model_type
    def eval_small_image(self, image, pixel_size=None, normalise=True, return_image_tensor=True,
                         target="all_outputs", rescale_output=True):
        assert not return_image_tensor and target in ("nuclei", "cells")
        values = torch.as_tensor(image)[None]
        low, high = values.amin((2, 3), keepdim=True), values.amax((2, 3), keepdim=True)
        given = torch.nn.functional.interpolate((values - low) / (high - low + 1e-3),
                                                scale_factor=pixel_size / self.instanseg.pixel_size)
        found = self.instanseg(given, target_segmentation=torch.tensor([1, 0]))
        return torch.nn.functional.interpolate(found, size=image.shape[-2:], mode="nearest")
    def eval_medium_image(self, image, pixel_size=None, tile_size=512, **more):
        for _ in range(3):
            found = self.eval_small_image(image, pixel_size, **more)
        return found
"""
STARDIST = """
import json
from pathlib import Path
from types import SimpleNamespace
import numpy as np
from scipy.ndimage import label, zoom
class StarDist2D:
    def __init__(self, config, name=None, basedir="."):
        assert config is None
        self.config = SimpleNamespace(**json.loads((Path(basedir) / name / "config.json").read_text()))
    def _predict_instances_generator(self, img, axes=None, prob_thresh=None, nms_thresh=None, scale=None,
                                     n_tiles=None, show_tile_progress=True):
        assert axes == "YXC" and img.shape[-1] == self.config.n_channel_in and len(n_tiles) == 3
        for _ in range(int(np.prod(n_tiles))):
            yield "predict"
        yield "nms"
        small = zoom(img, (scale or 1, scale or 1, 1), order=1)
        signal = small[..., 0] if img.shape[-1] == 1 else 1 - small.mean(-1)
        found, n = label(signal > (0.5 if prob_thresh is None else prob_thresh))
        y, x = (np.minimum(np.arange(k) * m // k, m - 1) for k, m in zip(img.shape[:2], found.shape))
        yield found[np.ix_(y, x)], {"prob": np.linspace(0.9, 0.5, max(n, 1))[:n]}
"""


class Tiny(torch.nn.Module):
    """Numbers what is bright: a model as InstanSeg saves it, in TorchScript."""

    def __init__(self) -> None:
        super().__init__()
        self.pixel_size, self.cells_and_nuclei = 0.5, False

    def forward(self, x: torch.Tensor, target_segmentation: torch.Tensor) -> torch.Tensor:
        bright = (x.mean(1, keepdim=True) > 0.5).to(torch.float32)
        numbers = torch.arange(1.0, 1.0 + bright.numel()).reshape(bright.shape) * bright
        for _ in range(60):
            numbers = torch.max_pool2d(numbers, 3, 1, 1) * bright
        return numbers


@pytest.fixture(params=["instanseg", "stardist"])
def made(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Segmenter:
    packages = tmp_path / "packages"
    if request.param == "instanseg":
        if find_spec("instanseg") is None:
            (packages / "instanseg").mkdir(parents=True)
            (packages / "instanseg" / "__init__.py").write_text(INSTANSEG)
            monkeypatch.syspath_prepend(packages)
        torch.jit.script(Tiny()).save(str(tmp_path / "instanseg.pt"))
        yield Instanseg(model=str(tmp_path / "instanseg.pt"), device="cpu")
    else:
        for name, text in (("stardist/models", STARDIST), ("stardist", ""), ("tensorflow", "")):
            (packages / name).mkdir(parents=True, exist_ok=True)
            (packages / name / "__init__.py").write_text(text)
        monkeypatch.syspath_prepend(packages)
        folder = tmp_path / "nuclei"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"n_channel_in": 1}))
        (folder / "weights_best.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64))
        yield Stardist(model=str(folder), pixel_size_um=0.5)
    import sys

    for name in [n for n in sys.modules if n.split(".")[0] in ("stardist", "tensorflow", "instanseg")]:
        if str(packages) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def blobs(height: int = 90, width: int = 110) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    image = np.full((height, width), 200.0)
    for cy in range(14, height, 28):
        for cx in range(14, width, 28):
            image += 2000 * (np.hypot(y - cy, x - cx) < 8)
    return np.random.default_rng(0).poisson(image).astype(np.uint16)[None]


def test_each_nucleus_is_found_once(made: Segmenter) -> None:
    masks = made(Pixels(blobs(), 0.5))
    assert isinstance(masks, Masks) and masks.labels.shape == (90, 110)
    assert np.unique(masks.labels).tolist() == list(range(13))
    again = type(made).from_settings(json.loads(json.dumps(made.settings())))(Pixels(blobs(), 0.5))
    assert np.array_equal(again.labels, masks.labels)


def test_the_image_is_scaled_to_the_pixels_of_the_model(made: Segmenter) -> None:
    fine = made(Pixels(blobs().repeat(2, 1).repeat(2, 2), 0.25)).labels
    assert fine.shape == (180, 220) and fine.max() == 12


@pytest.mark.parametrize("shape", [(1, 90), (90, 1), (2, 3), (1, 1), (40, 50)])
def test_small_and_constant_images_are_no_error(made: Segmenter, shape: tuple[int, int]) -> None:
    assert made(Pixels(blobs(120, 120)[:, 14 : 14 + shape[0], : shape[1]], 0.5)).labels.shape == shape
    assert not made(Pixels(np.full((1, *shape), 7, np.uint8), 0.5)).labels.any()


def test_stop_is_heard_and_progress_ends_at_one(made: Segmenter) -> None:
    said: list[float] = []
    made(Pixels(blobs(), 0.5), lambda fraction, message="": said.append(fraction))
    assert len(said) >= 4 and said == sorted(said) and said[-1] == 1
    for stop_at in range(len(said)):
        heard: list[float] = []

        def report(fraction: float, message: str = "", stop_at: int = stop_at, heard: list[float] = heard) -> None:
            heard.append(fraction)
            if len(heard) > stop_at:
                raise Cancelled

        with pytest.raises(Cancelled):
            made(Pixels(blobs(), 0.5), report)


def test_channels_are_chosen_by_name(made: Segmenter) -> None:
    two = Pixels(np.concatenate([blobs(), np.zeros_like(blobs())]), 0.5, ("DAPI", "empty"))
    chosen = type(made).from_settings(made.settings() | {"channel": "DAPI"})
    assert chosen(two).labels.max() == 12
    with pytest.raises(BadInput, match="no channel 'tubulin'"):
        type(made).from_settings(made.settings() | {"channel": "tubulin"})(two)


class Payload:
    """Unpickling this runs code: it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_what_is_no_model_is_refused_and_runs_no_code(made: Segmenter, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    for content in (b"", b"no model", pickle.dumps(Payload(trap))):
        path = tmp_path / "bad"
        path.write_bytes(content)
        if isinstance(made, Stardist):
            (Path(made.model) / "weights_best.h5").write_bytes(content)
            with pytest.raises(BadInput, match=r"weights_best\.h5"):
                made(Pixels(blobs(), 0.5))
        with pytest.raises(BadInput, match="'bad'"):
            type(made)(model=str(path))(Pixels(blobs(), 0.5))
    torch.save({"weights": Payload(trap)}, tmp_path / "bad")
    with pytest.raises(BadInput, match="'bad'"):
        type(made)(model=str(tmp_path / "bad"))(Pixels(blobs(), 0.5))
    assert not trap.exists()


@pytest.mark.parametrize("model", ["", "/nowhere/at/all", "misspelt"])
def test_a_model_that_is_not_here_is_never_fetched(
    made: Segmenter, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("INSTANSEG_BIOIMAGEIO_PATH", str(tmp_path / "models"))
    with pytest.raises(MissingWeights) as caught:
        type(made)(model=model)(Pixels(blobs(), 0.5))
    where = model if model.startswith("/") else str(tmp_path)
    assert where in caught.value.hint and (model or "fluo") in caught.value.message
    assert not (tmp_path / "keras").exists() and not (tmp_path / "models").exists()


def test_without_weights_stardist_does_not_go_on_untrained(made: Segmenter) -> None:
    if not isinstance(made, Stardist):
        pytest.skip("its model is one file")
    (Path(made.model) / "weights_best.h5").unlink()
    with pytest.raises(MissingWeights, match="no weights"):
        made(Pixels(blobs(), 0.5))


@pytest.mark.parametrize("cls", [Instanseg, Stardist])
def test_without_the_package_the_extra_is_named(cls: type[Segmenter], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cls, "requires", ("no_such_package",))
    with pytest.raises(MissingDependency) as caught:
        cls()(Pixels(blobs(), 0.5))
    assert f"napari-spatialml[{cls.extra}]" in caught.value.hint
