"""Sections whose domains are known: two of cortex that anatomists divided, and one of single cells.

Rows that nobody labelled take part in everything but the scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from napari_spatialml.core import Cells
from napari_spatialml.core.domains import DomainDetector, Domains, Embedded
from napari_spatialml.core.metrics import adjusted_rand_index, normalised_mutual_information

__all__ = ["SLICES", "Known", "dlpfc", "osmfish", "prepared", "scores"]

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SLICES = ("151673", "151675")
UM_PER_PIXEL = 0.065
"""Of the osmFISH section."""


@dataclass(frozen=True)
class Known:
    """A section and its true domains.

    Parameters
    ----------
    name
        What it is, with its size.
    cells
        The rows.
    truth
        (n,) int, 0 <= truth < k; -1 where nobody labelled the row.
    pitch_um
        From spot to spot, or the median distance of a cell to its nearest.
    """

    name: str
    cells: Cells
    truth: npt.NDArray[np.int64]
    pitch_um: float

    @property
    def k(self) -> int:
        """How many true domains there are."""
        return int(self.truth.max()) + 1

    def ari(self, labels: npt.NDArray[np.int64]) -> float:
        """Return the adjusted Rand index over the labelled rows."""
        there = self.truth >= 0
        return adjusted_rand_index(self.truth[there], labels[there])


def dlpfc(name: str) -> Known:
    """Return a slice of prefrontal cortex: Visium spots, six layers and white matter."""
    import anndata

    table = anndata.read_h5ad(DATA / "dlpfc" / f"{name}.h5ad")
    layer = table.obs["layer"].astype(str)
    there = table.obs["layer"].notna().to_numpy() & ~layer.isin(["nan", "None", ""]).to_numpy()
    cells = Cells(sp.csr_matrix(table.X), np.asarray(table.obsm["spatial"], dtype=float)[:, ::-1])
    return known(f"DLPFC {name}, {table.n_obs:,} spots × {table.n_vars:,} genes", cells, layer.to_numpy(), there)


def osmfish() -> Known:
    """Return the valid cells of a section of somatosensory cortex, each in one of eleven regions."""
    import h5py

    with h5py.File(DATA / "osmfish" / "osmfish.loom") as held:
        columns = {name: held["col_attrs"][name][:] for name in ("Region", "X", "Y", "Valid")}
        counts = held["matrix"][:].T.astype(np.float64)
    valid = columns["Valid"] == 1
    where = np.stack([columns["Y"], columns["X"]], 1)[valid].astype(np.float64) * UM_PER_PIXEL
    region = columns["Region"][valid].astype(str)
    cells = Cells(sp.csr_matrix(counts[valid]), where)
    name = f"osmFISH, {int(valid.sum()):,} cells × {counts.shape[1]} genes"
    return known(name, cells, region, region != "Excluded")


def known(name: str, cells: Cells, labels: npt.NDArray[np.str_], there: npt.NDArray[np.bool_]) -> Known:
    """Number the labels and measure the pitch."""
    from scipy.spatial import cKDTree

    truth = np.full(len(labels), -1, np.int64)
    truth[there] = np.unique(labels[there], return_inverse=True)[1]
    nearest = cKDTree(cells.coordinates).query(cells.coordinates, k=2)[0][:, 1]
    return Known(name, cells, truth, float(np.median(nearest)))


def prepared(method: DomainDetector, section: Known) -> tuple[Embedded, Domains]:
    """Return the cached stage that a re-fit starts from, and the map before the hand."""
    method.check(section.cells)
    embedded = method.embedded(section.cells)
    method.check(section.cells, embedded)
    smoothed = method.smoothed(embedded, section.cells)
    return smoothed, method.divided(smoothed, section.cells.ignored)


def scores(section: Known, labels: npt.NDArray[np.int64]) -> dict[str, float]:
    """Return ARI and NMI against the truth, and how smooth a map is by itself: CHAOS and PAS."""
    from napari_spatialml.core.domain_metrics import chaos, pas

    there = section.truth >= 0
    return {
        "ARI": section.ari(labels),
        "NMI": normalised_mutual_information(section.truth[there], labels[there]),
        "CHAOS": chaos(labels[there], section.cells.coordinates[there]),
        "PAS": pas(labels[there], section.cells.coordinates[there]),
    }
