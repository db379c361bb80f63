"""Features and coordinates that no section should have: refused in one sentence, or divided in a moment."""

import time

import numpy as np
import pytest
import scipy.sparse as sp

from napari_spatialml.core.domains import Cells
from napari_spatialml.core.graph import knn_graph
from napari_spatialml.core.lowpass import normalised
from napari_spatialml.core.uncertain_region import uncertain_regions
from napari_spatialml.errors import BadInput
from napari_spatialml.methods import method

WHERE = np.stack([np.arange(100) // 10, np.arange(100) % 10], 1) * 50.0
COUNTS = np.random.default_rng(0).poisson(np.where(WHERE[:, 1:] < 200, 8.0, 2.0), (100, 12)).astype(float)
MIXTURE = method("domains", "low-pass-mixture")


def test_places_that_cannot_be_squared_do_not_crash_the_program():
    with pytest.raises(BadInput, match=r"e\+302"):
        knn_graph(WHERE * 1e300, 6)
    with pytest.raises(BadInput, match="Set the section's unit"):
        Cells(COUNTS, WHERE * 1e300)


@pytest.mark.parametrize("name", ["low-pass-mixture", "leiden"])
@pytest.mark.parametrize(("blur", "unit"), [(1e6, 1.0), (100.0, 1e-8)])
def test_a_blur_wider_than_any_section_is_refused_and_does_not_hang(name, blur, unit):
    detector = method("domains", name)(n_domains=3, smoothing_um=blur)
    with pytest.raises(BadInput, match="too wide") as refused:
        detector(Cells(COUNTS, WHERE * unit))
    most = float(refused.value.hint.split()[1])
    assert 0 < most < blur
    method("domains", name)(n_domains=3, smoothing_um=most).smoothed(
        detector.embedded(Cells(COUNTS, WHERE * unit)), Cells(COUNTS, WHERE * unit)
    )


@pytest.mark.parametrize(
    "values", [COUNTS.astype(object), COUNTS.astype(str), COUNTS + 1j], ids=["object", "text", "complex"]
)
def test_features_that_are_no_numbers_are_refused_by_their_type(values):
    with pytest.raises(BadInput, match="not numbers"):
        Cells(values, WHERE)


@pytest.mark.parametrize("sparse", [True, False])
def test_rows_that_sum_to_more_than_single_precision_holds_are_normalised_alike(sparse):
    table = (COUNTS * 1e37).astype(np.float32)
    found = normalised(sp.csr_matrix(table) if sparse else table, "log")
    found = found.toarray() if sparse else found
    assert np.isfinite(found).all()
    assert np.allclose(found, normalised(table.astype(np.float64), "log"))


@pytest.mark.parametrize("name", ["low-pass-mixture", "cellcharter-hops"])
def test_a_handful_of_rows_is_divided_in_a_moment(name):
    start = time.perf_counter()
    for n in (2, 3, 5, 64):
        found = method("domains", name)(n_domains=2)(Cells(COUNTS[:n], WHERE[:n]))
        assert len(found.labels) == n
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize(("shape", "names"), [((100,), None), ((100, 3), ["only one"])])
def test_probabilities_and_names_that_do_not_fit_are_told(shape, names):
    with pytest.raises(BadInput, match=r"shape|1 names for 3"):
        uncertain_regions(np.full(shape, 1 / 3), knn_graph(WHERE, 6), names=names)
