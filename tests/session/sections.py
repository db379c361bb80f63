"""Two small sections of one tissue in one document, laid any way, and a registration that can see where they are."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import anndata as ad
import numpy as np
import pandas as pd
from spatialdata import SpatialData
from spatialdata.models import Image2DModel, PointsModel, ShapesModel, TableModel
from spatialdata.transformations import Affine as PlacedBy

from napari_spatialml.core import Affine, Alignment, Candidate, Certainty, Pair, Registrar, Trust, method
from napari_spatialml.core.landmarks import fit_affine
from napari_spatialml.core.report import Report, silent
from napari_spatialml.session import Session

MARKS_UM = np.array([[40.0, 50.0], [45.0, 160.0], [150.0, 60.0], [140.0, 170.0]])
"""Where the four marks of the tissue lie in the fixed section, (y, x) in µm; each is a channel of the images."""
TRUTH = Affine.similarity(1.1, 25, (30.0, -20.0))
"""From the moving section's µm to the fixed one's."""
PLAIN = Affine.scale(2.0)
SIZE = (110, 115)


def marks(place: Affine, where_um: np.ndarray, size: tuple[int, int] = SIZE, sigma_um: float = 6.0) -> np.ndarray:
    """Return (4, y, x): an image whose pixels lie as ``place`` says and that shows each mark in its own channel."""
    y, x = np.indices(size)
    at = place.apply(np.c_[y.ravel() + 0.5, x.ravel() + 0.5])
    far = ((at[:, None] - where_um[None]) ** 2).sum(2)
    return (200 * np.exp(-far / (2 * sigma_um**2))).T.reshape(len(where_um), *size).astype(np.float32)


def image(values: np.ndarray, place: Affine, system: str, **more: Any) -> Any:
    laid = PlacedBy(place.to_xy(), ("x", "y"), ("x", "y"))
    return Image2DModel.parse(values, dims=("c", "y", "x"), transformations={system: laid}, **more)


def spots(n: int, system: str, region: str, place: Affine, genes: list[str], seed: int = 0) -> tuple[Any, Any]:
    """Return circles in an element's own frame, laid by ``place``, and the table of their counts."""
    rng = np.random.default_rng(seed)
    laid = PlacedBy(place.to_xy(), ("x", "y"), ("x", "y"))
    circles = ShapesModel.parse(
        rng.uniform(0, 100, (n, 2)),
        geometry=0,
        radius=3.0,
        index=pd.Index(np.arange(n)),
        transformations={system: laid},
    )
    obs = pd.DataFrame(
        {
            "region": pd.Categorical([region] * n),
            "instance_id": np.arange(n),
            "type": pd.Categorical(rng.choice(["tumour", "stroma"], n)),
        },
        index=[f"{region}{k}" for k in range(n)],
    )
    table = ad.AnnData(rng.poisson(3.0, (n, len(genes))).astype(np.float32), obs=obs)
    table.var_names = genes
    return circles, TableModel.parse(table, region=region, region_key="region", instance_key="instance_id")


def two_sections(
    fixed: Affine = PLAIN, moving: Affine = PLAIN, truth: Affine = TRUTH, seen: np.ndarray = MARKS_UM
) -> SpatialData:
    """Return images "he" in "global" and "dapi" in "second", spots and transcripts of either."""
    back = truth.inverse().apply(seen)
    a, a_table = spots(30, "global", "spots_a", Affine.identity(), ["Actb", "Gapdh", "Mki67"])
    b, b_table = spots(20, "second", "spots_b", moving, ["Gapdh", "Actb", "Cd3e"], 1)
    where = pd.DataFrame({"x": np.arange(10.0), "y": np.arange(10.0) * 2, "gene": ["a"] * 10})
    laid = {"second": PlacedBy(moving.to_xy(), ("x", "y"), ("x", "y"))}
    elements = {
        "he": image(marks(fixed, seen), fixed, "global"),
        "dapi": image(marks(moving, back), moving, "second"),
        "spots_a": a,
        "counts_a": a_table,
        "spots_b": b,
        "counts_b": b_table,
        "transcripts": PointsModel.parse(where, feature_key="gene", transformations=laid),
    }
    systems = {"global": 1.0, "second": 1.0}
    return SpatialData.init_from_elements(elements, attrs={"spatialml": {"version": 1, "um_per_unit": systems}})


def started(**laid: Any) -> Session:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Session.start(two_sections(**laid))


def centres(values: np.ndarray) -> np.ndarray:
    """Return (c, 2): the centre of what each channel shows, in pixels."""
    bright = np.clip(values - 2, 0, None).astype(float)
    rows, columns = np.indices(values.shape[1:])
    total = bright.sum((1, 2))
    return np.stack([(bright * rows).sum((1, 2)), (bright * columns).sum((1, 2))], 1) / total[:, None]


@method(title="Marks")
class Marks(Registrar):
    """See the four marks in both images, and lay them onto each other."""

    needs: ClassVar[frozenset[str]] = frozenset({"image"})
    warning: str = ""
    """Told with the result."""

    def __call__(self, pair: Pair, report: Report = silent) -> Alignment:
        report(0.5, "Looking")
        sides = (pair.moving, pair.fixed)
        moving, fixed = (centres(np.asarray(s.image)) * s.pixel_size_um for s in sides)
        found = fit_affine(moving, fixed)
        turned = Affine.rotation(180, tuple(fixed.mean(0))) @ found
        mirrored = Affine.scale(1, -1) @ found
        candidates = tuple(Candidate(t, s) for t, s in ((found, 0.9), (turned, 0.5), (mirrored, 0.2)))
        report(1.0)
        trust = Trust(0.1 if self.warning else 0.97, self.warning, {"residual_um": 0.1})
        return Alignment(found, None, candidates, trust, Certainty(fixed, np.arange(1.0, 5.0)))
