"""A type that the reference lacks, learnt from the spots that hold it, so that no other type has to stand for it.

In the spots that `outside` flags, one more profile is fitted together with the proportions: it starts at
what the known types leave, and proportions and profile are then fitted in turn. What it takes is no
share of a known type, so that it is left out of the proportions, which are those of the rest. Where it
explains little, it stands for a mixture of known types that the flagged spots have in common, and is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .count_model import Fit
from .count_rows import row_blocks, some_rows
from .device import Device
from .fisher import Design, shares, solve
from .solved_rows import SolvedRows, dense_counts, exactly, solve_rows
from .type_profiles import TypeProfiles

__all__ = ["Parted", "Unknown", "apart_from_unknown", "parted", "unknown_of"]

Array = npt.NDArray[np.float64]
_FEWEST, _MOST = 20, 256
"""Spots from which the profile is learnt."""
_LEAST = 0.03
"""Part of the spots that makes a group: fewer than that the limit of a rehearsal of 200 spots lets pass by chance."""
_ROUNDS, _FIRST_STEPS, _STEPS = 20, 6, 2
_AT_FIRST = 0.3
"""Of a spot's counts, where the search starts."""
_LITTLE = 1e-3
"""Part of the mean profile that a gene of the unknown type has at least."""
_DOUBT = 0.25
"""How much of what was said before stays beside an unknown type of half the spot; the more it takes, the more."""
_WORTH, _PART = 4.0, 0.2
"""By so much per gene the logarithm of the likelihood has to rise, and so much of the spots has to be unknown."""
_MOST_UNKNOWN = 0.9
_BLOCK = 1 << 14


@dataclass(frozen=True)
class Unknown:
    """What some spots hold beside the known types.

    Parameters
    ----------
    profile
        (g,) > 0 expected counts of one unit of it, as the spots' platform sees them.
    gain
        By so much per gene it raises the logarithm of the likelihood.
    part
        The mean share of these spots that it takes.
    """

    profile: Array
    gain: float
    part: float


@dataclass(frozen=True)
class Parted:
    """A fit in which an unknown type has its part.

    Parameters
    ----------
    fit
        The fit; shares and their errors are those among the known types.
    rows
        (n,) bool: the spots in which it has one.
    share
        (n,) what it takes of a spot, below 1; 0 in all others.
    """

    fit: Fit
    rows: npt.NDArray[np.bool_]
    share: Array


def parted(found: Fit, flags: npt.NDArray[np.bool_], device: Device = "cpu") -> Fit:
    """Return the fit of `apart_from_unknown`, or the one that was given where there is none."""
    apart = apart_from_unknown(found, flags, device)
    return found if apart is None else apart.fit


def apart_from_unknown(found: Fit, flags: npt.NDArray[np.bool_], device: Device = "cpu") -> Parted | None:
    """Return a fit in whose flagged spots a type that the reference lacks has a part of its own, or None.

    Parameters
    ----------
    found
        A fit.
    flags
        (n,) spots that hold a type which is not in the reference.
    device
        Where the spots are solved.

    Notes
    -----
    Other spots, those that the hand has spoken on, what was learnt of genes, and the deviance, which tells
    how badly the known types fit, stay. With fewer flagged spots than 20, or than 3 % of those with counts,
    nothing changes. Costs 20 short fits of at most 256 spots, and one of all that are flagged.
    """
    flags = flags & ~found.empty
    if found.constraints is not None:
        flags[found.constraints.rows] = False
        if found.constraints.artefacts is not None:
            flags &= ~found.constraints.artefacts
    if flags.sum() < max(_FEWEST, _LEAST * (~found.empty).sum()):
        return None
    unknown = unknown_of(found, np.flatnonzero(flags))
    if unknown.gain <= _WORTH or unknown.part <= _PART:
        return None
    profiles, share = _with_unknown(found, unknown.profile), np.zeros(len(flags))
    abundance, values, errors = found.abundance.copy(), found.values.copy(), found.errors.copy()
    exact = exactly(found.counts)
    for rows, block in row_blocks(found.counts, _BLOCK):
        here = np.flatnonzero(flags[rows])
        if len(here):
            place = rows.start + here
            again = solve_rows(sp.csr_matrix(block[here]), profiles, found.noise, device=device, exact=exact)
            abundance[place] = again.abundance[:, :-1]
            values[place], errors[place] = _of_known(again, found.values[place])
            share[place] = np.minimum(again.values[:, -1], _MOST_UNKNOWN)
    return Parted(replace(found, abundance=abundance, values=values, errors=errors), flags, share)


