"""The count model of all spots, block by block: on the processor, or on an accelerator where that pays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .box_simplex import ranges as ranges_of
from .count_rows import CountRows, row_blocks
from .count_units import count_units
from .deconvolution import Constraints, Proportions
from .device import Device, accelerated, choose, with_memory_fallback
from .fisher import BLOCK, Design, drawn_to_zero, information, pearson, solve, standard_errors
from .platform_factors import GeneNoise, design_of
from .report import Report, forward_only, silent
from .type_profiles import TypeProfiles

__all__ = ["Near", "SolvedRows", "bounds_of", "dense_counts", "exactly", "first_start", "solve_rows"]

Array = npt.NDArray[np.float64]
_BLOCK = 1 << 20
"""Numbers of a dense block of counts: 4 MB, which stays in a processor's cache."""
_DEVICE_BLOCK = 1 << 26
"""The same on an accelerator: 512 MB, and about six times that with what is made of them."""
_PAYS = 1 << 24
"""So many counts take a processor as long as an accelerator takes to get ready."""
_EXACT = 1 << 20
"""Up to so many counts are solved in double precision."""


@dataclass(frozen=True)
class SolvedRows:
    """What was found of n spots and t types, as `count_model.Fit` describes it: (n, t) and (n,) arrays."""

    abundance: Array
    values: Array
    errors: Array
    units: Array
    deviance: Array
    empty: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, n: int, t: int) -> SolvedRows:
        """Return room for n spots."""
        abundance, values, errors = (np.empty((n, t)) for _ in range(3))
        return cls(abundance, values, errors, np.ones(n), np.zeros(n), np.zeros(n, bool))


@dataclass(frozen=True)
class Near:
    """Where a search may start for some spots: their sorted rows (k,), and abundances (k, t) near the answer."""

    rows: npt.NDArray[np.intp]
    abundance: Array


@dataclass(frozen=True)
class _Task:
    profiles: TypeProfiles
    noise: GeneNoise
    constraints: Constraints | None
    earlier: Proportions | None
    near: Near | None
    exact: bool

    def design(self, dtype: Any) -> Design:
        return Design.of(design_of(self.profiles, self.noise.platform), self.noise.dispersion, self.noise.grain, dtype)

    @property
    def tolerance(self) -> float:
        return 1e-6 if self.exact else 3e-4

    def bounds(self, rows: slice) -> tuple[Array, Array] | None:
        return bounds_of(self.constraints, self.profiles.types, np.arange(rows.start, rows.stop))

    @property
    def again(self) -> Proportions | None:
        """An earlier result for the same types, or None."""
        return self.earlier if self.earlier is not None and self.earlier.types == self.profiles.types else None

    def first(self, counts: Array, rows: slice) -> Array:
        """Return where the search starts for the counts of some rows: near the answer, or from nothing."""
        if self.near is None:
            return first_start(counts, self.profiles, self.noise)
        first, last = np.searchsorted(self.near.rows, [rows.start, rows.stop])
        known = self.near.rows[first:last] - rows.start
        out = np.empty((len(counts), len(self.profiles.types)))
        out[known] = self.near.abundance[first:last]
        others = np.setdiff1d(np.arange(len(out)), known)
        if len(others):
            out[others] = first_start(counts[others], self.profiles, self.noise)
        return out

    def start(self, earlier: Proportions, totals: Array, rows: slice) -> Array:
        """Return where the search starts from an earlier result, for spots of (k,) counts in all."""
        found = earlier.values if earlier.abundance is None else earlier.abundance
        unit = design_of(self.profiles, self.noise.platform).sum(1)
        values = np.asarray(found[rows], dtype=np.float64)
        values = values if earlier.abundance is None else values / unit
        size = totals / np.maximum(values @ unit, 1e-300)
        return np.asarray(values * size[:, None])


