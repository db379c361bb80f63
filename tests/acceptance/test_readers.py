"""Two readings of real images: the truth against the classical method, and columns of a real section."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import directed_hausdorff

from napari_spatialml.core.agreement import cell_agreement
from napari_spatialml.core.kappa import class_agreement
from napari_spatialml.core.overlap import average_precision
from napari_spatialml.methods.segmentation.watershed import Watershed

from .test_nuclei import FLUORESCENCE, PIXEL_SIZE_UM, images


def test_truth_and_watershed_are_compared_alike_in_windows_and_with_other_programs(data: Path) -> None:
    pixels, true = images(data / "nuclei", FLUORESCENCE)[7]
    made = Watershed()(pixels).labels

    def compared(step):
        read = lambda w: (true[w[0] : w[1], w[2] : w[3]], made[w[0] : w[1], w[2] : w[3]])  # noqa: E731
        return cell_agreement(read, true.shape, PIXEL_SIZE_UM, step=step)

    found = compared(4096)
    figures = {m.name: m.estimate for m in found.measures}
    for measure in compared(100).measures:
        assert np.isclose(measure.estimate.value, figures[measure.name].value)
    assert figures["AP at IoU 0.5"].value == average_precision(true, made, 0.5)[0] > 0.5
    assert sum(found.groups.counts.values()) >= max(len(found.overlap.a.ids), len(found.overlap.b.ids)) / 2
    for k in range(0, len(found.rows), 5):
        p = np.argwhere(true == found.overlap.a.ids[found.rows[k]])
        q = np.argwhere(made == found.overlap.b.ids[found.columns[k]])
        far = max(directed_hausdorff(p, q)[0], directed_hausdorff(q, p)[0])
        assert np.isclose(found.distances_um[k], far * PIXEL_SIZE_UM)


def test_kappa_of_layers_of_a_real_section_equals_scikit_learn(data: Path) -> None:
    anndata = pytest.importorskip("anndata")
    from sklearn.metrics import cohen_kappa_score

    obs = anndata.read_h5ad(data / "dlpfc" / "151673.h5ad", backed="r").obs
    layers = next(obs[c] for c in obs if obs[c].dtype == "category" and 5 <= obs[c].nunique() <= 12)
    rng = np.random.default_rng(0)
    known = layers[layers.notna()].astype(str)
    second = known.where(rng.random(len(known)) > 0.2, known.to_numpy()[rng.permutation(len(known))])
    found = class_agreement(known, second)
    assert np.isclose(found.kappa.value, cohen_kappa_score(known, second))
    for name, one in zip(found.names, found.per_class, strict=True):
        assert np.isclose(one.value, cohen_kappa_score(known == name, second == name))
