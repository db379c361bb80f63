"""cell2location and RCTD: the adapters ask for the right thing and read the answer rightly.

The packages are not installed here: a stand-in with their documented interface, and least squares inside,
takes their place. How well the packages themselves do is not tested.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from napari_spatialml.core import Constraints, Deconvolver, Reference, Spots
from napari_spatialml.errors import BadInput, Cancelled, MissingDependency, MissingWeights
from napari_spatialml.methods.deconvolution.cell2location import Cell2location
from napari_spatialml.methods.deconvolution.rctd import Rctd

torch = pytest.importorskip("torch")

# the interface of rctd-py 0.4.0: types in the order of R, pixels without counts left out
RCTD = """
from typing import NamedTuple
import numpy as np
import scipy.optimize
class RCTDConfig(NamedTuple):
    UMI_min: int = 100
    counts_MIN: int = 10
    device: str = "auto"
    compile: bool = True
class Result(NamedTuple):
    weights: object
    weights_doublet: object
    spot_class: object
    first_type: object
    second_type: object
    cell_type_names: object
    pixel_mask: object
class Reference:
    def __init__(self, adata, cell_type_col="cell_type", cell_min=25, n_max_cells=10000, min_UMI=100):
        kinds = np.asarray(adata.obs[cell_type_col].values)
        self.cell_type_names = sorted(set(kinds), key=lambda name: name.lower())
        if min((kinds == k).sum() for k in self.cell_type_names) < cell_min:
            raise ValueError("After filtering cell types fewer than 2 remain.")
        counts = adata.X.toarray()
        share = counts / counts.sum(1, keepdims=True)
        self.profiles = np.stack([share[kinds == k].mean(0) for k in self.cell_type_names], 1)
def run_rctd(spatial, reference, mode="doublet", config=None, batch_size="auto", sigma_override=None):
    assert not config.compile and mode in ("full", "doublet") and sigma_override in (None, 100)
    counts = spatial.X.toarray()
    assert (counts == np.rint(counts)).all()
    mask = counts.sum(1) >= config.UMI_min
    weights = np.stack([scipy.optimize.nnls(reference.profiles, row)[0] for row in counts[mask]]) / 7
    order = np.argsort(-weights, 1)
    pair = np.take_along_axis(weights, order[:, :2], 1)
    pair = pair / pair.sum(1, keepdims=True)
    kind = np.where(pair[:, 0] > 0.8, 1, 2)
    return Result(weights, pair, kind, order[:, 0], order[:, 1], reference.cell_type_names, mask)
"""
# the interface of cell2location 0.1.5 on scvi-tools 1.4
CELL2LOCATION = """
import numpy as np
import pandas as pd
import scipy.optimize
class Cell2location:
    ready = None
    @classmethod
    def setup_anndata(cls, adata, layer=None, batch_key=None, labels_key=None, **more):
        cls.ready = adata
    def __init__(self, adata, cell_state_df, N_cells_per_location=1, detection_alpha=None):
        assert adata is self.ready and not adata.is_view
        assert (adata.var_names == cell_state_df.index).all()
        assert (np.asarray(adata.X.sum(0)) > 0).all() and (np.asarray(adata.X.sum(1)) > 0).all()
        self.adata, self.state, self.cells = adata, cell_state_df, N_cells_per_location
    def train(self, max_epochs=30000, batch_size=None, train_size=1, accelerator="auto",
              enable_progress_bar=True, callbacks=()):
        assert batch_size is None and train_size == 1 and accelerator in ("cpu", "gpu")
        for epoch in range(max_epochs):
            trainer = type("Trainer", (), {"current_epoch": epoch})
            for callback in callbacks:
                callback.on_train_epoch_end(trainer, self)
    def export_posterior(self, adata, sample_kwargs=None, add_to_obsm=("means", "stds", "q05", "q95")):
        assert sample_kwargs["batch_size"] == adata.n_obs
        found = np.stack([scipy.optimize.nnls(self.state.to_numpy(), row)[0] for row in adata.X.toarray()])
        adata.obsm["means_cell_abundance_w_sf"] = pd.DataFrame(found, adata.obs_names, self.state.columns)
        return adata
