"""How good a step was on the sample, whose truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.metrics import adjusted_rand_index, average_precision, rmse, target_registration_error
from ..core.tissue import Tissue
from ..core.transform import Affine

__all__ = ["Truth"]


class Truth:
    """The sample's truth, and the measures against it.

    Parameters
    ----------
    tissue
        What was simulated.
    """

    def __init__(self, tissue: Tissue) -> None:
        self.tissue = tissue

    def registration_error(self, document: Any, element: str, system: str) -> tuple[float, float]:
        """Return the median and largest error in µm over the centres of all MSI pixels (never used to fit)."""
        h, w = self.tissue.ions.shape
        own = np.stack(np.meshgrid(np.arange(h) + 0.5, np.arange(w) + 0.5, indexing="ij"), -1).reshape(-1, 2)
        moving = own * np.asarray(self.tissue.ions.pixel_size_um)
        true = Affine(self.tissue.ions.matrix).apply(moving)
        found = target_registration_error(true, document.affine(element, system).apply(own))
        return found.median_um, found.largest_um

    def precision(self, labels: npt.NDArray[Any]) -> float:
        """Return the average precision of nuclei at an intersection over union of 0.5."""
        return float(average_precision(self.tissue.labels, labels, 0.5)[0])

    def domain_agreement(self, table: Any, column: str) -> float:
        """Return the adjusted Rand index of a column of domains, over rows that lie on tissue."""
        true = self.domains(table.n_obs)
        on = true > 0
        return adjusted_rand_index(true[on], table.obs[column].astype(str).to_numpy()[on])

    def domains(self, n: int) -> npt.NDArray[np.intp]:
        """Return the true domains of the spots or of the MSI pixels, by their number."""
        spots = self.tissue.spots.domains
        return spots if n == len(spots) else self.tissue.ions.domains

    def proportion_error(self, proportions: Any) -> float:
        """Return the root mean squared error of proportions, a DataFrame with one column a cell type."""
        wanted = list(self.tissue.type_names)
        on = self.tissue.spots.n_cells > 0
        return rmse(self.tissue.spots.proportions[on], proportions[wanted].to_numpy()[on])
