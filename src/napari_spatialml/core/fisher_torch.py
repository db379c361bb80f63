"""Fisher scoring of `fisher` in torch, for an accelerator. Import late: this imports torch.

The same steps with the same stops, so that answers differ by rounding only. Everything that has the
size of the counts lies on the device, in double precision where the device has it (CUDA), else in
single (MPS). The small quadratic problems are in double precision always: on the device, or on the
processor beside an MPS device. Rows with ranges of shares, which are few, go to the processor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import torch
from torch import Tensor

from . import fisher, quadratic_torch
from .box_simplex import nearest_within
from .fisher import Design
from .fisher_moves import Moves

__all__ = [
    "dense_on",
    "drawn_to_zero",
    "first_start",
    "information",
    "pearson",
    "placed",
    "small",
    "solve",
    "standard_errors",
]

Array = npt.NDArray[Any]


def placed(design: Design, device: str) -> Design:
    """Return the design on a device, in double precision where the device has it."""
    dtype = torch.float32 if device == "mps" else torch.float64
    arrays = (design.profiles, design.dispersion, design.grain, design.pairs)
    return Design(*(torch.from_numpy(np.array(array)).to(dtype).to(device) for array in arrays))


def dense_on(counts: sp.csr_matrix, units: Array, design: Design) -> Tensor:
    """Return (n, g) dense counts in the unit of each spot, made on the design's device from what is not zero."""
    counts.sum_duplicates()
    device, dtype = design.profiles.device, design.profiles.dtype
    dense = torch.zeros(counts.shape, dtype=dtype, device=device)
    lengths = torch.from_numpy(np.diff(counts.indptr).astype(np.int64)).to(device)
    rows = torch.repeat_interleave(torch.arange(len(lengths), device=device), lengths)
    columns = torch.from_numpy(np.require(counts.indices, requirements="W")).to(device).long()
    # not all of numpy's whole numbers are torch's
    values = counts.data if counts.data.dtype == np.float32 else counts.data.astype(np.float64)
    values = np.require(values, requirements="W")
    dense[rows, columns] = torch.from_numpy(values).to(dtype).to(device)
    dense /= torch.from_numpy(units).to(dtype).to(device)[:, None]
    return dense


def small(values: Any) -> Tensor:
    """Return what is as small as the abundances in double precision: on the device, unless that has none."""
    values = torch.as_tensor(values)
    here: Tensor = values.cpu() if values.device.type == "mps" else values
    return here.double()


def first_start(counts: Tensor, design: Design) -> Tensor:
    """Return (n, t) where a search starts from nothing: weighted least squares with one weight a gene."""
    t, n = len(design.profiles), len(counts)
    weight = 1 / (design.profiles.mean(0) + 1e-20)
    right = small((design.profiles * weight) @ counts.T)
    pairs = small(design.pairs @ weight)[:, None]
    own = torch.diagonal(quadratic_torch.unpacked(pairs, torch.zeros_like(pairs[0]), t))
    gram = quadratic_torch.unpacked(pairs, 1e-6 * own.mean(1), t)
    even, none = torch.ones_like(right), torch.zeros_like(right, dtype=torch.bool)
    return quadratic_torch.nonnegative(gram.expand(t, t, n), right, even, none).T


def solve(
    counts: Tensor,
    design: Design,
    start: Any,
    ranges: tuple[Array, Array] | None = None,
    tolerance: float = 1e-4,
    steps: int = 50,
    together: Array | None = None,
) -> Tensor:
    """Return the (n, t) abundances that explain counts best, as `fisher.solve` does.

    Parameters
    ----------
    counts
        (n, g) ≥ 0, dense, on the design's device; all are solved together.
    design
        Profiles and noise, as `placed` gives them.
    start
        (n, t) ≥ 0, of numpy or torch.
    ranges, tolerance, steps
        As `fisher.solve` takes them.
    together
        (n,) ≥ 0, numbers of the blocks in which rows that are done are left out; all are one block by
        default. Until then they move a little further, so that the blocks decide on digits beyond
        the tolerance: those of `fisher.solve` give its answer.
    """
    full = small(counts.sum(1)) > 0
    out = _into_ranges(torch.as_tensor(start).to(full.device, torch.float64, copy=True), full, ranges)
    active = torch.nonzero(full)[:, 0]
    here = counts if len(active) == len(out) else counts[active.to(counts.device)]
    moves = Moves(out[active], torch)
    blocks = torch.as_tensor(np.zeros(len(out), np.int64) if together is None else together).to(out.device)[active]
    for _ in range(steps):
        if not len(active):
            break
        pairs, right = information(here, moves.at, design)
        bounds = None if ranges is None else tuple(end[active.cpu().numpy()] for end in ranges)
        done = _step(moves, pairs, right, bounds) <= tolerance
        out[active] = moves.at
        keep = ~_left_out(done, blocks)
        if not bool(keep.all()):
            active, blocks, here = active[keep], blocks[keep], here[keep.to(here.device)]
            moves.keep(keep)
    rest = torch.nonzero(~full)[:, 0]
    left = fisher.even(len(rest), out.shape[1], ranges, rest.cpu().numpy())
    out[rest] = 1e-12 * torch.from_numpy(left).to(out.device)
    return out


