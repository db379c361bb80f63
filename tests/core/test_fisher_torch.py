"""Solving spots in torch: as on the processor, for free, constrained and empty spots, and when memory runs out."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

torch = pytest.importorskip("torch")

from napari_spatialml.core import CountRows, Proportions, device, fisher, fisher_torch, quadratic_torch, solved_rows  # noqa: E402
from napari_spatialml.core.deconvolution import Constraints  # noqa: E402
from napari_spatialml.core.fisher import Design, drawn_to_zero, information, pearson, shares, solve, standard_errors  # noqa: E402
from napari_spatialml.core.platform_factors import GeneNoise  # noqa: E402
from napari_spatialml.core.quadratic_kernels import nonnegative  # noqa: E402
from napari_spatialml.core.solved_rows import solve_rows  # noqa: E402
from napari_spatialml.core.type_profiles import TypeProfiles  # noqa: E402

GENERATOR = np.random.default_rng(0)
N, T, G = 300, 8, 150
PROFILES = GENERATOR.dirichlet(np.full(G, 0.3), T) + 1e-5
COUNTS = GENERATOR.poisson(GENERATOR.dirichlet(np.full(T, 0.3), N) @ PROFILES * GENERATOR.uniform(30, 3000, (N, 1)))
COUNTS[[0, 7, 150]] = 0
NOISE = GeneNoise(np.ones(G), np.full(G, 0.1), np.full(G, 1.2))
TYPES = TypeProfiles(tuple("abcdefgh"), PROFILES, np.full((T, G), 50.0), np.ones(T))
FIELDS = ("abundance", "values", "errors", "units", "deviance")


def hand():
    """Spots 0 to 59: a forbidden type, a minimum, a fixed share; two of them are empty."""
    lower, upper = np.zeros((60, T)), np.ones((60, T))
    upper[:20, 1], lower[20:40, 2] = 0.0, 0.3
    lower[40:, 3] = upper[40:, 3] = 0.25
    return Constraints(TYPES.types, np.arange(60), lower, upper)


@pytest.fixture
def pretended(monkeypatch):
    """A device "cuda" that is the processor in torch, with room for some rows; tells what was tried."""
    tried, room, on = [], [N], solved_rows._on_accelerator

    def run(counts, task, found, size, there, report):
        tried.append((size, there))
        if size > room[0]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        on(counts, task, found, size, "cpu", report)

    monkeypatch.setattr(solved_rows, "choose", lambda preference: "cuda")
    monkeypatch.setattr(solved_rows, "_on_accelerator", run)
    return tried, room


def same(one, other, within=1e-5):
    assert np.allclose(shares(one.abundance), shares(other.abundance), atol=within)
    assert np.allclose(one.abundance.sum(1), other.abundance.sum(1), rtol=within)
    for name in FIELDS[1:]:
        here, there = getattr(one, name), getattr(other, name)
        assert np.allclose(here, there, rtol=within, atol=within), (name, np.abs(here - there).max())
    assert (one.empty == other.empty).all() and one.empty.sum() == 3


@pytest.mark.parametrize("constraints", [None, hand()], ids=["free", "constrained"])
@pytest.mark.parametrize("scaled", [1, 0.37])
def test_spots_in_torch_are_as_on_the_processor(pretended, constraints, scaled):
    counts = sp.csr_matrix(COUNTS * scaled)
    here, there = (solve_rows(counts, TYPES, NOISE, constraints, device=on) for on in ("cpu", "cuda"))
    assert pretended[0] == [(N, "cuda")]
    same(here, there)
    if constraints is not None:
        told = shares(there.abundance[:60])
        assert (told[:20, 1] <= 1e-12).all() and (told[20:40, 2] >= 0.3 - 1e-9).all()
        assert np.allclose(told[40:, 3], 0.25)


def test_an_earlier_result_is_where_both_start(pretended):
    counts = sp.csr_matrix(COUNTS)
    earlier = Proportions(np.full((N, T), 1 / T), TYPES.types)
    same(*(solve_rows(counts, TYPES, NOISE, None, earlier, on) for on in ("cpu", "cuda")))


class OnDisk(CountRows):
    shape = COUNTS.shape

    def rows(self, start, stop):
        return sp.csr_matrix(COUNTS[start:stop].astype(np.uint16))


def test_a_full_memory_makes_blocks_smaller_and_then_the_processor_takes_over(pretended):
    (tried, room), said = pretended, []
    whole = solve_rows(OnDisk(), TYPES, NOISE, hand(), device="cpu")
    room[0] = 80
    same(whole, solve_rows(OnDisk(), TYPES, NOISE, hand(), device="cuda", report=lambda f, m="": said.append(m)))
    assert tried == [(300, "cuda"), (150, "cuda"), (75, "cuda")]
    assert any("trying 75" in sentence for sentence in said)
    room[0] = 0
    last = solve_rows(OnDisk(), TYPES, NOISE, hand(), device="cuda")
    assert all(np.array_equal(getattr(whole, name), getattr(last, name)) for name in (*FIELDS, "empty"))


def test_small_blocks_of_the_processor_are_followed_to_the_last_digits(pretended, monkeypatch):
    """A row that is done moves until enough of its block are: beyond the tolerance, blocks decide."""
    monkeypatch.setattr(solved_rows, "_BLOCK", 100 * G)
    for module in (solved_rows, fisher):
        monkeypatch.setattr(module, "BLOCK", 30 * G)
    counts = sp.csr_matrix(COUNTS)
    same(*(solve_rows(counts, TYPES, NOISE, device=on) for on in ("cpu", "cuda")), within=1e-10)


def test_single_precision_counts_are_within_a_thousandth():
    """As on MPS, where what has the size of the counts is in single precision."""
    double = Design.of(PROFILES, NOISE.dispersion, NOISE.grain)
    single = Design(*(torch.from_numpy(x.astype(np.float32)) for x in vars(double).values()))
    start = np.full((N, T), 100.0)
    here = solve(COUNTS.astype(float), double, start, tolerance=1e-8)
    there = fisher_torch.solve(torch.from_numpy(COUNTS).float(), single, start, tolerance=1e-5).numpy()
    assert np.allclose(shares(here), shares(there), atol=1e-3)


def test_every_figure_of_a_spot_is_that_of_the_processor():
    design = Design.of(PROFILES, NOISE.dispersion, NOISE.grain)
    counts = COUNTS.astype(float)
    at = solve(counts, design, np.full((N, T), 100.0))
    on, dense, there = fisher_torch.placed(design, "cpu"), torch.from_numpy(counts), torch.from_numpy(at)
    pairs, right = information(counts, at, design)
    pairs_there, right_there = fisher_torch.information(dense, there, on)
    errors = standard_errors(pairs, at)
    assert np.allclose(pairs, pairs_there) and np.allclose(right, right_there)
    assert np.allclose(errors, fisher_torch.standard_errors(pairs_there, there), atol=1e-9)
    drawn = fisher_torch.drawn_to_zero(pairs_there, there, torch.from_numpy(errors))
    assert np.allclose(drawn_to_zero(pairs, at, errors), drawn, atol=1e-9)
    assert np.allclose(pearson(counts, at, design), fisher_torch.pearson(dense, there, on))


def test_quadratic_problems_are_solved_as_the_kernels_do_whatever_the_start():
    factors = GENERATOR.normal(size=(200, T + 2, T))
    factors[:50, :, 1] = factors[:50, :, 0] + 1e-5 * factors[:50, :, 1]  # two types that are almost one
    gram = np.einsum("nij,nik->njk", factors, factors)
    first, second = np.triu_indices(T)
    pairs, right = np.ascontiguousarray(gram[:, first, second].T), GENERATOR.normal(size=(T, 200))
    ridge, start = np.full(200, 1e-6), GENERATOR.integers(0, 2, (200, T)).astype(float)
    forbidden, out = GENERATOR.random((200, T)) < 0.2, np.empty((200, T))
    nonnegative(pairs, right, ridge, start, forbidden, out)
    packed = quadratic_torch.unpacked(torch.from_numpy(pairs), torch.from_numpy(ridge), T)
    rest = (torch.from_numpy(x) for x in (right, start.T.copy(), forbidden.T.copy()))
    found = quadratic_torch.nonnegative(packed, *rest).numpy().T
    assert np.allclose(found, out, rtol=1e-5, atol=1e-5 * np.abs(out).max())
    assert (found[forbidden] == 0).all() and (found >= 0).all() and (found > 0).any(1).sum() > 150


def test_few_counts_stay_on_the_processor_and_no_driver_means_no_torch():
    assert solved_rows._where("auto", solved_rows._PAYS - 1) == "cpu"
    code = (
        "import sys; from napari_spatialml.core import device; device._has_driver = lambda system: False;"
        "from napari_spatialml.core.solved_rows import _where; assert _where('auto', 1 << 40) == 'cpu';"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_many_counts_go_where_the_accelerator_is(monkeypatch):
    for there in (True, False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
        assert device.accelerated() is there
        assert solved_rows._where("auto", solved_rows._PAYS) == ("cuda" if there else "cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="NO CUDA: that spots are the same there is not tested")
@pytest.mark.parametrize("constraints", [None, hand()], ids=["free", "constrained"])
def test_cuda_gives_the_same(constraints):
    counts = sp.csr_matrix(COUNTS)
    same(*(solve_rows(counts, TYPES, NOISE, constraints, device=on) for on in ("cpu", "cuda")), within=1e-3)
