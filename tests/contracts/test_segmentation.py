"""What every segmentation method promises, ours and third parties': run over the registry."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_spatialml.core.flow_segmenter import FlowSegmenter
from napari_spatialml.core.flows import decode, labels_to_flows
from napari_spatialml.core.method import parameters
from napari_spatialml.core.metrics import average_precision
from napari_spatialml.core.segmentation import Masks, Pixels, Segmenter
from napari_spatialml.errors import BadInput, Cancelled, MissingWeights, SpatialMLError
from napari_spatialml.methods import methods

NAMES = sorted(methods("segmentation"))


@pytest.fixture(scope="session")
def cellpose_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the smallest network that Cellpose 3 loads, never trained, in a file as Cellpose saves it."""
    pytest.importorskip("cellpose")
    torch = pytest.importorskip("torch")
    resnet = pytest.importorskip("cellpose.resnet_torch", reason="Cellpose 4 has no small network")
    torch.manual_seed(1)
    net = resnet.CPnet([2, 32, 64, 128, 256], 3, sz=3)
    with torch.no_grad():
        net.output[2].bias[2] += 2.0  # most pixels are cell
        net.output[2].weight[:2] *= 20  # and flow somewhere
    path = tmp_path_factory.mktemp("weights") / "untrained"
    net.save_model(str(path))
    return path


@pytest.fixture(params=NAMES)
def segmenter(request: pytest.FixtureRequest) -> Segmenter:
    """Every method that can run here; one that needs weights which are not here says so."""
    cls = methods("segmentation")[request.param]
    if cls.missing():
        pytest.skip(f"{cls.title} needs the package '{cls.missing()}'")
    if request.param == "cellpose":
        weights = request.getfixturevalue("cellpose_weights")
        return cls(model=str(weights), flow_threshold=0.0, diameter_um=15.0, device="cpu")
    made = cls()
    try:
        made(Pixels(np.zeros((1, 16, 16), np.uint8), 0.5))
    except MissingWeights as error:
        pytest.skip(f"{cls.title}: {error}")
    return made


