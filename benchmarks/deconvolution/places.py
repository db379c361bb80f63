"""Which cells lie together in which simulated spot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .cells import Cells

__all__ = ["Plan", "in_domains", "on_a_grid", "spatial_halves"]

Array = npt.NDArray[np.float64]
PITCH_UM = 100.0
DOMAINS = 5


@dataclass(frozen=True)
class Plan:
    """Spots and their cells.

    Parameters
    ----------
    members
        (n, m) how often a cell lies in a spot.
    coordinates
        (n, 2) as (y, x) in µm.
    domains
        (n, 2) the domain of each spot, and the second one of a doublet (the same for the others).
    absent
        The type that only one domain has, and that the reference is to lack; empty where there is none.
    """

    members: sp.csr_matrix
    coordinates: Array
    domains: npt.NDArray[np.intp]
    absent: str = ""


def spatial_halves(cells: Cells, rng: np.random.Generator) -> tuple[Cells, Cells]:
    """Return the two sides of a line through the middle of the section, with the types that both sides have."""
    assert cells.coordinates is not None
    angle = rng.uniform(0, 2 * np.pi)
    along = (cells.coordinates - np.median(cells.coordinates, axis=0)) @ [np.cos(angle), np.sin(angle)]
    first = along < np.median(along)
    both = [
        t
        for t in np.unique(cells.types)
        if min((first & (cells.types == t)).sum(), (~first & (cells.types == t)).sum()) >= 5
    ]
    kept = np.isin(cells.types, both)
    return cells.of(np.flatnonzero(first & kept)), cells.of(np.flatnonzero(~first & kept))


def in_domains(
    pool: Cells, n: int, cells: float, rng: np.random.Generator, missing: bool = False, doublets: float = 0.0
) -> Plan:
    """Return a square of spots in domains, each with its mixture of types, around which its spots vary."""
    grid, first = _domains(n, rng)
    second = np.where(rng.random(n) < doublets, rng.integers(0, DOMAINS, n), first)
    types = np.unique(pool.types)
    mixture = rng.dirichlet(np.full(len(types), 0.4), DOMAINS) * 0.95 + 0.05 / len(types)
    absent = int(rng.integers(len(types)))
    if missing:
        home = np.bincount(first, minlength=DOMAINS).argmax()
        mixture[:, absent] = np.where(np.arange(DOMAINS) == home, 0.7, 0.0)
        mixture /= mixture.sum(1, keepdims=True)
    sizes = np.maximum(rng.poisson(cells, n), 1)
    of_type = [np.flatnonzero(pool.types == name) for name in types]
    rows, columns = [], []
    for spot in range(n):
        of = {int(first[spot]), int(second[spot])}  # half a doublet's cells are of the second domain
        local = np.mean([_around(mixture[domain], rng) for domain in sorted(of)], axis=0)
        many = rng.multinomial(sizes[spot], local / local.sum())
        columns += [rng.choice(one, k) for one, k in zip(of_type, many, strict=True)]
        rows.append(np.full(sizes[spot], spot))
    held = np.concatenate(rows), np.concatenate(columns)
    members = sp.csr_matrix((np.ones(len(held[0])), held), shape=(n, len(pool.types)))
    return Plan(members, grid * PITCH_UM, np.stack([first, second], 1), str(types[absent]) if missing else "")


def _domains(n: int, rng: np.random.Generator) -> tuple[Array, npt.NDArray[np.intp]]:
    """Return (n, 2) places on a grid, in its steps, and the domain of each: connected regions."""
    from scipy.ndimage import gaussian_filter

    side = int(np.ceil(np.sqrt(n)))
    grid = np.stack(np.divmod(np.arange(n), side), 1).astype(np.float64)
    noise = rng.normal(0, 1, (DOMAINS, side, side))
    fields = np.stack([gaussian_filter(one, side / 8, mode="wrap") for one in noise])
    return grid, (fields / fields.std((1, 2), keepdims=True)).argmax(0).ravel()[:n]


def _around(mixture: Array, rng: np.random.Generator) -> Array:
    """Return the mixture of one place in a domain; a type that the domain lacks stays absent."""
    drawn = np.where(mixture > 0, rng.gamma(np.maximum(8 * mixture, 1e-3)), 0.0)
    return np.asarray(drawn / drawn.sum())


def on_a_grid(pool: Cells, cells: int) -> Plan:
    """Return which cells lie in which square of a grid that holds so many on average; squares without are left out."""
    assert pool.coordinates is not None
    pitch = _pitch(pool.coordinates, cells)
    places, spot = np.unique(np.floor(pool.coordinates / pitch).astype(int), axis=0, return_inverse=True)
    members = sp.csr_matrix((np.ones(len(spot)), (spot.ravel(), np.arange(len(spot)))))
    return Plan(members, (places + 0.5) * pitch, np.zeros((len(places), 2), np.intp))


def _pitch(coordinates: Array, cells: int) -> float:
    """Return the largest of a row of pitches at which an occupied square holds at most so many cells on average."""
    pitches = 10.0 * 1.05 ** np.arange(80)
    held = np.array([len(coordinates) / len(np.unique(np.floor(coordinates / p), axis=0)) for p in pitches])
    return float(pitches[max(int(np.searchsorted(held, cells)) - 1, 0)])
