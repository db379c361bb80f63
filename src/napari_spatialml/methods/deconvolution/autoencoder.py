"""Deconvolution by an autoencoder whose narrow middle is the proportions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ...core.box_simplex import obeying
from ...core.cell_likelihood import moment_dispersions
from ...core.composition_network import Decoder, Encoder, Given
from ...core.count_rows import CountRows, row_blocks
from ...core.count_units import count_units
from ...core.deconvolution import Deconvolver, Fitted, Proportions, Reference, Spots
from ...core.device import Device, choose, with_memory_fallback
from ...core.goodness import goodness
from ...core.least_squares_shares import least_squares_shares
from ...core.method import Advanced, Interval, method
from ...core.platform_factors import shrunk_factors
from ...core.report import Report, forward_only, part, silent
from ...core.signatures import marker_genes, shared_genes
from ...core.simulated_mixtures import Recipe
from ...core.type_profiles import TypeProfiles, type_profiles

Array = npt.NDArray[np.float64]
_BLOCK = 4096
_BATCH = 128
_JITTER = 0.2
_ROUNDS = 3


@method(
    title="Autoencoder",
    citation="after Menden et al. 2020, doi:10.1126/sciadv.aba2619 (learning from simulated mixtures) and "
    "Chen et al. 2022, doi:10.1038/s41467-022-34550-9 (decoding to signatures)",
    requires=("torch",),
    extra="torch",
)
class Autoencoder(Deconvolver):
    """A small network from counts to proportions, whose decoder is the cell types' profiles.

    The encoder corrects least squares by what two hidden layers see in the log-normalised counts, and ends in
    a softmax over the cell types: proportions, and nothing else, pass to the decoder, which expects counts of
    profiles times gene factors, with negative binomial noise. It first learns from spots simulated from the
    reference, of cells as different as they are there, and then to explain the real ones. It needs the
    reference's cells, or their signatures; it does not find types without one.

    Notes
    -----
    Double precision throughout, so that the same seed gives the same proportions, and on a graphics card with
    CUDA the same within 0.001, which is tested where there is one; on Apple's it runs on the processor. Another
    seed moves proportions by a few hundredths. A run takes a quarter of a minute for 2,000 genes.
    """

    learnt_tolerance: ClassVar[float] = 0.05
    share: Literal["cells", "RNA"] = "cells"
    """Proportions are shares of cells, by the mean counts of a cell in the reference, or shares of RNA."""
    n_simulated: Annotated[int, Interval(ge=500, le=1_000_000), Advanced()] = 6000
    """Number of simulated spots from which the network learns."""
    n_steps: Annotated[int, Interval(ge=10, le=1_000_000), Advanced()] = 500
    """Number of steps of learning, of 128 simulated spots each."""
    n_markers: Annotated[int, Interval(ge=1, le=100_000), Advanced()] = 100
    """At most so many marker genes a cell type are used."""
    learn_from: Annotated[int, Interval(ge=10, le=1_000_000), Advanced()] = 2048
    """Gene factors are learnt, and the network is adapted, on at most so many spots, evenly spaced."""
    seed: Annotated[int, Interval(ge=0, le=2**31 - 1), Advanced()] = 0
    """Seed of the simulated spots and of the network; the same seed gives the same proportions."""
    device: Annotated[Device, Advanced()] = "auto"
    """Where the network runs; "auto" takes the fastest that is there."""

    def __call__(self, spots: Spots, reference: Reference, report: Report = silent) -> Proportions:
        """Estimate the proportions of the reference's cell types in each spot.

        Raises
        ------
        MissingDependency
            When torch is not installed.
        BadInput
            When spots and reference share too few genes, or a cell type has no counts in them.
        """
        self.check_installed()
        report = forward_only(report)
        report(0.0, "Matching genes")
        shared = shared_genes(spots, reference)
        profiles = type_profiles(shared.reference, reference.types)
        markers = marker_genes(profiles.profiles, self.n_markers)
        # markers of types with one and the same profile are none: then every gene has to do
        markers = markers if len(markers) >= len(profiles.types) else np.arange(len(shared.genes))
        profiles = profiles.over(markers)
        report(0.05, f"Gene factors of {len(markers)} genes")
        sample = _sample(spots, shared.spots, markers, self.learn_from)
        cells = sp.csr_matrix(shared.reference[:, markers])
        device = choose(self.device)
        values, decoder, totals = with_memory_fallback(
            lambda size, there: self._run(
                shared.spots, markers, sample, cells, reference.types, profiles, size, there, report
            ),
            _BLOCK,
            "cpu" if device == "mps" else device,
            lambda said: report(0.1, said),
        )
        values[totals == 0] = 1 / len(profiles.types)
        report(1.0, f"Proportions of {len(profiles.types)} cell types")
        fitted = Fitted(
            shared.genes[markers], decoder.platform, decoder.profiles * decoder.platform,
            float(np.median(decoder.dispersion)),
        )  # fmt: skip
        values = obeying(values, profiles.types, spots.constraints)
        told = goodness(shared.spots, markers, fitted.signatures, values)
        return Proportions(values, profiles.types, fitted=fitted, **vars(told))

    def _run(
        self,
        counts: sp.csr_matrix | CountRows,
        columns: npt.NDArray[np.intp],
        sample: Array,
        cells: sp.csr_matrix,
        types: npt.NDArray[np.str_],
        profiles: TypeProfiles,
        size: int,
        device: str,
        report: Report,
    ) -> tuple[Array, Decoder, Array]:
        """Return proportions, the decoder, and the total of each spot."""
        sizes = profiles.sizes[:, None] if self.share == "cells" else 1.0
        decoder = Decoder(profiles.profiles * sizes, *np.ones((2, len(columns))))
        for _ in range(_ROUNDS if len(sample) else 0):
            decoder = _after(decoder, sample, _least_squares(sample, decoder))
        encoder = self._taught(sample, cells, types, profiles, decoder, device, part(report, 0.1, 0.9))
        n = int(counts.shape[0])
        values, totals = np.empty((n, len(profiles.types))), np.empty(n)
        for rows, block in row_blocks(counts, size):
            report(0.9 + 0.1 * rows.start / n, "Reading off the proportions")
            used = sp.csr_matrix(block[:, columns])
            totals[rows] = np.asarray(used.sum(1)).ravel()
            dense = _in_units(used)
            values[rows] = encoder.proportions(Given(dense, _least_squares(dense, decoder)))
        return values, decoder, totals

    def _taught(
        self,
        sample: Array,
        cells: sp.csr_matrix,
        types: npt.NDArray[np.str_],
        profiles: TypeProfiles,
        decoder: Decoder,
        device: str,
        report: Report,
    ) -> Encoder:
        """Return the encoder, taught by simulated spots and adapted to real ones."""
        generator = np.random.default_rng(self.seed)
        order = _by_content(cells, types)
        order = order[np.asarray(cells[order].sum(1)).ravel() > 0]
        number = np.searchsorted(profiles.types, types[order])
        depths = np.sort(sample.sum(1)) if len(sample) else np.full(1, 1000.0)
        report(0.0, f"Simulating {self.n_simulated} spots")
        recipe = Recipe(sp.csr_matrix(cells[order]), number, profiles, decoder.platform, depths, self.share, _JITTER)
        made = recipe.make(self.n_simulated, generator)
        known = Given(made.counts, _least_squares(made.counts, decoder))
        encoder = Encoder(len(decoder.platform), len(profiles.types), self.seed, device)
        encoder.standardise(made.counts[:2048])
        simulated = _batches(self.n_simulated, generator)
        encoder.learn(known, made.truth, simulated, self.n_steps, part(report, 0.2, 0.75))
        if len(sample):
            real = Given(sample, _least_squares(sample, decoder))
            both = (_batches(len(sample), generator), simulated)
            encoder.adapt(real, decoder, known, made.truth, both, self.n_steps // 4, part(report, 0.75, 1.0))
        return encoder


def _sample(spots: Spots, counts: sp.csr_matrix | CountRows, columns: npt.NDArray[np.intp], most: int) -> Array:
    """Return dense counts of the spots to learn from, in an order that does not hang on the table's."""
    n = int(counts.shape[0])
    hand = spots.constraints
    wanted = np.arange(n) if hand is None or hand.artefacts is None else np.flatnonzero(~hand.artefacts)
    if len(wanted) > most:
        wanted = wanted[np.linspace(0, len(wanted) - 1, most).round().astype(np.intp)]
    taken = [
        _in_units(sp.csr_matrix(block[wanted[(wanted >= rows.start) & (wanted < rows.stop)] - rows.start][:, columns]))
        for rows, block in row_blocks(counts, _BLOCK)
    ]
    dense = np.vstack(taken)
    dense = dense[dense.sum(1) > 0]
    return np.asarray(dense[np.lexsort((_marks(dense),))])


