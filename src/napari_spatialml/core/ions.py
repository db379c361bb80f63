"""The mass spectrometry image of the simulated section: another grid, turned and mirrored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .anatomy import DOMAINS, FOLLICLE, Anatomy
from .nuclei import CELL_TYPES, Nuclei

__all__ = ["IonGrid", "image_ions"]

Floats = npt.NDArray[np.float64]

SUBSAMPLES = 4
"""A pixel averages this many positions along each edge."""


@dataclass(frozen=True)
class IonGrid:
    """Ion intensities on a grid of their own, and how it lies on the histology.

    Parameters
    ----------
    shape
        Rows and columns of the grid.
    pixel_size_um
        (y, x) edges of a pixel; pixel (i, j) covers [i, i + 1) edges.
    mz
        (p,) mass-to-charge ratios, ascending.
    intensities
        (rows · columns, p) float32, row by row.
    matrix
        (3, 3): maps a moving column (y, x, 1) in µm of this grid onto the histology, in µm.
    fixed_um, moving_um
        (k, 2) corresponding landmarks as (y, x): on the histology, and on this grid.
    proportions
        (n, t) true shares of the types in a pixel's tissue; 0 on glass.
    tissue
        (n,) share of a pixel that is tissue.
    domains
        (n,) index into `DOMAINS`; 0 where most of the pixel is glass.
    """

    shape: tuple[int, int]
    pixel_size_um: tuple[float, float]
    mz: Floats
    intensities: npt.NDArray[np.float32]
    matrix: Floats
    fixed_um: Floats
    moving_um: Floats
    proportions: Floats
    tissue: Floats
    domains: npt.NDArray[np.intp]


def image_ions(
    rng: np.random.Generator,
    anatomy: Anatomy,
    nuclei: Nuclei,
    pixel_size_um: tuple[float, float],
    degrees: float,
    mirrored: bool,
    n_mz: int,
) -> IonGrid:
    """Measure the section by mass spectrometry, on a stage where it lies turned, mirrored and scaled."""
    matrix, extent = _placement(anatomy, degrees, mirrored)
    shape = (int(np.ceil(extent[0] / pixel_size_um[0])), int(np.ceil(extent[1] / pixel_size_um[1])))
    types, domains = _composition(anatomy, nuclei, matrix, shape, pixel_size_um)
    tissue = 1 - domains[:, 0]
    mz, by_type, by_domain, is_matrix = _spectra(rng, n_mz)
    clean = types @ by_type + domains @ by_domain
    clean[:, is_matrix] = (1.0 - 0.6 * tissue)[:, None] * rng.uniform(3, 9, is_matrix.sum())
    tic = np.exp(rng.normal(0, 0.2, len(clean)))[:, None]
    noisy = 1000 * clean * tic * np.exp(rng.normal(0, 0.25, clean.shape)) + rng.gamma(1.5, 12.0, clean.shape)
    fixed = _landmarks(anatomy, nuclei)
    present = types.sum(1, keepdims=True)
    shares = np.divide(types, present, out=np.zeros_like(types), where=present > 0)
    main = np.where(tissue >= 0.5, domains[:, 1:].argmax(1) + 1, 0)
    return IonGrid(
        shape, pixel_size_um, mz, noisy.astype(np.float32), matrix, fixed, move(np.linalg.inv(matrix), fixed),
        shares, tissue, main,
    )  # fmt: skip


def move(matrix: Floats, points_um: Floats) -> Floats:
    """Apply a (3, 3) matrix to (n, 2) points (y, x)."""
    return np.asarray(points_um @ matrix[:2, :2].T + matrix[:2, 2])


def _placement(anatomy: Anatomy, degrees: float, mirrored: bool) -> tuple[Floats, Floats]:
    """Return the matrix from the stage to the histology, and the stage's (y, x) extent in µm."""
    turn, mirror = np.deg2rad(degrees), -1.0 if mirrored else 1.0
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = rotation @ np.diag([0.96, 1.03 * mirror])
    i, j = np.nonzero(anatomy.domain)
    box = np.array([[y, x] for y in (i.min(), i.max()) for x in (j.min(), j.max())]) * anatomy.pixel_size_um
    corners = box @ np.linalg.inv(linear).T
    low, high = corners.min(0) - 35.0, corners.max(0) + 35.0
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = linear, linear @ low
    return matrix, high - low


