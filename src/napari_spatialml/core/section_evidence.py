"""Two sections side by side, and what one says of the other at a placement."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .smoothed import Smoothed, gathered, pitch
from .transform import Transform

__all__ = ["WIDTH", "BlockSums", "Sections", "block_sums", "information"]

Floats = npt.NDArray[np.float64]
WIDTH = 1.3
"""Width in pitches at which placements are compared."""
_MOST = 400
"""Points looked at for one mean."""
_INSIDE = 0.9
"""Coverage of a point that lies on the tissue: it is 1 from the edge inwards, and falls off outside."""


@dataclass(frozen=True)
class Sections:
    """What is compared: points of both sides and their components.

    Parameters
    ----------
    fixed, moving
        (n, 2) and (m, 2) in µm.
    fixed_values, moving_values
        (n, d) and (m, d).
    """

    fixed: Floats
    moving: Floats
    fixed_values: Floats
    moving_values: Floats
    _fields: dict[float, tuple[Smoothed, Floats]] = field(default_factory=dict, repr=False)

    @cached_property
    def pitches(self) -> tuple[float, float]:
        """The pitch of the fixed and of the moving points, in µm."""
        return pitch(self.fixed), pitch(self.moving)

    @property
    def pitch(self) -> float:
        """The larger pitch of the two sides, in µm."""
        return max(self.pitches)

    def fewer(self, at_most: int) -> Sections:
        """Return means on a grid of about ``at_most`` places a side; itself where there are no more."""
        if max(len(self.fixed), len(self.moving)) <= at_most:
            return self
        still, (still_values,) = gathered(self.fixed, (self.fixed_values,), at_most)
        turned, (turned_values,) = gathered(self.moving, (self.moving_values,), at_most)
        return Sections(still, turned, still_values, turned_values)

    def fields(self, width: float) -> tuple[Smoothed, Floats]:
        """Return the field of the fixed side and the smoothed values of the moving points.

        Parameters
        ----------
        width
            Of the Gaussian, in pitches.
        """
        if width not in self._fields:
            um = width * self.pitch
            still, turned = (
                Smoothed(points, values, um, min(max(12, round(14 * (um / own) ** 2)), _MOST))
                for points, values, own in zip(
                    (self.fixed, self.moving), (self.fixed_values, self.moving_values), self.pitches, strict=True
                )
            )
            self._fields[width] = still, turned.at(self.moving)[0]
        return self._fields[width]


@dataclass(frozen=True)
class BlockSums:
    """Sums over blocks of the moving section, from which the correlation with any block left out follows.

    Parameters
    ----------
    weight, inside
        (b,) coverage, and points that lie on the fixed section.
    moving, fixed
        (b, d) sums of the components there.
    squares
        (b, 3) sums of squares of moving, of fixed, and of products, over all components.
    points
        (b,) of the moving section.
    """

    weight: Floats
    inside: Floats
    moving: Floats
    fixed: Floats
    squares: Floats
    points: Floats

    def without(self, block: int) -> BlockSums:
        """Return the sums with one block left out."""
        kept = np.arange(len(self.weight)) != block
        names = ("weight", "inside", "moving", "fixed", "squares", "points")
        return BlockSums(*(getattr(self, name)[kept] for name in names))

    @property
    def correlation(self) -> float:
        """The correlation of the components where the sections overlap, each centred there."""
        weight = float(self.weight.sum())
        if weight < 3:
            return 0.0
        here, there = self.moving.sum(0), self.fixed.sum(0)
        here_here, there_there, both = self.squares.sum(0)
        scale = (here_here - here @ here / weight) * (there_there - there @ there / weight)
        return (
            float((both - here @ there / weight) / np.sqrt(scale)) if scale > 1e-18 * here_here * there_there else 0.0
        )

    def overlap(self, sections: Sections) -> float:
        """Return the share of the smaller section that lies on the other."""
        still, turned = sections.pitches
        share = float(self.points.sum()) / len(sections.moving)
        area = share * min(len(sections.moving), len(sections.fixed) * (still / turned) ** 2)
        return min(float(self.inside.sum()) / max(area, 1e-12), 1.0)

    def information(self, sections: Sections) -> float:
        """Return −½ log(1 − r²) times the overlap, in nats; 0 where r is not above 0."""
        r = self.correlation
        return -0.5 * float(np.log1p(-(min(r, 0.9999) ** 2))) * self.overlap(sections) if r > 0 else 0.0


def block_sums(sections: Sections, transform: Transform, groups: npt.NDArray[np.int64]) -> BlockSums:
    """Return the sums at a placement, by block.

    Parameters
    ----------
    sections
        Points and components.
    transform
        Maps the moving points onto the fixed ones.
    groups
        (m,) the block of each moving point, from 0.
    """
    still, values = sections.fields(WIDTH)
    mean, evidence = still.at(transform.apply(sections.moving))
    covered = still.coverage(evidence)
    weight = covered[:, None]
    squares = np.stack([(values**2).sum(1), (mean**2).sum(1), (values * mean).sum(1)], axis=1)
    columns = (
        covered,
        (covered > _INSIDE).astype(np.float64),
        weight * values,
        weight * mean,
        weight * squares,
        np.ones(len(groups)),
    )
    n = int(groups.max(initial=0)) + 1
    blocks = sp.csr_matrix((np.ones(len(groups)), (groups, np.arange(len(groups)))), shape=(n, len(groups)))
    return BlockSums(*(np.asarray(blocks @ one, dtype=np.float64) for one in columns))


def information(sections: Sections, transform: Transform) -> tuple[float, float, float]:
    """Return what one section says of the other at a placement, with the correlation and the overlap.

    Returns
    -------
    tuple[float, float, float]
        −½ log(1 − r²) times the overlap, in nats; the correlation r of the smoothed components where the
        sections overlap; the share of the smaller section that overlaps.
    """
    sums = block_sums(sections, transform, np.zeros(len(sections.moving), np.int64))
    return sums.information(sections), sums.correlation, sums.overlap(sections)
