"""A preview shows what a run will find, changes nothing, and runs the network only where it must."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatialml.core.segmentation import Pixels
from napari_spatialml.errors import BadInput
from napari_spatialml.io.sample import sample_section
from napari_spatialml.methods import method
from napari_spatialml.session import SegmentationSelection, Session
from napari_spatialml.session.previewing import LARGEST, Preview, Previewer, central
from napari_spatialml.views.previewing import edges_of

pytest.importorskip("torch")
SMALL = {"size_um": 200.0}
STARTER, WATERSHED = method("segmentation", "starter"), method("segmentation", "watershed")
WHOLE = SegmentationSelection("dapi")
WINDOW = (20, 180, 30, 200)


@pytest.fixture
def sample() -> Session:
    return Session.start(sample_section(0, **SMALL))


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The windows that the network saw, one for each time it ran."""
    seen: list[object] = []
    real = STARTER.field

    def field(self: object, pixels: Pixels, *rest: object, **more: object) -> object:
        seen.append(pixels.values.shape)
        return real(self, pixels, *rest, **more)

    monkeypatch.setattr(STARTER, "field", field)
    return seen


def previewed(previewer: Previewer, session: Session, window: tuple[int, ...] = WINDOW, **settings: object) -> Preview:
    made = STARTER(**{"device": "cpu", "diameter_um": 7.0, **settings})
    return previewer.job(session.document, made, WHOLE, window)()


def test_a_preview_of_a_part_shows_what_a_run_on_the_whole_finds_there(sample: Session) -> None:
    found = previewed(Previewer(), sample)
    whole = STARTER(device="cpu", diameter_um=7.0)(Pixels(np.asarray(sample.document.element("dapi").data), 0.5)).labels
    y0, y1, x0, x1 = WINDOW
    inner = np.s_[24:-24, 24:-24]  # at the window's border cells are cut
    assert found.cells > 10
    assert ((found.labels > 0) == (whole[y0:y1, x0:x1] > 0))[inner].mean() > 0.99


def test_nothing_of_a_preview_reaches_the_document(sample: Session) -> None:
    before = sample.document.names("labels"), sample.document.names("tables")
    previewed(Previewer(), sample)
    assert (sample.document.names("labels"), sample.document.names("tables")) == before
    assert not sample.history and sample.position == 0


def test_thresholds_do_not_run_the_network_and_everything_else_does(sample: Session, networks: list[object]) -> None:
    previewer = Previewer()
    first = previewed(previewer, sample)
    strict = previewed(previewer, sample, cell_probability=0.95)
    large = previewed(previewer, sample, min_area_um2=60.0)
    assert len(networks) == 1 and first.from_network and not strict.from_network
    assert strict.labels.astype(bool).sum() < first.labels.astype(bool).sum()
    assert large.cells < first.cells
    assert np.array_equal(previewed(previewer, sample).labels, first.labels) and len(networks) == 1
    previewed(previewer, sample, diameter_um=9.0)
    previewed(previewer, sample, (30, 190, 30, 200))
    assert len(networks) == 3
    previewer.forget()
    previewed(previewer, sample)
    assert len(networks) == 4


def test_a_preview_says_what_was_left_to_the_method(sample: Session) -> None:
    said = previewed(Previewer(), sample, diameter_um=0.0).stands_for
    assert 3 < said["diameter_um"] < 15 and 0 < said["cell_probability"] < 1


def test_methods_without_a_network_are_previewed_too(sample: Session) -> None:
    found = Previewer().job(sample.document, WATERSHED(), WHOLE, WINDOW, expand_um=2.0)()
    assert found.cells > 10 and 4 < found.diameter_um < 15
    assert found.around is not None
    nuclei = found.labels > 0
    assert np.array_equal(found.around[nuclei], found.labels[nuclei]) and (found.around > 0).sum() > nuclei.sum()


def test_what_cannot_be_previewed_says_why(sample: Session) -> None:
    with pytest.raises(BadInput, match="not in view"):
        previewed(Previewer(), sample, (50, 50, 0, 100))
    with pytest.raises(BadInput, match="no channel 'tubulin'"):
        Previewer().job(sample.document, WATERSHED(), SegmentationSelection("dapi", ("tubulin",)), WINDOW)


@pytest.mark.parametrize("window", [(0, 100, 0, 100), (10, 20_010, 5, 9_005), (0, 3, 0, 90_000_000)])
def test_of_a_large_view_the_middle_is_previewed(window: tuple[int, int, int, int]) -> None:
    y0, y1, x0, x1 = central(window)
    assert (y1 - y0) * (x1 - x0) <= LARGEST and y1 > y0 and x1 > x0
    assert abs((y0 + y1) - (window[0] + window[1])) <= 2 and abs((x0 + x1) - (window[2] + window[3])) <= 2
    if (window[1] - window[0]) * (window[3] - window[2]) <= LARGEST:
        assert (y0, y1, x0, x1) == window


def test_outlines_lie_within_the_cells_and_part_those_that_touch() -> None:
    labels = np.zeros((12, 14), np.int32)
    labels[2:9, 2:6], labels[2:9, 6:11] = 1, 2
    around = np.pad(labels, 1, mode="edge")[1:-1, 1:-1].copy()
    around[1:10, 1:12] = np.where(labels[1:10, 1:12] > 0, labels[1:10, 1:12], 2)
    edges = edges_of(labels, around)
    assert set(np.unique(edges)) == {0, 1, 2}
    assert not (edges[labels == 0] == 1).any() and (edges[2:9, 5:7] == 1).all()
    assert (edges[4, 3:5] == 0).all() and edges[1, 5] == 2
    assert (edges_of(labels, width=3) > 0).sum() > (edges_of(labels) > 0).sum()
