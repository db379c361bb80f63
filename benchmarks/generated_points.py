"""Transcripts with the structure of a tissue, written piece by piece: cells, regions, genes that go together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Tissue", "open_points", "write_points"]

PIECE = 2_000_000
PROGRAMS, REGIONS = 12, 96
"""Groups of genes that go together, and the squares along each edge in which the share of each is the same."""
PITCH_UM, SPREAD_UM, LOOSE = 12.0, 3.0, 0.25
"""Cells lie so far apart; their transcripts scatter so far from the middle; the share that lies between cells."""


@dataclass(frozen=True)
class Tissue:
    """A generated section, 4,200 transcripts in a square of 100 µm where it is dense.

    Parameters
    ----------
    transcripts
        How many.
    genes
        How many; the share of the k-th of each program is 1 / k.
    seed
        Of all that is random.
    """

    transcripts: int
    genes: int
    seed: int = 0

    @property
    def edge_um(self) -> float:
        """The edge of the square that holds it."""
        return float(np.sqrt(self.transcripts / 42e6) * 10_000)

    def names(self) -> list[str]:
        """Return the genes; the last 2 % are negative controls."""
        controls = max(self.genes // 50, 1)
        return [f"GENE{i:04d}" for i in range(self.genes - controls)] + [
            f"NegControlProbe_{i}" for i in range(controls)
        ]


def write_points(tissue: Tissue, folder: Path) -> None:
    """Write parquet files with x, y, z in µm, the gene and its quality (0 to 40, in steps of 0.5)."""
    import pandas as pd

    folder.mkdir(parents=True)
    rng = np.random.default_rng(tissue.seed)
    fields = np.stack([_smooth(rng.normal(0, 1, (REGIONS, REGIONS))).ravel() for _ in range(PROGRAMS)], axis=1)
    of_region = np.exp(12 * fields)
    of_region = (of_region / of_region.sum(1, keepdims=True)).cumsum(1)
    density = _smooth(rng.gamma(1.5, 1.0, (REGIONS, REGIONS))).ravel()
    density /= density.sum()
    order = rng.permutation(tissue.genes)
    names = tissue.names()
    for number, start in enumerate(range(0, tissue.transcripts, PIECE)):
        n = min(PIECE, tissue.transcripts - start)
        region = rng.choice(len(density), n, p=density)
        um = _places(rng, region, tissue.edge_um)
        program = (rng.random(n, np.float32)[:, None] > of_region[region]).sum(1).clip(0, PROGRAMS - 1)
        rank = (tissue.genes // PROGRAMS + 1) ** rng.random(n)  # log-uniform: the share of the k-th is about 1 / k
        codes = order[np.minimum((rank.astype(np.int64) - 1) * PROGRAMS + program, tissue.genes - 1)]
        columns = {
            "x": um[:, 1], "y": um[:, 0], "z": rng.uniform(0, 12, n).astype(np.float32),
            "feature_name": pd.Categorical.from_codes(codes, names),
            "qv": (np.round(40 * (1 - rng.random(n) ** 3) * 2) / 2).astype(np.float32),
        }  # fmt: skip
        pd.DataFrame(columns).to_parquet(folder / f"part.{number:03d}.parquet", index=False)


def open_points(folder: Path) -> Any:
    """Return the files as a lazy points element."""
    import dask.dataframe as dd
    from spatialdata.models import PointsModel
    from spatialdata.transformations import Identity

    return PointsModel.parse(
        dd.read_parquet(folder),
        coordinates={"x": "x", "y": "y", "z": "z"},
        feature_key="feature_name",
        transformations={"global": Identity()},
    )


def _places(rng: np.random.Generator, region: npt.NDArray[Any], edge: float) -> npt.NDArray[np.float32]:
    """Return (n, 2) places as (y, x) in µm around the cells of each region, and some between them."""
    side = edge / REGIONS
    corner = np.stack(np.divmod(region, REGIONS), 1) * side
    within = rng.uniform(0, side, (len(region), 2))
    cell = (np.floor((corner + within) / PITCH_UM) + 0.5) * PITCH_UM + rng.normal(0, SPREAD_UM, (len(region), 2))
    loose = rng.random(len(region)) < LOOSE
    cell[loose] = (corner + within)[loose]
    return np.clip(cell, 0, np.nextafter(np.float32(edge), np.float32(0))).astype(np.float32)


def _smooth(field: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter

    smoothed: npt.NDArray[np.float64] = gaussian_filter(field, 3.0, mode="wrap")
    return smoothed
