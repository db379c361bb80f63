"""A small section with known truth: histology, cells, domains, spots, molecules and ions of one tissue.

It serves the demonstration, the tests and the benchmarks. Nothing in it was measured: it is
simulated, and every table says so.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .anatomy import DOMAINS, build_anatomy
from .arrays import require
from .expression import (
    Molecules,
    ReferenceCells,
    SpotTruth,
    make_signatures,
    measure_spots,
    place_molecules,
    sequence_reference,
)
from .histology import dapi_image, he_image
from .ions import IonGrid, image_ions
from .nuclei import CELL_TYPES, place_nuclei

__all__ = ["CELL_TYPES", "DOMAINS", "Tissue", "simulate_tissue"]


@dataclass(frozen=True)
class Tissue:
    """A simulated section of bowel wall with everything that is true about it.

    Parameters
    ----------
    pixel_size_um
        Edge of a pixel of images and rasters; pixel (i, j) covers [i, i + 1) edges.
    he
        (3, y, x) uint8: haematoxylin and eosin.
    dapi
        (1, y, x) uint16: the same nuclei in fluorescence.
    labels
        (y, x) int32: nuclei 1..n, 0 is background.
    centroids_um
        (n, 2) as (y, x).
    types, domains
        (n,) each nucleus's index into ``type_names`` and ``domain_names``.
    domain_raster
        (y, x) uint8 index into ``domain_names``; 0 is glass.
    type_names, domain_names, genes
        Names.
    profiles
        (t, g) true share of each gene in a cell of a type.
    spots, reference, molecules, ions
        What the instruments measured, with its truth.
    """

    pixel_size_um: float
    he: npt.NDArray[np.uint8]
    dapi: npt.NDArray[np.uint16]
    labels: npt.NDArray[np.int32]
    centroids_um: npt.NDArray[np.float64]
    types: npt.NDArray[np.intp]
    domains: npt.NDArray[np.intp]
    domain_raster: npt.NDArray[np.uint8]
    type_names: tuple[str, ...]
    domain_names: tuple[str, ...]
    genes: npt.NDArray[np.str_]
    profiles: npt.NDArray[np.float64]
    spots: SpotTruth
    reference: ReferenceCells
    molecules: Molecules
    ions: IonGrid


def simulate_tissue(
    seed: int = 0,
    size_um: float = 600.0,
    pixel_size_um: float = 0.5,
    *,
    spot_diameter_um: float = 20.0,
    spot_pitch_um: float = 29.0,
    spot_depth: float = 700.0,
    n_genes: int = 300,
    n_reference_cells: int = 600,
    transcripts_per_cell: float = 40.0,
    msi_pixel_size_um: tuple[float, float] = (12.0, 12.0),
    msi_degrees: float = 17.0,
    msi_mirrored: bool = True,
    n_mz: int = 40,
) -> Tissue:
    """Simulate a section of bowel wall; the same arguments give the same arrays.

    Parameters
    ----------
    seed
        Of everything that is random.
    size_um
        Edge of the square field of view, ≥ 200.
    pixel_size_um
        Edge of a pixel of the histology, 0.2 to 2.
    spot_diameter_um, spot_pitch_um
        Of the hexagonal grid of spots.
    spot_depth
        Mean number of molecules counted in a spot of three cells.
    n_genes
        Genes in all tables, ≥ 120.
    n_reference_cells
        Cells in the single-cell reference.
    transcripts_per_cell
        Mean number of single molecules a cell.
    msi_pixel_size_um
        (y, x) edges of a pixel of the mass spectrometry image.
    msi_degrees, msi_mirrored
        How that image lies on its stage.
    n_mz
        Number of peaks, ≥ 10.

    Returns
    -------
    Tissue
        Images, tables and their truth.

    Raises
    ------
    BadInput
        If a size is outside its range.

    Notes
    -----
    The default takes about 5 s and 400 MB; time grows with the area.
    """
    require(size_um >= 200, f"The field of view is {size_um:g} µm.", "Give at least 200 µm.")
    require(0.2 <= pixel_size_um <= 2, f"The pixel size is {pixel_size_um:g} µm.", "Give 0.2 to 2 µm.")
    require(n_genes >= 120, f"There are {n_genes} genes.", "Give at least 120.")
    require(n_mz >= 10, f"There are {n_mz} m/z values.", "Give at least 10.")
    require(spot_pitch_um >= spot_diameter_um > 0, "The spots overlap.", "Give a pitch of at least the diameter.")
    # one stream a part, so that a parameter of one part leaves the others as they were
    streams = iter(np.random.default_rng(seed).spawn(9))
    anatomy = build_anatomy(next(streams), size_um, pixel_size_um)
    nuclei = place_nuclei(next(streams), anatomy)
    signatures = make_signatures(next(streams), n_genes)
    parts: dict[str, Any] = {
        "he": he_image(next(streams), anatomy, nuclei),
        "dapi": dapi_image(next(streams), anatomy, nuclei),
        "spots": measure_spots(next(streams), anatomy, nuclei, signatures, spot_diameter_um, spot_pitch_um, spot_depth),
        "reference": sequence_reference(next(streams), signatures, nuclei, n_reference_cells),
        "molecules": place_molecules(next(streams), anatomy, nuclei, signatures, transcripts_per_cell),
        "ions": image_ions(next(streams), anatomy, nuclei, msi_pixel_size_um, msi_degrees, msi_mirrored, n_mz),
    }
    tissue = Tissue(
        pixel_size_um=pixel_size_um,
        labels=nuclei.labels,
        centroids_um=nuclei.centroids_um,
        types=nuclei.types,
        domains=nuclei.domains,
        domain_raster=anatomy.domain,
        type_names=CELL_TYPES,
        domain_names=DOMAINS,
        genes=signatures.genes,
        profiles=signatures.profiles,
        **parts,
    )
    _freeze(tissue)
    return tissue


def _freeze(part: Any) -> None:
    """Make every dense array read-only: a section may be shared by many callers."""
    for field in fields(part):
        value = getattr(part, field.name)
        if is_dataclass(value):
            _freeze(value)
        elif isinstance(value, np.ndarray):
            value.flags.writeable = False
