"""The embedded sample: a simulated section as a document, its single-cell reference, and its truth."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.tissue import Tissue, simulate_tissue

if TYPE_CHECKING:
    from anndata import AnnData
    from spatialdata import SpatialData

__all__ = ["sample_reference", "sample_section", "sample_truth"]

PYRAMID_FROM = 1024
"""An image of at least this many pixels an edge gets a pyramid."""


@lru_cache(maxsize=2)
def _simulated(seed: int, settings: tuple[tuple[str, Any], ...]) -> Tissue:
    return simulate_tissue(seed, **dict(settings))


def sample_truth(seed: int = 0, **settings: Any) -> Tissue:
    """Return everything that is true about the sample: nuclei, types, domains, proportions, alignment.

    Parameters
    ----------
    seed
        Of the simulation.
    **settings
        As for `napari_spatialml.core.tissue.simulate_tissue`.

    Returns
    -------
    Tissue
        Kept for the next call with the same arguments; its arrays are read-only.
    """
    return _simulated(int(seed), tuple(sorted(settings.items())))


def sample_section(seed: int = 0, **settings: Any) -> SpatialData:
    """Return a simulated section of bowel wall as a document, as an instrument would give it, without the truth.

    Parameters
    ----------
    seed
        Of the simulation.
    **settings
        As for `napari_spatialml.core.tissue.simulate_tissue`.

    Returns
    -------
    SpatialData
        Images ``he`` and ``dapi``, shapes ``spots`` with the table ``spot_counts``, points
        ``transcripts`` (all in "global"), and labels ``msi_pixels`` with the table ``msi`` in the
        coordinate system "msi". Both systems are in µm; corresponding landmarks are in
        ``attrs["spatialml"]["landmarks"]["msi"]``.
    """
    from spatialdata import SpatialData

    tissue = sample_truth(seed, **settings)
    spots, spot_counts = _spots(tissue)
    pixels, msi = _ions(tissue)
    document = SpatialData(
        images={
            "he": _image(tissue.he, ["r", "g", "b"], tissue.pixel_size_um),
            "dapi": _image(tissue.dapi, ["DAPI"], tissue.pixel_size_um),
        },
        labels={"msi_pixels": pixels},
        points={"transcripts": _transcripts(tissue)},
        shapes={"spots": spots},
        tables={"spot_counts": spot_counts, "msi": msi},
    )
    document.attrs["spatialml"] = _notes(tissue, seed)
    return document


def sample_reference(seed: int = 0, **settings: Any) -> AnnData:
    """Return single cells that fit `sample_section` of the same seed, with ``obs["cell_type"]``.

    Parameters
    ----------
    seed
        Of the simulation.
    **settings
        As for `napari_spatialml.core.tissue.simulate_tissue`.

    Returns
    -------
    AnnData
        (m, g) raw counts of other cells than the section's, from another platform.
    """
    import pandas as pd

    tissue = sample_truth(seed, **settings)
    kinds = pd.Categorical(np.array(tissue.type_names)[tissue.reference.types], categories=list(tissue.type_names))
    names = [f"cell_{k}" for k in range(1, len(kinds) + 1)]
    return _table(tissue.reference.counts, pd.DataFrame({"cell_type": kinds}, index=names), tissue.genes)


def _table(counts: Any, obs: Any, names: Any) -> AnnData:
    import pandas as pd
    from anndata import AnnData

    return AnnData(counts.copy(), obs=obs, var=pd.DataFrame(index=[str(name) for name in names]))


def _image(values: np.ndarray[Any, Any], channels: list[str], pixel_size_um: float) -> Any:
    import dask.array as da
    from spatialdata.models import Image2DModel
    from spatialdata.transformations import Scale

    big = min(values.shape[1:]) >= PYRAMID_FROM
    return Image2DModel.parse(
        da.from_array(values, chunks=(len(channels), 512, 512)),
        dims=("c", "y", "x"),
        c_coords=channels,
        scale_factors=[2, 2] if big else None,
        transformations={"global": Scale([pixel_size_um, pixel_size_um], axes=("x", "y"))},
    )


def _spots(tissue: Tissue) -> tuple[Any, Any]:
    import pandas as pd
    from spatialdata.models import ShapesModel, TableModel
    from spatialdata.transformations import Identity

    spots, n = tissue.spots, len(tissue.spots.coordinates_um)
    ids = np.arange(1, n + 1)
    circles = ShapesModel.parse(
        spots.coordinates_um[:, ::-1].copy(),
        geometry=0,
        radius=spots.diameter_um / 2,
        index=pd.Index(ids),
        transformations={"global": Identity()},
    )
    table = _annotating(spots.counts, [f"spot_{k}" for k in ids], ids, "spots", tissue.genes)
    return circles, TableModel.parse(table, region="spots", region_key="region", instance_key="instance_id")


def _annotating(counts: Any, rows: list[str], ids: np.ndarray[Any, Any], region: str, names: Any) -> AnnData:
    import pandas as pd

    obs = pd.DataFrame({"region": pd.Categorical([region] * len(ids)), "instance_id": ids}, index=rows)
    return _table(counts, obs, names)


def _ions(tissue: Tissue) -> tuple[Any, Any]:
    import dask.array as da
    from spatialdata.models import Labels2DModel, TableModel
    from spatialdata.transformations import Scale

    ions = tissue.ions
    ids = np.arange(1, len(ions.intensities) + 1, dtype=np.int32)
    high, wide = ions.pixel_size_um
    raster = Labels2DModel.parse(
        da.from_array(ids.reshape(ions.shape), chunks=(512, 512)),
        dims=("y", "x"),
        transformations={"msi": Scale([wide, high], axes=("x", "y"))},
    )
    peaks = [f"{mz:.4f}" for mz in ions.mz]
    table = _annotating(ions.intensities, [f"pixel_{k}" for k in ids], ids, "msi_pixels", peaks)
    return raster, TableModel.parse(table, region="msi_pixels", region_key="region", instance_key="instance_id")


def _transcripts(tissue: Tissue) -> Any:
    import pandas as pd
    from spatialdata.models import PointsModel
    from spatialdata.transformations import Identity

    molecules = tissue.molecules
    y, x = molecules.coordinates_um.T
    gene = pd.Categorical.from_codes(molecules.genes, categories=[str(gene) for gene in tissue.genes])
    return PointsModel.parse(
        pd.DataFrame({"x": x, "y": y, "gene": gene}),
        coordinates={"x": "x", "y": "y"},
        feature_key="gene",
        transformations={"global": Identity()},
    )


def _notes(tissue: Tissue, seed: int) -> dict[str, Any]:
    """Return our attributes; landmarks are rounded to a tenth of a µm, as a hand would hardly place them better."""
    ions = tissue.ions
    pair = {"fixed_um": ions.fixed_um, "moving_um": ions.moving_um}
    landmarks = {"fixed": "global", "moving": "msi", **{k: np.round(v, 1).tolist() for k, v in pair.items()}}
    return {
        "version": 1,
        "um_per_unit": {"global": 1.0, "msi": 1.0},
        "sources": [{"path": "", "format": "simulated section", "seed": int(seed)}],
        "landmarks": {"msi": landmarks},
    }