def solve_rows(
    counts: sp.csr_matrix | CountRows,
    profiles: TypeProfiles,
    noise: GeneNoise,
    constraints: Constraints | None = None,
    earlier: Proportions | None = None,
    device: Device = "auto",
    report: Report = silent,
    near: Near | None = None,
    exact: bool | None = None,
) -> SolvedRows:
    """Find the abundances of all spots, their proportions, and how well both are known.

    Parameters
    ----------
    counts
        (n, g), read some rows at a time.
    profiles, noise
        What was learnt of types and genes.
    constraints
        What the hand has laid down.
    earlier
        A result to start from.
    device
        "auto" takes an accelerator where there is one and the counts are many. When its memory runs
        out blocks become smaller, and at last the processor takes over.
    near
        Where the processor may start, where there is no earlier result.
    exact
        Whether in double precision; None means where the counts are few.

    Raises
    ------
    BadInput
        When the device that is asked for is not there.
    """
    n, g = counts.shape
    where = _where(device, n * g)
    task = _Task(profiles, noise, constraints, earlier, near, exactly(counts) if exact is None else exact)
    found = SolvedRows.of(n, len(profiles.types))
    if where == "cpu":
        _on_processor(counts, task, found, report)
        return found

    report = forward_only(report)

    def run(size: int, there: str) -> None:
        if there == "cpu":
            _on_processor(counts, task, found, report)
        else:
            _on_accelerator(counts, task, found, size, there, report)

    with_memory_fallback(run, max(1, min(n, _DEVICE_BLOCK // g)), where, lambda said: report(0.0, said))
    return found


def _where(device: Device, size: int) -> str:
    if device == "cpu" or (device == "auto" and (size < _PAYS or not accelerated())):
        return "cpu"
    return choose(device)


def _on_processor(counts: sp.csr_matrix | CountRows, task: _Task, found: SolvedRows, report: Report) -> None:
    n, g = counts.shape
    t = len(task.profiles.types)
    design = task.design(_precision(task.exact))
    for rows, block in row_blocks(counts, max(1, _BLOCK // g)):
        report(rows.start / n, f"Proportions of {t} cell types")
        dense, found.units[rows] = dense_counts(block, task.exact)
        if task.again is None:
            start = task.first(dense, rows)
        else:
            start = task.start(task.again, dense.sum(1, dtype=np.float64), rows)
        at = solve(dense, design, start, task.bounds(rows), task.tolerance)
        found.abundance[rows], found.empty[rows] = at, dense.sum(1) == 0
        found.deviance[rows] = np.where(found.empty[rows], 0.0, pearson(dense, at, design))
        pairs, _ = information(dense, at, design)
        found.errors[rows] = standard_errors(pairs, at)
        found.values[rows] = drawn_to_zero(pairs, at, found.errors[rows])


def _on_accelerator(
    counts: sp.csr_matrix | CountRows, task: _Task, found: SolvedRows, size: int, device: str, report: Report
) -> None:
    from . import fisher_torch

    n, t = int(counts.shape[0]), len(task.profiles.types)
    design = fisher_torch.placed(task.design(np.float64), device)
    for rows, block in row_blocks(counts, size):
        report(rows.start / n, f"Proportions of {t} cell types on {device}")
        found.units[rows] = count_units(block)
        dense = fisher_torch.dense_on(block, found.units[rows], design)
        totals = fisher_torch.small(dense.sum(1)).cpu().numpy()
        found.empty[rows] = totals == 0
        again = task.again
        start = fisher_torch.first_start(dense, design) if again is None else task.start(again, totals, rows)
        together = _blocks(len(start), int(counts.shape[1]), rows.start)
        at = fisher_torch.solve(dense, design, start, task.bounds(rows), task.tolerance, together=together)
        pairs, _ = fisher_torch.information(dense, at, design)
        errors = fisher_torch.standard_errors(pairs, at)
        values = fisher_torch.drawn_to_zero(pairs, at, errors)
        deviance = fisher_torch.pearson(dense, at, design).cpu().numpy()
        found.abundance[rows], found.errors[rows], found.values[rows] = (x.cpu().numpy() for x in (at, errors, values))
        found.deviance[rows] = np.where(found.empty[rows], 0.0, deviance)


def _blocks(n: int, g: int, first: int) -> npt.NDArray[np.int64]:
    """Return (n,) numbers of the blocks in which the processor solves the rows from ``first`` on."""
    read, solved = max(1, _BLOCK // g), max(1, BLOCK // g)
    rows = np.arange(first, first + n)
    return np.unique(rows // read * read + rows % read // solved, return_inverse=True)[1].astype(np.int64)


def exactly(counts: sp.csr_matrix | CountRows) -> bool:
    """Return whether a table is small enough for double precision."""
    return int(counts.shape[0]) * int(counts.shape[1]) <= _EXACT


def _precision(exact: bool) -> Any:
    return np.float64 if exact else np.float32


def dense_counts(counts: sp.csr_matrix, exact: bool) -> tuple[Array, Array]:
    """Return dense counts in the unit of each spot, and the units."""
    units = count_units(counts)
    dtype = _precision(exact)
    dense = counts.astype(dtype).toarray()
    dense /= units[:, None].astype(dtype)
    return dense, units


def first_start(counts: Array, profiles: TypeProfiles, noise: GeneNoise) -> Array:
    """Return (n, t) where a search starts from nothing: weighted least squares with one weight a gene."""
    from .quadratic_kernels import nonnegative

    design = design_of(profiles, noise.platform)
    weight = 1 / (design.mean(0) + 1e-20)
    first, second = np.triu_indices(len(design))
    gram = ((design[first] * design[second]) @ weight)[:, None]
    right = ((design * weight).astype(counts.dtype) @ counts.T).astype(np.float64)
    n, t = len(counts), len(design)
    out = np.empty((n, t))
    ridge = np.full(n, 1e-6 * gram[first == second].mean())
    nonnegative(np.broadcast_to(gram, (len(gram), n)), right, ridge, np.ones((n, t)), np.zeros((n, t), bool), out)
    return out


def bounds_of(
    hand: Constraints | None, types: tuple[str, ...], rows: npt.NDArray[np.intp]
) -> tuple[Array, Array] | None:
    """Return the ends of the shares of some spots, in the order of ``types``; None where all are free."""
    if hand is None or not len(hand.rows):
        return None
    place = np.searchsorted(rows, hand.rows)
    here = (place < len(rows)) & (rows[np.minimum(place, len(rows) - 1)] == hand.rows)
    if not here.any():
        return None
    low, high = np.zeros((len(rows), len(types))), np.ones((len(rows), len(types)))
    low[place[here]], high[place[here]] = (end[here] for end in ranges_of(types, hand))
    return low, high