def _in_units(counts: sp.csr_matrix) -> Array:
    return np.asarray(counts.toarray() / count_units(counts)[:, None])


def _marks(counts: Any) -> Array:
    """Return a number for each row that tells different rows apart."""
    return np.asarray(counts @ np.random.default_rng(0).integers(1, 1 << 20, counts.shape[1]).astype(np.float64))


def _by_content(counts: sp.csr_matrix, types: npt.NDArray[np.str_]) -> npt.NDArray[np.intp]:
    return np.asarray(np.lexsort((_marks(counts), types)))


def _batches(n: int, generator: np.random.Generator) -> Iterator[npt.NDArray[np.intp]]:
    """Yield rows for ever, each once before any again."""
    while True:
        order = generator.permutation(n)
        for start in range(0, n, _BATCH):
            yield order[start : start + _BATCH]


def _least_squares(counts: npt.NDArray[Any], decoder: Decoder) -> Array:
    """Return (n, t) shares by weighted least squares."""
    expected = decoder.profiles * decoder.platform
    expected = expected / expected.sum(1, keepdims=True).mean()
    weights = 1 / np.sqrt(expected.mean(0))
    return least_squares_shares(sp.csr_matrix(counts), np.arange(counts.shape[1]), expected, weights)


def _after(decoder: Decoder, counts: Array, proportions: Array) -> Decoder:
    """Return the decoder with the gene factors and dispersions that the residuals ask for."""
    mean = decoder.mean(proportions, counts.sum(1))
    expected, squares = mean.sum(0), (mean**2).sum(0)
    dispersion = moment_dispersions(((counts - mean) ** 2 - mean).sum(0), squares)
    logs = np.log((counts.sum(0) + 0.5) / (expected + 0.5))
    variance = 1 / (expected + 0.5) + dispersion * squares / (expected + 0.5) ** 2
    return Decoder(decoder.profiles, shrunk_factors(np.log(decoder.platform) + logs, variance)[0], dispersion)