def _of_known(again: SolvedRows, before: Array) -> tuple[Array, Array]:
    """Return the shares of the known types among themselves, and their errors."""
    known = again.values[:, :-1]
    part = np.maximum(known.sum(1, keepdims=True), 1e-9)
    mixed = known + _DOUBT * (1 - part) / part * before
    return mixed / mixed.sum(1, keepdims=True), np.minimum(again.errors[:, :-1] / part, 0.5)


def _with_unknown(found: Fit, unknown: Array) -> TypeProfiles:
    known, own = found.reference, unknown / found.noise.platform
    return TypeProfiles(
        (*known.types, ""),
        np.vstack([known.profiles, own]),
        np.vstack([known.shape, np.ones(len(own))]),
        np.append(known.sizes, 1.0),
    )


def unknown_of(found: Fit, spots: npt.NDArray[np.intp], most: int = _MOST) -> Unknown:
    """Return what some spots hold that the known types do not explain.

    Parameters
    ----------
    found
        A fit.
    spots
        (k,) rows, at least one.
    most
        It is learnt from at most so many of them.

    Notes
    -----
    One dispersion serves all genes: one that gives the unknown type away has a large one of its own.
    """
    rows = spots[np.unique(np.linspace(0, len(spots) - 1, min(len(spots), most)).round().astype(np.intp))]
    counts, _ = dense_counts(some_rows(found.counts, rows), True)
    known, dispersion = found.design, np.full(len(found.genes), float(np.median(found.dispersion)))
    without = Design.of(known, dispersion)
    alone = solve(counts, without, found.abundance[rows], None, 1e-3)
    design, abundance = _in_turn(counts, without, alone)
    gain = _log_likelihood(counts, abundance, design) - _log_likelihood(counts, alone, without)
    return Unknown(design.profiles[-1], gain / len(found.genes), float(shares(abundance)[:, -1].mean()))


def _in_turn(counts: Array, known: Design, alone: Array) -> tuple[Design, Array]:
    """Return the design with one more profile, and the abundances (k, t + 1), fitted in turn."""
    size, least = known.profiles.sum(1).mean(), _LITTLE * known.profiles.mean(0)
    unknown = np.maximum((counts - alone @ known.profiles).sum(0), 0) + 1e-12
    abundance = np.hstack([(1 - _AT_FIRST) * alone, _AT_FIRST * alone.sum(1, keepdims=True)])
    for number in range(_ROUNDS):
        unknown = np.maximum(unknown * size / unknown.sum(), least)
        design = Design.of(np.vstack([known.profiles, unknown]), known.dispersion)
        abundance = solve(counts, design, abundance, None, 1e-3, _STEPS if number else _FIRST_STEPS)
        mean = abundance @ design.profiles + 1e-20
        weighted = abundance[:, -1:] / (mean * (1 + known.dispersion * mean))
        left = counts - abundance[:, :-1] @ known.profiles
        unknown = np.einsum("ij,ij->j", weighted, left) / np.maximum(weighted.T @ abundance[:, -1], 1e-300)
        if unknown.sum() <= 0:  # the known types explain these spots: it has no part, and no profile to go on with
            break
    return design, abundance


def _log_likelihood(counts: Array, abundance: Array, design: Design) -> float:
    """Return the logarithm of the negative binomial likelihood, up to what depends on the counts alone."""
    mean = abundance @ design.profiles + 1e-20
    scaled = design.dispersion * mean
    return float((counts * np.log(mean / (1 + scaled)) - np.log1p(scaled) / design.dispersion).sum())