def _composition(
    anatomy: Anatomy, nuclei: Nuclei, matrix: Floats, shape: tuple[int, int], pixel_size_um: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Return, a pixel, the shares (n, t) of the types' territories and (n, d) of the domains."""
    at = [(np.arange(n * SUBSAMPLES) + 0.5) / SUBSAMPLES * edge for n, edge in zip(shape, pixel_size_um, strict=True)]
    y, x = np.meshgrid(*at, indexing="ij")
    on = np.floor(move(matrix, np.stack([y.ravel(), x.ravel()], 1)) / anatomy.pixel_size_um).astype(np.intp)
    seen = ((on >= 0) & (on < np.array(anatomy.shape))).all(1)
    domain, owner = np.zeros(len(on), np.intp), np.zeros(len(on), np.intp)
    domain[seen] = anatomy.domain[tuple(on[seen].T)]
    owner[seen] = nuclei.territory[tuple(on[seen].T)]
    kind = np.concatenate([[-1], nuclei.types])[owner]
    i, j = np.divmod(np.arange(len(on)), shape[1] * SUBSAMPLES)
    pixel = (i // SUBSAMPLES) * shape[1] + j // SUBSAMPLES
    n = shape[0] * shape[1]
    return _shares(pixel, kind, n, len(CELL_TYPES)), _shares(pixel, domain, n, len(DOMAINS))


def _shares(pixel: npt.NDArray[np.intp], kind: npt.NDArray[np.intp], n: int, k: int) -> Floats:
    valid = kind >= 0
    votes = np.bincount(pixel[valid] * k + kind[valid], minlength=n * k)
    return votes.reshape(n, k) / SUBSAMPLES**2


def _spectra(rng: np.random.Generator, n_mz: int) -> tuple[Floats, Floats, Floats, npt.NDArray[np.bool_]]:
    """Return m/z, the (t, p) and (d, p) mean intensities, and which peaks come from the matrix."""
    fixed = np.random.default_rng(741)  # the same peaks in every section
    nominal = np.concatenate(
        [
            fixed.choice(np.arange(105, 400), n_mz // 5, False),
            fixed.choice(np.arange(690, 900), n_mz - n_mz // 5, False),
        ]
    )
    mz = np.round(nominal + nominal * fixed.uniform(0.0006, 0.00075, n_mz), 4)
    mz[-1] = 741.5306  # a peak of smooth muscle, as in the bladder data of Römpp et al. 2010
    mz = np.unique(mz)
    level = np.exp(rng.normal(0, 0.7, len(mz)))
    by_type = level * rng.gamma(0.7, 1.0, (len(CELL_TYPES), len(mz)))
    by_domain = level * rng.gamma(0.5, 0.8, (len(DOMAINS), len(mz)))
    by_domain[0] = 0.01
    muscle = int(np.flatnonzero(mz == 741.5306)[0])
    by_type[:, muscle], by_domain[:, muscle] = 0.15, 0.02
    by_type[CELL_TYPES.index("smooth muscle"), muscle] = 5.0
    is_matrix = np.zeros(len(mz), bool)
    is_matrix[: max(2, n_mz // 12)] = True
    return mz, by_type, by_domain, is_matrix


def _landmarks(anatomy: Anatomy, nuclei: Nuclei, n: int = 10) -> Floats:
    """Choose structures that a person would recognise and that lie far apart: glands, vessels, the follicle."""
    follicle = np.argwhere(anatomy.domain == FOLLICLE)
    middle = [(follicle.mean(0) + 0.5) * anatomy.pixel_size_um] if len(follicle) else []
    known = np.concatenate([*(m[None] for m in middle), anatomy.vessels.centres_um, anatomy.glands.centres_um])
    if len(known) < n:
        known = np.concatenate([known, nuclei.centroids_um])
    chosen = [0]
    nearest = np.full(len(known), np.inf)
    while len(chosen) < min(n, len(known)):
        nearest = np.minimum(nearest, np.linalg.norm(known - known[chosen[-1]], axis=1))
        chosen.append(int(nearest.argmax()))
    return np.asarray(known[chosen])
