"""Several looks at an image: a network that says the same of mirror images is believed, one that does not is named."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label

from napari_spatialml.core.flows import FlowField, decode, labels_to_flows
from napari_spatialml.core.segmentation import Masks, Pixels
from napari_spatialml.core.suspicion import TURNS, Evidence, asked, measure, suspicions


@dataclass
class Network:
    """Sees the bright discs of an image, whichever way it is turned; or cuts the brightest one in two."""

    cuts: bool = False
    diameter_um: float = 0.0

    def field(self, pixels: Pixels, report: object = None) -> FlowField:
        cells = label(pixels.values[0] > 500)[0].astype(np.int32)
        if self.cuts:
            y, x = np.nonzero(pixels.values[0] > 1500)
            cells[y[x > x.mean()], x[x > x.mean()]] = cells.max() + 1
        logit = gaussian_filter(12.0 * (cells > 0), 1) - 6
        return FlowField(logit.astype(np.float32), labels_to_flows(cells), self.diameter_um or 17.0)

    def decode(self, field: FlowField, pixel_size_um: float) -> Masks:
        return decode(field, flow_error=0)


def pixels() -> Pixels:
    """Twelve discs of which the lowest lies alone and is the brightest."""
    y, x = np.mgrid[:150, :110]
    centres = [(20 + 32 * i, 20 + 33 * j) for i in range(4) for j in range(3) if i < 3 or j == 1]
    values = sum(np.where((y - a) ** 2 + (x - b) ** 2 <= 81, 1000 + 1000 * (a > 110), 0) for a, b in centres)
    return Pixels(values[None].astype(np.uint16), 0.5)


@pytest.mark.parametrize("turn", TURNS)
def test_a_network_that_says_the_same_of_mirror_images_is_not_changed_by_more_looks(turn: str) -> None:
    first = Network().field(pixels())
    found = asked(Network(), pixels(), turns=(turn,))
    # the discs' flows are those of the mirror image, but for the middle pixel
    assert float(np.quantile(found.apart, 0.99)) < 0.15
    assert np.allclose(found.logit, first.logit, atol=1e-4)
    labels = Network().decode(first, 0.5).labels
    again = measure(Evidence(labels, 0.5, field=found)).columns["again"]
    assert again.min() > 0.97


def test_no_further_look_leaves_the_field_as_it_is() -> None:
    first, found = Network().field(pixels()), asked(Network(), pixels(), turns=())
    assert np.array_equal(found.logit, first.logit) and np.array_equal(found.flows, first.flows)
    assert not found.apart.any() and found.again.shape == (0, *first.logit.shape)
    assert "again" not in measure(Evidence(Network().decode(first, 0.5).labels, 0.5, field=found)).columns


def test_a_cell_on_which_a_network_contradicts_itself_comes_first() -> None:
    given = pixels()
    found = asked(Network(cuts=True), given)
    labels = Network().decode(Network().field(given), 0.5).labels
    torn = int(labels[116, 53])
    columns = measure(Evidence(labels, 0.5, field=found)).columns
    cells = np.unique(labels)[1:]
    assert cells[np.argmin(columns["again"])] == cells[np.argmax(columns["apart"])] == torn
    assert suspicions(Evidence(labels, 0.5, image=given.values, field=found)).queue[0] == torn


def test_a_window_of_looks_is_that_of_all_they_hold() -> None:
    found = asked(Network(), pixels())
    part = found.window(10, 60, 5, 70)
    for name in ("logit", "flows", "apart", "again"):
        assert np.array_equal(getattr(part, name), getattr(found, name)[..., 10:60, 5:70])


def test_further_looks_do_not_estimate_the_diameter_again() -> None:
    seen = []

    @dataclass
    class Watched(Network):
        def field(self, pixels: Pixels, report: object = None) -> FlowField:
            seen.append(self.diameter_um)
            return super().field(pixels, report)

    asked(Watched(), pixels())
    assert seen == [0.0, 8.5, 8.5, 8.5]