def _left_out(done: Tensor, blocks: Tensor) -> Tensor:
    """Return the rows that are done in blocks of which enough are."""
    rows = torch.bincount(blocks).clamp(min=1)
    share = torch.bincount(blocks, weights=done.double()) / rows
    return done & (share > fisher.WORTH)[blocks]


def _into_ranges(out: Tensor, full: Tensor, ranges: tuple[Array, Array] | None) -> Tensor:
    out[full & (out.sum(1) <= 0)] = 1.0
    if ranges is not None:
        rows = np.flatnonzero(((ranges[0] > 0) | (ranges[1] < 1)).any(1))
        bound = torch.from_numpy(rows).to(out.device)
        abundance = out[bound].cpu().numpy()
        inside = nearest_within(fisher.shares(abundance), ranges[0][rows], ranges[1][rows])
        out[bound] = torch.from_numpy(abundance.sum(1, keepdims=True) * inside).to(out.device)
    return out


def _step(moves: Moves, pairs: Tensor, right: Tensor, bounds: Any) -> Tensor:
    t = moves.at.shape[1]
    ridge = _ridge(pairs, moves.at)
    gram = quadratic_torch.unpacked(pairs, torch.zeros_like(ridge), t)
    product = (gram * moves.at.T).sum(1).T
    torch.diagonal(gram).add_(ridge[:, None])
    forbidden = torch.zeros_like(right, dtype=torch.bool)
    free = torch.ones_like(ridge, dtype=torch.bool)
    if bounds is not None:
        low, high = bounds
        forbidden = torch.from_numpy(np.ascontiguousarray(high.T) <= 0).to(right.device)
        free = torch.from_numpy(~((low > 0) | (high < 1)).any(1)).to(right.device)
    wanted = quadratic_torch.nonnegative(gram, right, moves.at.T, forbidden).T
    if bounds is not None:
        held = np.flatnonzero(fisher.has_range(low, high))
        rows = torch.from_numpy(held).to(right.device)
        parts = (pairs[:, rows], right[:, rows], ridge[rows], moves.at[rows])
        information, weighted, least, at = (part.cpu().numpy() for part in parts)
        inside = fisher.within_ranges(information, weighted, least, at, low[held], high[held])
        wanted = wanted.clone()
        wanted[rows] = torch.from_numpy(inside).to(right.device)
    return torch.as_tensor(moves.step(right.T, product, ridge, wanted, free))


def information(counts: Tensor, abundance: Tensor, design: Design) -> tuple[Tensor, Tensor]:
    """Return the expected information (t (t + 1) / 2, n) and the weighted counts (t, n), as `fisher.information`."""
    weight, _mean = _weight(abundance, design)
    pairs = design.pairs @ weight.T
    weight *= counts
    return small(pairs), small(design.profiles @ weight.T)


def _weight(abundance: Tensor, design: Design) -> tuple[Tensor, Tensor]:
    mean = abundance.to(design.profiles.dtype).to(design.profiles.device) @ design.profiles
    mean += 1e-20
    weight = mean * design.dispersion
    weight += design.grain
    weight *= mean
    return weight.reciprocal_(), mean


def _ridge(pairs: Tensor, abundance: Tensor) -> Tensor:
    first, second = torch.triu_indices(abundance.shape[1], abundance.shape[1], device=pairs.device)
    trace = pairs[first == second].mean(0)
    return fisher.PRIOR / abundance.sum(1).clamp(min=1e-150) ** 2 + fisher.JITTER * trace + 1e-300


def standard_errors(pairs: Tensor, abundance: Tensor) -> Tensor:
    """Return the (n, t) standard errors of the shares of ``abundance``, as `fisher.standard_errors`."""
    gram = quadratic_torch.unpacked(pairs, _ridge(pairs, abundance), abundance.shape[1])
    return quadratic_torch.errors_of_shares(gram, abundance.T.clamp(min=1e-300)).clamp(max=0.5).T


def pearson(counts: Tensor, abundance: Tensor, design: Design) -> Tensor:
    """Return (n,) squared residuals over what the fit expects, as `fisher.pearson`."""
    weight, mean = _weight(abundance, design)
    variance = weight.reciprocal_()
    soft = (variance + fisher.LITTLE).reciprocal_()
    expected = (variance * soft).sum(1)
    mean -= counts
    mean *= mean
    return small((mean * soft).sum(1) / expected.clamp(min=1e-30))


def drawn_to_zero(pairs: Tensor, abundance: Tensor, errors: Tensor) -> Tensor:
    """Return (n, t) shares of which the uncertain ones are drawn towards 0, as `fisher.drawn_to_zero`."""
    total = abundance.sum(1, keepdim=True)
    even = torch.full_like(abundance, 1 / abundance.shape[1])
    squares = (torch.where(total > 0, abundance / total, even) ** 2).sum(1)
    known = squares / (squares + (errors**2).sum(1)).clamp(min=1e-300)
    gram = quadratic_torch.unpacked(pairs, _ridge(pairs, abundance), abundance.shape[1])
    found = quadratic_torch.drawn(gram, abundance.T, fisher.DRAWN * known**fisher.CAUTION).T
    total = found.sum(1, keepdim=True)
    return torch.where(total > 0, found / total, even)