def blobs(height: int = 96, width: int = 96, seed: int = 0) -> np.ndarray:
    """A noisy fluorescence image of round nuclei, about 16 pixels wide: (1, y, x) uint16."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    image = np.full((height, width), 200.0)
    for cy in range(14, height, 28):
        for cx in range(14, width, 28):
            dy, dx = rng.uniform(-3, 3, 2)
            image += 2000 * (np.hypot(y - cy - dy, x - cx - dx) < 8)
    return rng.poisson(image).astype(np.uint16)[None]


@pytest.fixture
def pixels() -> Pixels:
    return Pixels(blobs(), 0.5)


def test_the_labels_fit_the_image_and_have_a_background(segmenter: Segmenter, pixels: Pixels) -> None:
    masks = segmenter(pixels)
    assert isinstance(masks, Masks)
    assert masks.labels.shape == pixels.values.shape[1:]
    assert masks.labels.dtype == np.int32
    assert masks.labels.max() > 0 and masks.labels.min() == 0
    assert np.unique(masks.labels).tolist() == list(range(int(masks.labels.max()) + 1))
    assert masks.scores is None or np.isfinite(masks.scores).all()


def test_the_same_image_gives_the_same_bits(segmenter: Segmenter, pixels: Pixels) -> None:
    first, second = segmenter(pixels), type(segmenter).from_settings(segmenter.settings())(pixels)
    assert np.array_equal(first.labels, second.labels)
    if first.scores is not None and second.scores is not None:
        assert first.scores.tobytes() == second.scores.tobytes()


def test_progress_never_goes_back_and_ends_at_one(segmenter: Segmenter, pixels: Pixels) -> None:
    said: list[float] = []
    segmenter(pixels, lambda fraction, message="": said.append(fraction))
    assert len(said) >= 4
    assert said == sorted(said)
    assert said[0] >= 0 and said[-1] == 1


def test_stop_is_heard_at_every_report(segmenter: Segmenter, pixels: Pixels) -> None:
    said: list[float] = []
    segmenter(pixels, lambda fraction, message="": said.append(fraction))
    for stop_at in range(len(said)):
        heard = []

        def report(fraction: float, message: str = "", stop_at: int = stop_at, heard: list[float] = heard) -> None:
            heard.append(fraction)
            if len(heard) > stop_at:
                raise Cancelled

        with pytest.raises(Cancelled):
            segmenter(pixels, report)
        assert len(heard) == stop_at + 1


@pytest.mark.parametrize("value", [0, 7, 255])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_constant_image_holds_no_cells(segmenter: Segmenter, value: int, channels: int) -> None:
    masks = segmenter(Pixels(np.full((channels, 40, 50), value, np.uint8), 0.5))
    assert masks.labels.shape == (40, 50)
    assert not masks.labels.any()


@pytest.mark.parametrize("shape", [(1, 90), (90, 1), (2, 3), (1, 1)])
def test_an_image_one_pixel_tall_works(segmenter: Segmenter, shape: tuple[int, int]) -> None:
    values = blobs(120, 120)[:, 14 : 14 + shape[0], : shape[1]]
    assert segmenter(Pixels(values, 0.5)).labels.shape == shape


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32, np.float64, np.int64])
def test_every_kind_of_number_is_taken(segmenter: Segmenter, kind: type) -> None:
    values = blobs(48, 48)
    values = (values // 16).astype(kind) if kind is np.uint8 else values.astype(kind)
    assert segmenter(Pixels(values, 0.5)).labels.max() > 0


def test_twelve_bits_of_sixteen_are_as_good_as_all(segmenter: Segmenter) -> None:
    values = blobs()
    assert values.max() < 4096
    few, all_bits = (segmenter(Pixels(v, 0.5)).labels for v in (values, values * 16))
    assert few.max() == all_bits.max() > 0
    assert ((few > 0) == (all_bits > 0)).mean() > 0.99


@pytest.mark.parametrize("name", ["alpha", "3"])
def test_the_alpha_of_a_colour_image_changes_nothing(segmenter: Segmenter, name: str) -> None:
    rgb = np.broadcast_to(230 - (blobs(64, 64)[0] // 16)[None], (3, 64, 64)).astype(np.uint8)
    values = np.concatenate([rgb, np.full((1, 64, 64), 255, np.uint8)])
    plain = segmenter(Pixels(rgb, 0.5)).labels
    assert np.array_equal(segmenter(Pixels(values, 0.5, ("r", "g", "b", name))).labels, plain)


def test_a_channel_that_is_not_there_is_named_with_those_that_are(segmenter: Segmenter) -> None:
    for parameter in parameters(type(segmenter)):
        if parameter.channel:
            asked = type(segmenter).from_settings(segmenter.settings() | {parameter.name: "tubulin"})
            with pytest.raises(BadInput, match="no channel 'tubulin'") as caught:
                asked(Pixels(blobs(40, 40), 0.5, ("DAPI",)))
            assert "DAPI" in caught.value.hint


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_file_of_weights_is_told_in_a_sentence_and_runs_no_code(name: str, tmp_path: Path) -> None:
    import pickle

    cls, trap, path = methods("segmentation")[name], tmp_path / "trap", tmp_path / "model"
    files = [p.name for p in parameters(cls) if p.name in ("weights", "model", "folder")]
    if cls.missing() or not files:
        pytest.skip(f"{cls.title} needs the package '{cls.missing()}'" if cls.missing() else "it takes no weights")
    for content in (b"not weights", b"", pickle.dumps(Payload(str(trap)))):
        path.write_bytes(content)
        with pytest.raises(SpatialMLError, match="'model'"):
            cls(**{files[0]: str(path)})(Pixels(blobs(40, 40), 0.5))
        assert not trap.exists()
    with pytest.raises(MissingWeights) as caught:
        cls(**{files[0]: str(tmp_path / "absent")})(Pixels(blobs(40, 40), 0.5))
    assert "absent" in caught.value.message and caught.value.hint


def with_decoding(segmenter: Segmenter) -> FlowSegmenter:
    if not isinstance(segmenter, FlowSegmenter):
        assert not [p.name for p in parameters(type(segmenter)) if p.decoding], "nothing can be decoded again"
        pytest.skip("its network and its decoding are one")
    return segmenter


def test_thresholds_change_nothing_in_what_the_network_says(segmenter: Segmenter, pixels: Pixels) -> None:
    method = with_decoding(segmenter)
    quick = [p for p in parameters(type(method)) if p.decoding]
    other = {p.name: p.maximum if p.maximum is not None else 1e6 for p in quick}
    assert quick
    one, two = (m.field(pixels) for m in (method, type(method).from_settings(method.settings() | other)))
    assert np.array_equal(one.logit, two.logit) and np.array_equal(one.flows, two.flows)
    assert (one.diameter, one.stain) == (two.diameter, two.stain)
    strict = type(method).from_settings(method.settings() | {"min_area_um2": 1e6})
    assert method.decode(one, 0.5).labels.max() > 0 == strict.decode(one, 0.5).labels.max()


def test_a_settled_method_reads_a_window_as_it_reads_the_image(segmenter: Segmenter) -> None:
    method, pixels = with_decoding(segmenter), Pixels(blobs(160, 160), 0.5)
    settled, limits = method.settled(pixels)
    whole, again = method.field(pixels), settled.field(pixels, limits=limits)
    assert np.abs(whole.logit - again.logit).max() < 1e-3
    dim = Pixels(pixels.values[:, :20] // 4, 0.5)
    alone, alike = method.decode(settled.field(dim), 0.5), method.decode(settled.field(dim, limits=limits), 0.5)
    assert not np.array_equal(alone.labels, alike.labels), "limits are those given"


def test_cellposes_cells_and_those_of_its_preview_are_the_same() -> None:
    dynamics = pytest.importorskip("cellpose.dynamics")
    y, x = np.mgrid[:256, :256]
    labels = np.zeros((256, 256), np.int32)
    for n, (cy, cx) in enumerate((cy, cx) for cy in range(16, 256, 27) for cx in range(16, 256, 27)):
        labels[np.hypot(y - cy, (x - cx) * (0.8 + 0.05 * (n % 9))) < 10 + n % 4] = n + 1
    rng = np.random.default_rng(0)
    flows = (labels_to_flows(labels) + rng.normal(0, 0.2, (2, 256, 256))).astype(np.float32)
    logit = np.where(labels > 0, 4, -4) + rng.normal(0, 1, labels.shape)
    theirs = dynamics.resize_and_compute_masks(flows * 5, logit, flow_threshold=0.4, min_size=16)
    from napari_spatialml.core.flows import FlowField

    ours = cellpose().decode(FlowField(logit, flows), 0.5).labels
    assert np.array_equal(ours, decode(FlowField(logit, flows), 0.5, 0.4, 16).labels)
    assert average_precision(theirs, ours, 0.9)[0] >= 0.99


def test_the_licence_of_cellpose_sam_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_spatialml.core import cellpose_weights

    assert "CC-BY-NC" in cellpose(model="cpsam").caution() and not cellpose(model="cyto3").caution()
    monkeypatch.setattr(cellpose_weights, "version", lambda: 4)
    assert "CC-BY-NC" in cellpose().caution()


def test_the_input_stays_as_it_was(segmenter: Segmenter, pixels: Pixels) -> None:
    before = pixels.values.copy()
    segmenter(pixels)
    assert np.array_equal(pixels.values, before)


def test_an_image_with_nan_is_refused() -> None:
    values = blobs().astype(np.float32)
    values[0, 3, 3] = np.nan
    with pytest.raises(BadInput, match="NaN"):
        Pixels(values)


def test_settings_make_the_same_method_again(segmenter: Segmenter) -> None:
    settings_of = json.loads(json.dumps(segmenter.settings()))
    assert type(segmenter).from_settings(settings_of) == segmenter


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([0.1, 0.25, 0.5, 2.0, 3.0]), st.integers(0, 5))
def test_watershed_depends_on_pixels_and_micrometres_only_by_their_ratio(scale: float, seed: int) -> None:
    watershed = methods("segmentation")["watershed"]
    values = blobs(seed=seed)
    one = watershed()(Pixels(values, 0.5))
    lengths = {name: getattr(watershed(), name) * scale for name in ("diameter_um", "smoothing_um")}
    other = watershed(**lengths, min_area_um2=watershed().min_area_um2 * scale**2)(Pixels(values, 0.5 * scale))
    assert np.array_equal(one.labels, other.labels)


def test_watershed_finds_the_same_nuclei_at_another_resolution() -> None:
    watershed = methods("segmentation")["watershed"]()
    values = blobs()
    fine = watershed(Pixels(values.repeat(2, 1).repeat(2, 2), 0.25))
    coarse = watershed(Pixels(values, 0.5))
    assert fine.labels.max() == coarse.labels.max() == 9
    overlap = (fine.labels[::2, ::2] > 0) & (coarse.labels > 0)
    assert overlap.sum() > 0.9 * max((coarse.labels > 0).sum(), 1)


def test_watershed_parts_touching_nuclei_and_scores_the_faint_one_lower() -> None:
    y, x = np.mgrid[:60, :90]
    image = np.full((60, 90), 50.0)
    for cx, light in ((20, 1000), (33, 1000), (70, 350)):
        image = np.maximum(image, light * (np.hypot(y - 30, x - cx) < 8))
    masks = methods("segmentation")["watershed"]()(Pixels(np.random.default_rng(0).poisson(image)[None], 0.5))
    assert masks.labels.max() == 3
    assert masks.scores is not None
    assert int(np.argmin(masks.scores)) == masks.labels[30, 70] - 1


def test_watershed_takes_the_channel_named_like_a_nuclear_stain() -> None:
    nuclei, empty = blobs()[0], np.zeros((96, 96), np.uint16)
    watershed = methods("segmentation")["watershed"]
    pixels = Pixels(np.stack([empty, nuclei]), 0.5, ("membrane", "DAPI"))
    assert watershed()(pixels).labels.max() == 9
    assert watershed(channel="membrane")(pixels).labels.max() == 0
    with pytest.raises(BadInput, match="no channel 'tubulin'"):
        watershed(channel="tubulin")(pixels)
    with pytest.raises(BadInput, match="2 channels"):
        watershed(stain="histology")(pixels)


def test_watershed_finds_blue_nuclei_on_pink_tissue() -> None:
    y, x = np.mgrid[:96, :96]
    image = np.empty((3, 96, 96))
    image[:] = np.array([230, 170, 205])[:, None, None]
    for cy, cx in ((20, 20), (20, 70), (70, 45)):
        image[:, np.hypot(y - cy, x - cx) < 8] = np.array([95, 70, 150])[:, None]
    noisy = np.clip(image + np.random.default_rng(0).normal(0, 5, image.shape), 0, 255).astype(np.uint8)
    assert methods("segmentation")["watershed"]()(Pixels(noisy, 0.5)).labels.max() == 3


def cellpose(**settings_of: object) -> Segmenter:
    cls = methods("segmentation")["cellpose"]
    if cls.missing():
        pytest.skip(f"needs {cls.missing()}")
    return cls(**{"device": "cpu", **settings_of})


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_cellpose_gives_what_calling_cellpose_gives(cellpose_weights: Path) -> None:
    from cellpose.models import CellposeModel
    from scipy.ndimage import gaussian_filter

    values = gaussian_filter(np.random.default_rng(0).random((2, 256, 256)), (0, 5, 5)).astype(np.float32)
    named = {"model": str(cellpose_weights), "channel": "c", "nuclear_channel": "n"}
    ours = cellpose(**named, flow_threshold=0.0, diameter_um=15.0, min_area_um2=2.0)(Pixels(values, 0.5, ("n", "c")))
    theirs, flows, _ = CellposeModel(pretrained_model=str(cellpose_weights)).eval(
        values, channel_axis=0, channels=[2, 1], diameter=30.0, flow_threshold=0.0, min_size=8, normalize={}
    )
    assert ours.labels.shape == (256, 256)
    assert ours.labels.max() > 5
    assert np.array_equal(ours.labels, theirs)
    assert ours.scores is not None and len(ours.scores) == theirs.max()
    assert ours.scores[0] == pytest.approx((1 / (1 + np.exp(-flows[2][theirs == 1].astype(float)))).mean())


def test_cellpose_goes_on_when_the_accelerators_memory_is_full(
    cellpose_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from napari_spatialml.methods.segmentation import cellpose as module

    segmenter, tried, said = cellpose(model=str(cellpose_weights), diameter_um=15.0, flow_threshold=0.0), [], []
    expected = segmenter(Pixels(blobs(48, 48), 0.5))
    real = module.Cellpose._run

    def run(self: Segmenter, image: object, size: float, path: Path, batch: int, device: str, report: object) -> Masks:
        tried.append((batch, device))
        if device != "cpu":
            report(0.6, "half way")
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(self, image, size, path, batch, device, report)

    monkeypatch.setattr(module, "choose", lambda preference: "cuda")
    monkeypatch.setattr(module.Cellpose, "_run", run)
    masks = segmenter(Pixels(blobs(48, 48), 0.5), lambda fraction, message="": said.append((fraction, message)))
    assert tried == [(8, "cuda"), (4, "cuda"), (2, "cuda"), (1, "cuda"), (8, "cpu")]
    assert np.array_equal(masks.labels, expected.labels)
    assert [f for f, _ in said] == sorted(f for f, _ in said)
    assert any("trying 4 at a time" in message for _, message in said)


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in the place of Cellpose's own, and a network that must not be used."""
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "models"))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing may be fetched without being asked")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    return tmp_path / "models"


