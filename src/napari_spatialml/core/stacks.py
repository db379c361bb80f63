"""Stacks of sections: alignments of pairs become one position for every section, without the drift of a chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .affine import Affine
from .arrays import as_coordinates, require
from .movements import Movement, fit_movement
from .stack_loops import best_tree, loop_errors
from .transform import Transform

__all__ = ["Link", "StackFit", "align_stack", "fit_stack"]

Array = npt.NDArray[np.float64]
Link = tuple[int, int]
_ROUNDS = 30
_SOFT = 3.0
"""A link that misses by this many times the typical miss has a quarter of its weight."""


@dataclass(frozen=True)
class StackFit:
    """The sections of a stack in one frame.

    Parameters
    ----------
    transforms
        One a section: maps its coordinates (y, x) in µm into the frame of the reference section.
    miss_um
        By link: root mean square distance in µm between what the link says and where the sections lie now.
    weights
        By link: how much of it was believed, 0 to 1; near 0 for one that contradicts the others.
    error_um
        (n,) the expected error of each section in µm, 0 for the reference; NaN where no link is to spare, so
        that nothing contradicts anything.
    """

    transforms: tuple[Affine, ...]
    miss_um: Mapping[Link, float]
    weights: Mapping[Link, float]
    error_um: Array


def align_stack(
    pairs: Mapping[Link, Transform],
    n: int,
    reference: int = 0,
    weights: Mapping[Link, float] | None = None,
    *,
    movement: Movement = "rigid",
    points: Sequence[Any] | None = None,
) -> list[Transform]:
    """Return one transform a section into the frame of the reference section; see `fit_stack`.

    Examples
    --------
    >>> step = Affine.translation(0.0, 5.0)
    >>> [t.apply([[0.0, 0.0]])[0].tolist() for t in align_stack({(1, 0): step, (2, 1): step}, 3)]
    [[0.0, 0.0], [0.0, 5.0], [0.0, 10.0]]
    """
    return list(fit_stack(pairs, n, reference, weights, movement=movement, points=points).transforms)


def fit_stack(
    pairs: Mapping[Link, Transform],
    n: int,
    reference: int = 0,
    weights: Mapping[Link, float] | None = None,
    *,
    movement: Movement = "rigid",
    points: Sequence[Any] | None = None,
) -> StackFit:
    """Place all sections of a stack so that every link is met as well as it can be.

    Parameters
    ----------
    pairs
        By (moving, fixed): the transform that maps section ``moving`` onto section ``fixed``, in µm. Any pairs:
        neighbours, next neighbours, further ones; missing ones may be left out. Of a bent transform
        what lies nearest to it on ``points`` is used.
    n
        Number of sections, numbered from 0.
    reference
        The section that stays where it is.
    weights
        By link, ≥ 0: how far it is believed beforehand, such as its trust; 1 where none is given; 0 leaves it out.
    movement
        What a section may do. "rigid" cannot shrink or shear, however long the stack.
    points
        For each section (k, 2) places of its tissue as (y, x) in µm, where misses are measured: some hundred cells,
        or the corners of its image. None takes a square of 10 mm about the origin.

    Raises
    ------
    BadInput
        When a link names a section that is not there, or when some sections hang together with the
        reference by no link.

    Notes
    -----
    Minimises the weighted squares of p − Aᵢ⁻¹ Aⱼ Tᵢⱼ(p) over all links, by Gauss–Newton from the tree of the
    links that close their triangles best, with Geman–McClure weights against links that contradict the others.
    Misses are measured inside a section's own frame, so that nothing is gained by shrinking the stack.

    With independent errors at each link a chain of neighbours has after k sections an error that grows with √k;
    links up to r sections apart divide it by √(1² + 2² + … + r²): by 2.2 with next neighbours, by 3.7 with
    those after them. No fit of pairs can do away with the banana effect: sections of a curved
    object are laid straight upon each other, since all that neighbours tell is how they lie to each other. Only a
    picture of the whole (a block face, a volume) tells the curve. A straight object stays straight.

    References
    ----------
    Arganda-Carreras et al. (2010), doi:10.1002/jemt.20829; Geman & McClure (1987).
    """
    stack = _Stack.of(pairs, n, reference, weights, movement, points)
    return stack.solve()


def _corners() -> Array:
    return 5000.0 * np.array([[-1, -1], [-1, 1], [1, -1], [1, 1], [0, 0]], float)


@dataclass(frozen=True)
class _Stack:
    """The links with weight above 0, each with its places in the one section and their images in the other."""

    n: int
    reference: int
    movement: Movement
    links: tuple[Link, ...]
    weights: Array
    places: tuple[Array, ...]
    landed: tuple[Array, ...]
    centres: Array
    size: float

    @classmethod
    def of(
        cls,
        pairs: Mapping[Link, Transform],
        n: int,
        reference: int,
        weights: Mapping[Link, float] | None,
        movement: Movement,
        points: Sequence[Any] | None,
    ) -> _Stack:
        require(0 <= reference < n, f"The reference section is {reference}.", f"Give one from 0 to {n - 1}.")
        where = [_corners()] * n if points is None else [as_coordinates(p, "The places of a section") for p in points]
        require(len(where) == n, f"There are places of {len(where)} sections for {n}.", "Give one set a section.")
        require(all(len(p) > 0 for p in where), "A section has no places.", "Give at least one, better its corners.")
        given = weights or {}
        for i, j in [*pairs, *given]:
            known = 0 <= i < n and 0 <= j < n and i != j
            require(known, f"A link joins the sections {i} and {j}.", f"Give two different ones from 0 to {n - 1}.")
        require(all(w >= 0 for w in given.values()), "A weight is negative.", "Give numbers from 0 on.")
        links = tuple(sorted(link for link in pairs if given.get(link, 1.0) > 0))
        landed = tuple(np.asarray(pairs[link].apply(where[link[0]])) for link in links)
        sizes = [float(np.sqrt(((p - p.mean(0)) ** 2).sum(1).mean())) for p in where]
        return cls(
            n, reference, movement, links, np.array([float(given.get(link, 1.0)) for link in links]),
            tuple(where[i] for i, _ in links), landed, np.array([p.mean(0) for p in where]), max(max(sizes), 1e-9),
        )  # fmt: skip

    def solve(self) -> StackFit:
        """Return the positions: Gauss–Newton with weights that leave contradicting links behind."""
        steps = [fit_movement(self.movement, p, q) for p, q in zip(self.places, self.landed, strict=True)]
        errors = loop_errors(self.links, steps, self.places)
        tree = best_tree(self.links, errors, self.weights, self.n, self.reference)
        self._connected(tree)
        at = self._along(tree, steps)
        miss = self._misses(at)
        spare = np.array([k not in tree for k in range(len(self.links))], bool)
        scale = _SOFT * float(np.median(miss[spare])) if spare.any() else 0.0
        believed = np.ones(len(self.links))
        for _ in range(_ROUNDS if spare.any() else 0):
            scale = max(scale, 1e-9 * self.size)
            believed = (scale**2 / (scale**2 + miss**2)) ** 2
            at, moved = self._step(at, believed * self.weights)
            miss = self._misses(at)
            scale = _SOFT * float(np.median(miss))
            if moved < 1e-8 * self.size:
                break
        return StackFit(
            tuple(at),
            dict(zip(self.links, miss.tolist(), strict=True)),
            dict(zip(self.links, believed.tolist(), strict=True)),
            self._errors(at, believed * self.weights, miss),
        )

    def _connected(self, tree: Sequence[int]) -> None:
        reached = {self.reference, *(k for number in tree for k in self.links[number])}
        lost = sorted(set(range(self.n)) - reached)
        require(
            not lost,
            f"No alignment joins section {', '.join(map(str, lost))} to the reference section {self.reference}.",
            "Register it with a neighbour, or leave it out of the stack.",
        )

    def _along(self, tree: Sequence[int], steps: Sequence[Affine]) -> list[Affine]:
        at: dict[int, Affine] = {self.reference: Affine.identity()}
        for number in tree:  # ordered from the reference outwards
            i, j = self.links[number]
            if j in at:
                at[i] = at[j] @ steps[number]
            else:
                at[j] = at[i] @ steps[number].inverse()
        return [at[k] for k in range(self.n)]

    def _misses(self, at: Sequence[Affine]) -> Array:
        found = [
            np.sqrt(((at[i].inverse().apply(at[j].apply(q)) - p) ** 2).sum(1).mean())
            for (i, j), p, q in zip(self.links, self.places, self.landed, strict=True)
        ]
        return np.array(found)

    def _step(self, at: Sequence[Affine], weights: Array) -> tuple[list[Affine], float]:
        normal, right = self._normal(at, weights)
        free = self._free()
        change = np.zeros(len(normal))
        change[free] = -np.linalg.lstsq(normal[np.ix_(free, free)], right[free], rcond=1e-12)[0]
        parts = change.reshape(self.n, -1)
        made = [one @ self._moved(k, parts[k]) for k, one in enumerate(at)]
        return made, float(np.abs(change).max()) * self.size

    def _free(self) -> npt.NDArray[np.int64]:
        d = _BASIS[self.movement].shape[0]
        return np.array([k for k in range(self.n * d) if k // d != self.reference], np.int64)

    def _normal(self, at: Sequence[Affine], weights: Array) -> tuple[Array, Array]:
        """Return the normal equations of all links; a section's unknowns are shares of the stack's size."""
        d = _BASIS[self.movement].shape[0]
        normal, right = np.zeros((self.n * d, self.n * d)), np.zeros(self.n * d)
        for (i, j), w, p, q in zip(self.links, weights, self.places, self.landed, strict=True):
            over = at[i].inverse() @ at[j]
            back = over.apply(q)
            rows = np.concatenate([-self._fields(i, back), self._fields(j, q) @ over.matrix[:2, :2].T]).reshape(
                2 * d, -1
            )
            at_both = np.r_[i * d : (i + 1) * d, j * d : (j + 1) * d]
            rows_w = rows * (w / len(p))
            normal[np.ix_(at_both, at_both)] += rows_w @ rows.T
            right[at_both] += rows_w @ (back - p).ravel()
        return normal, right

    def _fields(self, section: int, where: Array) -> Array:
        """Return (d, k, 2): how the places of a section move with each of its unknowns, in µm."""
        local = np.column_stack([np.full(len(where), self.size), where - self.centres[section]])
        return np.asarray(np.einsum("dab,kb->dka", _BASIS[self.movement], local))

    def _moved(self, section: int, change: Array) -> Affine:
        """Return the movement of a section about its centre that the unknowns stand for."""
        inner = np.einsum("d,dab->ab", change, _BASIS[self.movement])
        linear = np.eye(2) + inner[:, 1:]
        if self.movement != "affine":  # the exponential of a turn and a scaling: no turn may stretch
            growth, turn = (linear[0, 0] - 1), linear[1, 0]
            linear = np.exp(growth) * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        centre = self.centres[section]
        matrix = np.eye(3)
        matrix[:2, :2], matrix[:2, 2] = linear, centre + inner[:, 0] * self.size - linear @ centre
        return Affine(matrix)

    def _errors(self, at: Sequence[Affine], weights: Array, miss: Array) -> Array:
        """Return each section's expected error: the inverse of the normal equations times the spread of the misses."""
        d, free = _BASIS[self.movement].shape[0], self._free()
        spare = (len(self.links) - (self.n - 1)) / max(len(self.links), 1)
        if spare <= 0:
            return np.where(np.arange(self.n) == self.reference, 0.0, np.nan)
        normal, _ = self._normal(at, weights)
        inverse = np.zeros_like(normal)
        # a link's d numbers carry its whole miss: its noise in a number is the miss over the root of d
        inverse[np.ix_(free, free)] = np.linalg.pinv(normal[np.ix_(free, free)], rcond=1e-12)
        spread = float((weights * miss**2).sum() / max(weights.sum(), 1e-300)) / spare / d
        places = dict(zip([i for i, _ in self.links], self.places, strict=True))
        found = np.zeros(self.n)
        for k in range(self.n):
            fields = self._fields(k, places.get(k, self.centres[k][None]))
            block = inverse[k * d : (k + 1) * d, k * d : (k + 1) * d]
            found[k] = np.sqrt(max(np.einsum("aki,ab,bki->", fields, block, fields) / fields.shape[1] * spread, 0.0))
        return found


def _basis(movement: Movement) -> Array:
    """Return (d, 2, 3): each unknown's effect on (size, y, x)."""
    shifts = [[[1, 0, 0], [0, 0, 0]], [[0, 0, 0], [1, 0, 0]]]
    turn, grow = [[0, 0, -1], [0, 1, 0]], [[0, 1, 0], [0, 0, 1]]
    shears = [[[0, 1, 0], [0, 0, -1]], [[0, 0, 1], [0, 1, 0]]]
    chosen = {"rigid": [turn], "similarity": [turn, grow], "affine": [turn, grow, *shears]}[movement]
    return np.array([*shifts, *chosen], float)


_BASIS: dict[str, Array] = {name: _basis(name) for name in ("rigid", "similarity", "affine")}
