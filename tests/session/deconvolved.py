"""A small section of spots with known cell types, its reference on disk, and methods that say what they were given."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, ClassVar

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
from spatialdata import SpatialData
from spatialdata.models import ShapesModel, TableModel

from napari_spatialml.core.box_simplex import obeying
from napari_spatialml.core.deconvolution import Deconvolver, Fitted, Proportions, Reference, Spots
from napari_spatialml.core.method import method
from napari_spatialml.core.report import Report, silent
from napari_spatialml.session import DeconvolutionSelection, Session

TYPES = ("B cell", "T cell", "fibroblast", "tumour")
TABLE = "counts"
_SIDE = 50.0


def profiles(g: int = 60, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(g, 0.3), len(TYPES))


def spots_section(n: int = 40, g: int = 60, seed: int = 0) -> SpatialData:
    """Circles on a grid 50 µm apart, tumour to the left; and a table of their counts."""
    rng = np.random.default_rng(seed)
    wide = int(np.ceil(np.sqrt(n)))
    place = np.arange(n)
    xy = np.stack([place % wide, place // wide], 1) * _SIDE
    left = place % wide < wide / 2
    truth = np.where(left[:, None], rng.dirichlet([0.5, 0.5, 0.5, 6], n), rng.dirichlet([2, 2, 2, 0.1], n))
    counts = sp.csr_matrix(rng.poisson(truth @ profiles(g) * 2000).astype(np.float32))
    obs = pd.DataFrame(
        {
            "region": pd.Categorical(["spots"] * n),
            "instance_id": place + 100,
            "domain": pd.Categorical(np.where(left, "tumour bed", "stroma")),
        },
        index=[f"spot{i}" for i in place],
    )
    table = ad.AnnData(counts, obs=obs)
    table.var_names = [f"gene{i}" for i in range(g)]
    return SpatialData.init_from_elements(
        {
            "spots": ShapesModel.parse(xy, geometry=0, radius=20.0, index=pd.Index(place + 100)),
            TABLE: TableModel.parse(table, region="spots", region_key="region", instance_key="instance_id"),
        },
        attrs={"spatialml": {"version": 1, "um_per_unit": {"global": 1.0}}},
    )


def write_reference(path: Path, types: tuple[str, ...] = TYPES, g: int = 60, seed: int = 1) -> Path:
    """Write 30 cells a type."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(len(TYPES)), 30)
    keep = np.isin(np.array(TYPES)[of], types)
    cells = ad.AnnData(sp.csr_matrix(rng.poisson(profiles(g)[of] * 3000).astype(np.float32))[keep])
    cells.obs["cell_type"] = pd.Categorical(np.array(TYPES)[of][keep])
    cells.obs_names = [f"cell{i}" for i in range(cells.n_obs)]
    cells.var_names = [f"gene{i}" for i in range(g)]
    cells.write_h5ad(path)
    return path


def started(**made: Any) -> Session:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Session.start(spots_section(**made))


def selected(reference: Path, **more: Any) -> DeconvolutionSelection:
    return DeconvolutionSelection(TABLE, str(reference), **more)


@method(title="Learning shares")
class Learning(Deconvolver):
    """Shares of the counts along the types' profiles, which the spots that the hand has set change.

    Gives all that a method may give, so that all of it is seen to be stored; starts where it is told.
    """

    steps: int = 3
    """How many times the profiles are scaled."""
    started_from: ClassVar[list[Proportions | None]] = []

    def __call__(self, spots: Spots, reference: Reference, report: Report = silent) -> Proportions:
        self.started_from.append(spots.start)
        types, of = np.unique(reference.types, return_inverse=True)
        genes, there = np.unique(spots.genes), np.argsort(spots.genes)
        cells = np.asarray(reference.counts.todense())[:, np.argsort(reference.genes)]
        base = np.stack([cells[of == i].sum(0) for i in range(len(types))]) + 1.0
        base /= base.sum(1, keepdims=True)
        counts = np.asarray(spots.counts.todense())[:, there]  # type: ignore[union-attr]
        platform = np.ones(len(genes))
        if spots.start is not None and spots.start.fitted is not None:
            platform = np.array(spots.start.fitted.platform)
        for _ in range(self.steps):
            values = counts @ (base * platform).T
            values = obeying(values / values.sum(1, keepdims=True), tuple(types), spots.constraints)
            expected = values @ base * counts.sum(1, keepdims=True)
            platform = counts.sum(0) / expected.sum(0)
        half = np.full(values.shape, 0.05)
        return Proportions(
            values,
            tuple(types),
            standard_errors=half / 2,
            abundance=values * counts.sum(1, keepdims=True),
            lower=np.clip(values - half, 0, 1),
            upper=np.clip(values + half, 0, 1),
            deviance=np.full(len(values), 1.1),
            outside=np.arange(len(values)) == 3,
            empty=counts.sum(1) == 0,
            fitted=Fitted(genes, platform, base * platform, 0.25),
        )