@pytest.mark.parametrize("model", ["", "cyto3", "nuclei", "/nowhere/at/all.pt", "misspelt"])
def test_cellpose_weights_that_are_not_here_are_named_and_never_fetched(
    own_folder: Path, model: str, pixels: Pixels
) -> None:
    with pytest.raises(MissingWeights) as caught:
        cellpose(model=model)(pixels)
    if model in ("", "cyto3", "nuclei"):
        assert str(own_folder) in caught.value.hint
        assert "https://" in caught.value.hint
    else:
        assert model in caught.value.message
    assert not own_folder.exists()


def test_cellpose_takes_a_published_model_from_its_folder(own_folder: Path, cellpose_weights: Path) -> None:
    own_folder.mkdir()
    os.link(cellpose_weights, own_folder / "cyto3")
    assert cellpose(model="cyto3", diameter_um=15.0)(Pixels(blobs(48, 48), 0.5)).labels.shape == (48, 48)


def test_cellpose_fetches_when_asked_and_leaves_nothing_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cellpose_weights: Path
) -> None:
    from napari_spatialml.core import cellpose_weights as weights

    site = tmp_path / "site"
    site.mkdir()
    os.link(cellpose_weights, site / "cyto3")
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "models"))
    monkeypatch.setitem(weights.SITES, 3, site.as_uri() + "/")
    said: list[float] = []

    def stop(fraction: float, message: str = "") -> None:
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        weights.find("cyto3", True, stop)
    assert not list((tmp_path / "models").iterdir())
    path = weights.find("cyto3", True, lambda fraction, message="": said.append(fraction))
    assert path.read_bytes() == cellpose_weights.read_bytes()
    assert said[-1] == 1
    with pytest.raises(MissingWeights, match="could not be fetched"):
        weights.find("nuclei", True)
    assert [p.name for p in (tmp_path / "models").iterdir()] == ["cyto3"]


