"""Genes of the simulated section: signatures, spots, a single-cell reference and single molecules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .anatomy import DOMAINS, Anatomy
from .nuclei import CELL_TYPES, Nuclei
from .random_fields import pixel_of

__all__ = [
    "Molecules",
    "ReferenceCells",
    "Signatures",
    "SpotTruth",
    "make_signatures",
    "measure_spots",
    "place_molecules",
    "sequence_reference",
]

MARKERS = {
    "epithelial": "EPCAM KRT8 KRT18 KRT19 KRT20 CDH1 MUC2 TFF3 FABP1 LGALS4 PHGR1 ELF3 SPINK4 FCGBP CLDN7 VIL1",
    "fibroblast": "COL1A1 COL1A2 COL3A1 COL6A3 DCN LUM FBLN1 PDGFRA SPARC MMP2 POSTN CCDC80 SFRP2 C7 FN1 THY1",
    "smooth muscle": "ACTA2 MYH11 DES TAGLN CNN1 ACTG2 SYNPO2 LMOD1 MYLK SMTN TPM2 CALD1 PDLIM3 MYL9 CARMN KCNMB1",
    "lymphocyte": "PTPRC CD3E CD3D CD2 CD79A MS4A1 CD19 CD37 IL7R LTB CCR7 SELL CXCR5 BANK1 TRBC1 CD52",
    "adipocyte": "ADIPOQ PLIN1 PLIN4 LEP LPL FABP4 CIDEC CIDEA GPD1 LIPE PPARG CD36 AQP7 TUSC5 CFD RBP4",
}
HOUSEKEEPING = (
    "ACTB GAPDH B2M EEF1A1 TMSB4X UBC PPIA TPT1 FTL FTH1 MT-CO1 MT-CO2 MT-CO3 MT-ND1 MT-ND2 MT-ND4 MT-CYB MT-ATP6"
)
DISPERSION_SPOTS, DISPERSION_CELLS = 0.06, 0.25

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Signatures:
    """What each type of cell expresses.

    Parameters
    ----------
    genes
        (g,) names; those that start with SIM stand for no real gene.
    profiles
        (t, g) share of each gene in a cell's molecules; rows sum to 1.
    niche
        (d, g) factor by which a domain raises a gene in all its cells; row 0 (glass) is 1.
    """

    genes: npt.NDArray[np.str_]
    profiles: Floats
    niche: Floats


@dataclass(frozen=True)
class SpotTruth:
    """The spots, measured and true.

    Parameters
    ----------
    coordinates_um
        (n, 2) centres as (y, x).
    diameter_um
        Of every spot.
    counts
        (n, g) CSR.
    proportions
        (n, t) true shares of cells; rows sum to 1.
    n_cells
        (n,) cells in the spot; fractions where a border cuts a cell.
    domains
        (n,) index into `DOMAINS`: the one that covers most of the spot.
    """

    coordinates_um: Floats
    diameter_um: float
    counts: sp.csr_matrix
    proportions: Floats
    n_cells: Floats
    domains: Ints


@dataclass(frozen=True)
class ReferenceCells:
    """Single cells of another section: (m, g) CSR counts, and (m,) index into `CELL_TYPES`."""

    counts: sp.csr_matrix
    types: Ints


@dataclass(frozen=True)
class Molecules:
    """Single transcripts.

    Parameters
    ----------
    coordinates_um
        (k, 2) as (y, x).
    genes
        (k,) index into the genes.
    cells
        (k,) label of the cell that it came from, 0 for stray ones.
    """

    coordinates_um: Floats
    genes: Ints
    cells: Ints


def make_signatures(rng: np.random.Generator, n_genes: int) -> Signatures:
    """Draw the types' profiles: markers, housekeeping genes, and genes that differ a little."""
    named = [name for names in MARKERS.values() for name in names.split()]
    names = [*named, *HOUSEKEEPING.split()][:n_genes]
    names += [f"SIM{k:03d}" for k in range(1, n_genes - len(names) + 1)]
    n_types, per_type = len(CELL_TYPES), len(named) // len(CELL_TYPES)
    level = np.exp(rng.normal(0, 1.0, n_genes))
    profiles = level * np.exp(rng.normal(0, 0.3, (n_types, n_genes)))
    marks = np.arange(min(len(named), n_genes))
    profiles[:, marks] *= 0.08
    profiles[marks // per_type, marks] = rng.uniform(2.0, 8.0, len(marks))
    niche = np.ones((len(DOMAINS), n_genes))
    free = np.arange(n_genes)[len(named) + len(HOUSEKEEPING.split()) :]
    for domain, genes in enumerate(np.array_split(free[: len(free) // 2], len(DOMAINS) - 1), start=1):
        niche[domain, genes] = rng.uniform(1.5, 3.5, len(genes))
    return Signatures(np.array(names), profiles / profiles.sum(1, keepdims=True), niche)


def cell_rates(signatures: Signatures, types: Ints, domains: Ints) -> Floats:
    """Return the (n, g) expected shares of genes in cells of these types and domains; rows sum to 1."""
    rates = signatures.profiles[types] * signatures.niche[domains]
    return np.asarray(rates / rates.sum(1, keepdims=True))


def _negative_binomial(rng: np.random.Generator, mean: Floats, dispersion: float) -> sp.csr_matrix:
    """Draw counts of variance ``mean + dispersion · mean²``."""
    return sp.csr_matrix(rng.poisson(mean * rng.gamma(1 / dispersion, dispersion, mean.shape)).astype(np.float32))


def measure_spots(
    rng: np.random.Generator,
    anatomy: Anatomy,
    nuclei: Nuclei,
    signatures: Signatures,
    diameter_um: float,
    pitch_um: float,
    depth: float,
) -> SpotTruth:
    """Lay a hexagonal grid of spots and count what their cells express.

    Notes
    -----
    A cell gives each spot the share of its territory that the spot covers. Counts are negative
    binomial around library size × gene factor of the platform × Σ cells' rates. All types hold equally
    many molecules, so that the proportions of cells and of molecules are one truth.
    """
    centres = hexagonal_grid(anatomy.shape, anatomy.pixel_size_um, pitch_um, diameter_um / 2)
    centres = centres[anatomy.at(anatomy.domain, centres) > 0]
    weights = _coverage(anatomy, nuclei, centres, diameter_um / 2)
    one_hot = sp.csr_matrix((np.ones(len(nuclei.types)), (np.arange(len(nuclei.types)), nuclei.types)))
    one_hot.resize(len(nuclei.types), len(CELL_TYPES))
    n_cells = np.asarray(weights.sum(1)).ravel()
    proportions = (weights @ one_hot).toarray() / n_cells[:, None]
    rates = (weights @ cell_rates(signatures, nuclei.types, nuclei.domains)) / n_cells[:, None]
    platform = np.exp(rng.normal(0, 0.45, len(signatures.genes)))
    library = depth * (0.35 + 0.65 * np.minimum(n_cells / 3, 1.5)) * np.exp(rng.normal(0, 0.3, len(centres)))
    counts = _negative_binomial(rng, library[:, None] * rates * platform / platform.mean(), DISPERSION_SPOTS)
    return SpotTruth(
        centres, diameter_um, counts, proportions, n_cells, _main_domain(anatomy, centres, diameter_um / 2)
    )


def hexagonal_grid(shape: tuple[int, ...], pixel_size_um: float, pitch_um: float, margin_um: float) -> Floats:
    """Return the centres of a hexagonal grid, every row shifted by half a pitch, as (y, x) in µm."""
    high, wide = shape[0] * pixel_size_um, shape[1] * pixel_size_um
    rows = np.arange(margin_um, high - margin_um, pitch_um * np.sqrt(3) / 2)
    columns = np.arange(margin_um, wide - margin_um - pitch_um / 2, pitch_um)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    x = x + (np.arange(len(rows)) % 2)[:, None] * pitch_um / 2
    return np.stack([y.ravel(), x.ravel()], 1)


def _disc(anatomy: Anatomy, centres: Floats, radius_um: float) -> tuple[Ints, Ints]:
    """Return the (n, p) rows and columns of the pixels in a disc around every centre."""
    reach = int(np.ceil(radius_um / anatomy.pixel_size_um))
    di, dj = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    near = np.hypot(di, dj) * anatomy.pixel_size_um <= radius_um
    middle = pixel_of(centres, anatomy.pixel_size_um, anatomy.shape)
    i, j = middle[:, :1] + di[near], middle[:, 1:] + dj[near]
    return np.clip(i, 0, anatomy.shape[0] - 1), np.clip(j, 0, anatomy.shape[1] - 1)


def _coverage(anatomy: Anatomy, nuclei: Nuclei, centres: Floats, radius_um: float) -> sp.csr_matrix:
    """Return (n_spots, n_cells): the share of each cell's territory that lies in each spot."""
    i, j = _disc(anatomy, centres, radius_um)
    owner, spot = nuclei.territory[i, j], np.repeat(np.arange(len(centres)), i.shape[1]).reshape(i.shape)
    inside = owner > 0
    area = np.bincount(nuclei.territory.ravel(), minlength=len(nuclei.types) + 1)[1:]
    where = (spot[inside], owner[inside] - 1)
    pixels = sp.coo_matrix((np.ones(int(inside.sum())), where), shape=(len(centres), len(area)))
    return sp.csr_matrix(pixels.tocsr() @ sp.diags(1 / np.maximum(area, 1)))


def _main_domain(anatomy: Anatomy, centres: Floats, radius_um: float) -> Ints:
    i, j = _disc(anatomy, centres, radius_um)
    covered = anatomy.domain[i, j]
    votes = np.stack([(covered == d).sum(1) for d in range(1, len(DOMAINS))], 1)
    return np.asarray(votes.argmax(1) + 1)


def sequence_reference(
    rng: np.random.Generator, signatures: Signatures, nuclei: Nuclei, n_cells: int
) -> ReferenceCells:
    """Sequence single cells: the section's types, each at least a tenth, under another platform's gene factors."""
    share = np.bincount(nuclei.types, minlength=len(CELL_TYPES)) / max(len(nuclei.types), 1)
    share = np.maximum(share, 0.1)
    types = np.sort(rng.choice(len(CELL_TYPES), n_cells, p=share / share.sum()))
    platform = np.exp(rng.normal(0, 0.25, len(signatures.genes)))
    # dissociated cells have left their niche
    rates = signatures.profiles[types] * platform
    library = 1500 * np.exp(rng.normal(0, 0.4, n_cells))
    mean = library[:, None] * rates / rates.sum(1, keepdims=True)
    return ReferenceCells(_negative_binomial(rng, mean, DISPERSION_CELLS), types)


def place_molecules(
    rng: np.random.Generator, anatomy: Anatomy, nuclei: Nuclei, signatures: Signatures, per_cell: float
) -> Molecules:
    """Scatter single transcripts over each cell's nucleus and cytoplasm, and a few per cent as strays."""
    n = len(nuclei.types)
    inside = np.flatnonzero(((nuclei.away_um < 4.0) & (nuclei.territory > 0)).ravel())
    owner = nuclei.territory.ravel()[inside]
    inside = inside[np.argsort(owner, kind="stable")]
    area = np.bincount(owner, minlength=n + 1)[1:]
    start = np.concatenate([[0], np.cumsum(area)[:-1]])
    size = per_cell * np.exp(rng.normal(0, 0.35, n))
    expected = size[:, None] * cell_rates(signatures, nuclei.types, nuclei.domains)
    cell, gene = _expand(rng.poisson(expected))
    flat = inside[start[cell] + np.floor(rng.random(len(cell)) * area[cell]).astype(np.intp)]
    n_stray = int(0.03 * len(cell))
    tissue = np.flatnonzero(anatomy.domain.ravel() > 0)
    flat = np.concatenate([flat, rng.choice(tissue, n_stray)])
    pixel = np.stack(np.unravel_index(flat, anatomy.shape), 1)
    where = (pixel + rng.random(pixel.shape)) * anatomy.pixel_size_um
    genes = np.concatenate([gene, rng.choice(gene, n_stray)])
    return Molecules(where, genes, np.concatenate([cell + 1, np.zeros(n_stray, np.intp)]))


def _expand(counts: npt.NDArray[np.int64]) -> tuple[Ints, Ints]:
    cell, gene = np.nonzero(counts)
    times = counts[cell, gene]
    return np.repeat(cell, times), np.repeat(gene, times)
