"""Deconvolution by an autoencoder whose narrow middle is the proportions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ...core.box_simplex import obeying
from ...core.cell_likelihood import moment_dispersions
from ...core.composition_network import Decoder, Encoder, Given
from ...core.count_rows import CountRows, evenly_spaced, row_blocks, some_rows
from ...core.count_units import count_units
from ...core.deconvolution import Deconvolver, Fitted, Proportions, Reference, Spots
from ...core.device import Device, choose, with_memory_fallback
from ...core.goodness import goodness
from ...core.learnt_types import Topics, learn_topics, overdispersed_genes, suggested_number, topic_names
from ...core.least_squares_shares import least_squares_shares
from ...core.method import Advanced, Interval, Means, method
from ...core.platform_factors import shrunk_factors
from ...core.report import Report, forward_only, part, silent
from ...core.signatures import marker_genes, own_genes, shared_genes
from ...core.simulated_mixtures import Recipe
from ...core.type_profiles import TypeProfiles, type_profiles
from ...errors import BadInput

Array = npt.NDArray[np.float64]
_BLOCK = 4096
_BATCH = 128
_JITTER = 0.2
_ROUNDS = 3
_FREE_GENES = 1000
"""Without a reference, so many genes that vary most are used."""
_NUMBER_ROWS, _NUMBER_GENES = 600, 500
"""Spots and genes over which the number of types is sought."""
_FEWEST_SPOTS, _FEWEST_GENES = 24, 10
_FEW_SPOTS, _FEW_GENES = 20, 10
"""With fewer spots, or genes, a type than this, types are learnt all the same, and it is said."""
_OF_COUNTS = "Shares are of the counts: how much RNA a cell of a learnt type holds is not known."


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
    reference, of cells as different as they are there, and then to explain the real ones.

    Without a reference it learns the types from the section itself: a topic model, begun at the least mixed
    spots, gives profiles and first shares; then encoder and profiles explain the spots together. The number of
    types is the user's, or the least that explains held-out counts as well as any. Each type is named by three
    of its genes, for a person to say what it is. Shares are then of the counts, since how much RNA a cell of a
    learnt type holds is not known. A learnt type may be a mixture that always comes together, or half of one.

    Notes
    -----
    Double precision throughout, so that the same seed gives the same proportions, and on a graphics card with
    CUDA the same within 0.001, which is tested where there is one; on Apple's it runs on the processor. Another
    seed moves proportions by a few hundredths. A run takes a quarter of a minute for 2,000 genes.
    """

    reference_free: ClassVar[bool] = True
    learnt_tolerance: ClassVar[float] = 0.05
    n_types: Annotated[int, Interval(ge=0, le=60), Means(0, "by held-out counts", 8)] = 0
    """Number of types that are learnt where no reference is named; 0 takes what explains held-out counts."""
    share: Literal["cells", "RNA"] = "cells"
    """Proportions are shares of cells, by the mean counts of a cell in the reference, or shares of RNA; without a
    reference always of RNA."""
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

    def __call__(self, spots: Spots, reference: Reference | None, report: Report = silent) -> Proportions:
        """Estimate the proportions of the reference's cell types in each spot, or of types learnt from the spots.

        Raises
        ------
        MissingDependency
            When torch is not installed.
        BadInput
            When spots and reference share too few genes, or a cell type has no counts in them; without a
            reference, when there are too few spots or genes.
        """
        self.check_installed()
        report = forward_only(report)
        if reference is None:
            return self._without_reference(spots, report)
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
        values, totals = _read_off(counts, columns, encoder, decoder, size, part(report, 0.9, 1.0))
        return values, decoder, totals

    def _without_reference(self, spots: Spots, report: Report) -> Proportions:
        """Learn types from the spots; those of an earlier result are kept, so that the hand's word about them holds."""
        report(0.0, "Choosing genes")
        genes, counts = own_genes(spots)
        columns, start = self._free_genes(spots, genes, counts)
        sample = _sample(spots, counts, columns, self.learn_from)
        _require_enough(sample, self.n_types)
        topics = start or self._topics(sample, part(report, 0.05, 0.6))
        device = choose(self.device)
        values, decoder, totals = with_memory_fallback(
            lambda size, there: self._explained(counts, columns, sample, topics, size, there, part(report, 0.6, 1.0)),
            _BLOCK,
            "cpu" if device == "mps" else device,
            lambda said: report(0.6, said),
        )
        n_types = len(topics.profiles)
        values[totals == 0] = 1 / n_types
        named = spots.start.types if start is not None and spots.start is not None else None
        types = named or topic_names(decoder.profiles, genes[columns])
        report(1.0, f"{n_types} types learnt from {len(sample)} spots")
        fitted = Fitted(genes[columns], decoder.platform, decoder.profiles, float(np.median(decoder.dispersion)))
        values = obeying(values, types, spots.constraints)
        told = goodness(counts, columns, fitted.signatures, values)
        notes = (_OF_COUNTS, *_few(sample, n_types)) if self.share == "cells" else _few(sample, n_types)
        return Proportions(values, types, fitted=fitted, notes=notes, **vars(told))

    def _free_genes(
        self, spots: Spots, genes: npt.NDArray[Any], counts: sp.csr_matrix | CountRows
    ) -> tuple[npt.NDArray[np.intp], Topics | None]:
        """Return the columns that are used, and the profiles of an earlier result over them."""
        before = spots.start.fitted if spots.start is not None else None
        if before is not None and spots.start is not None and np.isin(before.genes, genes).all():
            order = np.argsort(before.genes)
            profiles = np.maximum(before.signatures[:, order], 1e-12)
            return np.searchsorted(genes, before.genes[order]), Topics(profiles, spots.start.values)
        rows = evenly_spaced(counts, int(counts.shape[0]), self.learn_from)
        columns = overdispersed_genes(some_rows(counts, rows), _FREE_GENES)
        if len(columns) < _FEWEST_GENES:
            raise BadInput(
                f"{len(columns)} of the {len(genes)} genes have counts in enough spots to learn types from.",
                f"At least {_FEWEST_GENES} are needed; name a reference instead.",
            )
        return columns, None

    def _topics(self, sample: Array, report: Report) -> Topics:
        number = self.n_types
        if not number:
            rows = np.linspace(0, len(sample) - 1, min(len(sample), _NUMBER_ROWS)).round().astype(np.intp)
            some = sample[rows]
            some = some[:, overdispersed_genes(sp.csr_matrix(some), _NUMBER_GENES)]
            some = some[some.sum(1) > 0]
            number = suggested_number(some, np.random.default_rng(self.seed), part(report, 0.0, 0.7))
        return learn_topics(sample, number, part(report, 0.7, 1.0))

    def _explained(
        self,
        counts: sp.csr_matrix | CountRows,
        columns: npt.NDArray[np.intp],
        sample: Array,
        topics: Topics,
        size: int,
        device: str,
        report: Report,
    ) -> tuple[Array, Decoder, Array]:
        """Return proportions, the decoder, and the total of each spot: both halves of the network learn."""
        decoder = Decoder(topics.profiles, *np.ones((2, len(columns))))
        first = _least_squares(sample, decoder)
        mean = decoder.mean(first, sample.sum(1))
        spread = moment_dispersions(((sample - mean) ** 2 - mean).sum(0), (mean**2).sum(0))
        begun = replace(decoder, dispersion=spread)
        encoder = Encoder(len(columns), len(topics.profiles), self.seed, device)
        encoder.standardise(sample)
        batches = _batches(len(sample), np.random.default_rng(self.seed))
        made = encoder.explain(Given(sample, first), begun, batches, self.n_steps // 3, part(report, 0.0, 0.8))
        values, totals = _read_off(counts, columns, encoder, decoder, size, part(report, 0.8, 1.0))
        return values, made, totals

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


def _read_off(
    counts: sp.csr_matrix | CountRows,
    columns: npt.NDArray[np.intp],
    encoder: Encoder,
    decoder: Decoder,
    size: int,
    report: Report,
) -> tuple[Array, Array]:
    """Return the (n, t) proportions and the total of each spot; the decoder is the one that the encoder began with."""
    n = int(counts.shape[0])
    values, totals = np.empty((n, len(decoder.profiles))), np.empty(n)
    for rows, block in row_blocks(counts, size):
        report(rows.start / n, "Reading off the proportions")
        used = sp.csr_matrix(block[:, columns])
        totals[rows] = np.asarray(used.sum(1)).ravel()
        dense = _in_units(used)
        values[rows] = encoder.proportions(Given(dense, _least_squares(dense, decoder)))
    return values, totals


def _require_enough(sample: Array, n_types: int) -> None:
    """Raise where there are too few spots, or genes, to learn types from."""
    n, g = sample.shape
    if n < max(_FEWEST_SPOTS, 2 * n_types):
        raise BadInput(
            f"{n} spots have counts in the genes that vary, too few to learn {n_types or 'cell'} types from.",
            f"At least {max(_FEWEST_SPOTS, 2 * n_types)} are needed; name a reference instead.",
        )
    if n_types > g:
        raise BadInput(f"{n_types} types are more than the {g} genes that vary.", f"Ask for {g // 3} types or fewer.")
    if n_types == 1:
        raise BadInput("One type has all of every spot.", "Ask for two types or more, or for 0.")


def _few(sample: Array, n_types: int) -> tuple[str, ...]:
    """Return a sentence for what there is little of."""
    n, g = sample.shape
    told = [("spots", n, _FEW_SPOTS), ("genes that vary", g, _FEW_GENES)]
    return tuple(
        f"Only {k} {what} for {n_types} learnt types, fewer than {least} each: take them as a hint."
        for what, k, least in told
        if k < least * n_types
    )


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