"""
OTHERS = {
    "scvi": "class settings:\n    seed = None\n",
    "lightning": "",
    "lightning/pytorch": "",
    "lightning/pytorch/callbacks": "class Callback: pass\n",
}
GENERATOR = np.random.default_rng(0)
TYPES = np.array(["B cell", "T cell", "fibroblast", "Macrophage"])
GENES = np.array([f"Gene{i}" for i in range(80)])
PROFILES = GENERATOR.dirichlet(np.full(80, 0.3), 4)
CELLS = GENERATOR.poisson(PROFILES[np.repeat(np.arange(4), 20)] * 4000)
REFERENCE = Reference(CELLS, GENES, np.repeat(TYPES, 20))
TRUTH = GENERATOR.dirichlet(np.full(4, 0.6), 30)
COUNTS = GENERATOR.poisson(TRUTH @ PROFILES * 3000)
SORTED = np.argsort(TYPES)


@pytest.fixture(params=["rctd", "cell2location"])
def made(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deconvolver:
    packages = tmp_path / "packages"
    texts = {"rctd": RCTD, "cell2location": "", "cell2location/models": CELL2LOCATION, **OTHERS}
    for name, text in texts.items():
        (packages / name).mkdir(parents=True, exist_ok=True)
        (packages / name / "__init__.py").write_text(text)
    tables = tmp_path / "q_matrices.npz"
    tables.write_bytes(b"PK")
    monkeypatch.setenv("RCTD_Q_MATRICES", str(tables))
    monkeypatch.syspath_prepend(packages)
    yield Rctd(sigma=1.0) if request.param == "rctd" else Cell2location(max_epochs=5, device="cpu")
    for name in [n for n in sys.modules if n.split(".")[0] in {t.split("/")[0] for t in texts}]:
        if str(packages) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_proportions_come_back_in_the_order_of_our_types(made: Deconvolver) -> None:
    found = made(Spots(COUNTS, GENES), REFERENCE)
    assert found.types == tuple(TYPES[SORTED])
    assert np.sqrt(((found.values - TRUTH[:, SORTED]) ** 2).mean()) < 0.03
    assert found.empty is not None and not found.empty.any()


def test_scaled_counts_and_an_empty_spot_are_taken(made: Deconvolver) -> None:
    counts = COUNTS * np.where(np.arange(30) % 2, 1, 0.37)[:, None]
    counts[4] = 0
    counts[:, 3] = 0
    found = made(Spots(counts, GENES), REFERENCE)
    others = np.arange(30) != 4
    assert np.allclose(found.values[4], 0.25) and found.empty.sum() == 1 and found.empty[4]
    assert np.sqrt(((found.values[others] - TRUTH[others][:, SORTED]) ** 2).mean()) < 0.03


def test_the_hand_is_obeyed(made: Deconvolver) -> None:
    hand = Constraints(("T cell", "B cell"), np.array([2]), np.array([[0.7, 0]]), np.array([[0.7, 1]]))
    found = made(Spots(COUNTS, GENES, None, hand), REFERENCE)
    assert found.values[2, found.types.index("T cell")] == pytest.approx(0.7)


def test_progress_goes_on_to_the_end_and_stop_stops(made: Deconvolver) -> None:
    told: list[float] = []
    made(Spots(COUNTS, GENES), REFERENCE, lambda fraction, message="": told.append(fraction))
    assert told == sorted(told) and told[-1] == 1.0

    def stop(fraction: float, message: str = "") -> None:
        if fraction > 0.1:
            raise Cancelled

    with pytest.raises(Cancelled):
        made(Spots(COUNTS, GENES), REFERENCE, stop)


@pytest.mark.parametrize("made", ["rctd"], indirect=True)
def test_doublets_hold_two_types_and_singlets_one(made: Deconvolver) -> None:
    found = Rctd(mode="doublet")(Spots(COUNTS, GENES), REFERENCE).values
    several = (found > 0).sum(1)
    assert set(several) == {1, 2}
    assert (found.argmax(1) == TRUTH[:, SORTED].argmax(1)).mean() > 0.95


@pytest.mark.parametrize("made", ["rctd"], indirect=True)
def test_nothing_is_fetched_and_what_the_package_refuses_is_said(made: Deconvolver, monkeypatch) -> None:
    import rctd

    def refuse(*given: object, **more: object) -> None:
        raise ValueError("No pixels pass the UMI filter.")

    monkeypatch.setattr(rctd, "run_rctd", refuse)
    with pytest.raises(BadInput, match="No pixels pass"):
        made(Spots(COUNTS, GENES), REFERENCE)
    monkeypatch.setenv("RCTD_Q_MATRICES", "/nowhere")
    with pytest.raises(MissingWeights, match=r"q_matrices.npz and save it as /nowhere"):
        made(Spots(COUNTS, GENES), REFERENCE)


@pytest.mark.parametrize("cls", [Rctd, Cell2location])
def test_without_the_package_the_hint_says_how_to_get_it(cls: type[Deconvolver]) -> None:
    if not cls.missing():
        pytest.skip("the package is installed")
    with pytest.raises(MissingDependency, match=r"pip install \"napari-spatialml\[(rctd|cell2location)\]"):
        cls()(Spots(COUNTS, GENES), REFERENCE)