class Payload:
    """Unpickling this runs code: it would make a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path(self.path),)


@pytest.mark.parametrize("content", ["text", "empty", "pickle", "code", "tensor", "other network", "cellpose 4"])
def test_a_file_that_holds_no_cellpose_weights_is_refused_and_runs_no_code(
    tmp_path: Path, content: str, pixels: Pixels
) -> None:
    import pickle

    import torch

    path, trap = tmp_path / "model", tmp_path / "trap"
    if content == "text":
        path.write_text("not weights\n" * 50)
    elif content == "empty":
        path.touch()
    elif content == "pickle":
        path.write_bytes(pickle.dumps(Payload(str(trap))))
    else:
        made = {
            "code": {"output.2.weight": Payload(str(trap))},
            "tensor": torch.zeros(3),
            "other network": {"conv.weight": torch.zeros(3)},
            "cellpose 4": {"W2": torch.zeros(3)},
        }
        torch.save(made[content], path)
    with pytest.raises(BadInput, match="'model'"):
        cellpose(model=str(path))(pixels)
    assert not trap.exists()


def test_no_load_of_cellposes_can_unpickle(tmp_path: Path) -> None:
    import pickle

    import torch

    from napari_spatialml.core.cellpose_weights import unpickling_forbidden

    path, trap = tmp_path / "model", tmp_path / "trap"
    torch.save(Payload(str(trap)), path)
    with unpickling_forbidden(), pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=False)
    assert not trap.exists()
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ
