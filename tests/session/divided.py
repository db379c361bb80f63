"""A small section of spots in three bands with their own genes, and a second one beside it."""

from __future__ import annotations

import warnings
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
from spatialdata import SpatialData
from spatialdata.models import ShapesModel, TableModel

from napari_spatialml.methods import method
from napari_spatialml.session import DomainsSelection, Session, correct, run

TABLE, OTHER = "counts", "second"
MIXTURE = method("domains", "low-pass-mixture")
_SIDE = 50.0


def bands(n: int, wide: int) -> np.ndarray:
    return np.minimum(np.arange(n) % wide * 3 // wide, 2)


def _spots(name: str, n: int, seed: int, shift: float, genes: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    wide, place = max(int(np.ceil(np.sqrt(n))), 1), np.arange(n)
    truth = bands(n, wide)
    rates = np.full((3, genes), 2.0)
    for band in range(3):
        rates[band, band::3] = 8.0
    xy = np.stack([place % wide, place // wide], 1) * _SIDE + shift
    ids = place + 100
    obs = pd.DataFrame(
        {"region": pd.Categorical([f"{name}_spots"] * n), "instance_id": ids, "truth": truth.astype(float)},
        index=[f"{name}{i}" for i in place],
    )
    table = ad.AnnData(sp.csr_matrix(rng.poisson(rates[truth]).astype(np.float32)), obs=obs)
    table.var_names = [f"gene{i}" for i in range(genes)]
    parsed = TableModel.parse(table, region=f"{name}_spots", region_key="region", instance_key="instance_id")
    return {f"{name}_spots": ShapesModel.parse(xy, geometry=0, radius=20.0, index=pd.Index(ids)), name: parsed}


def banded(n: int = 64, *, second: bool = False) -> SpatialData:
    parts = _spots(TABLE, n, 0, 0.0, 24)
    if second:
        parts |= _spots(OTHER, 100, 1, 5000.0, 30)
    return SpatialData.init_from_elements(parts, attrs={"spatialml": {"version": 1, "um_per_unit": {"global": 1.0}}})


def started(**made: Any) -> Session:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Session.start(banded(**made))


def divided(k: int = 3, **made: Any) -> Session:
    """A section with its map."""
    session = started(**made)
    run(session, MIXTURE(n_domains=k, n_starts=2), DomainsSelection(TABLE))
    return session


def do(session: Session, what: str, /, table: str = TABLE, **arguments: Any) -> None:
    session.execute(correct(session.document, what, table=table, **arguments))


def names(session: Session, table: str = TABLE, column: str = "domain") -> np.ndarray:
    """The domain of each row as text; "" where it is in none."""
    values = session.document.table(table).obs[column]
    return values.astype(object).where(values.notna(), "").to_numpy(dtype=str)


def probabilities(session: Session, end: str = "probabilities", table: str = TABLE) -> np.ndarray:
    return np.asarray(session.document.table(table).obsm[f"domain_{end}"])


def about(session: Session, table: str = TABLE) -> dict[str, Any]:
    return session.document.attribute("domain_maps")[f"{table}/domain"]


def strokes(session: Session, table: str = TABLE) -> list[dict[str, Any]]:
    return (session.document.attribute("domain_strokes") or {}).get(f"{table}/domain", [])
