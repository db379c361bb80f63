"""cell2location, by its own package where the person has installed it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from ...core.box_simplex import obeying
from ...core.deconvolution import Deconvolver, Proportions, Reference, Spots
from ...core.device import choose
from ...core.method import Advanced, Interval, method
from ...core.report import Report, part, silent
from ...core.signatures import shared_genes
from ...core.whole_tables import as_tables

Array = npt.NDArray[np.float64]


@method(
    title="Cell2location",
    citation="Kleshchevnikov et al. 2022, doi:10.1038/s41587-021-01139-4",
    requires=("cell2location",),
    extra="cell2location",
)
class Cell2location(Deconvolver):
    """A hierarchical Bayesian model of cell abundance, fitted by variational inference: careful and slow.

    Signatures are the mean counts of each type's cells, as the package's own ``compute_cluster_averages``
    gives; its regression model for several batches of a reference is not run. Proportions are shares of
    cells: posterior means of the abundance over their sum. A graphics card is needed for thousands of spots.

    Notes
    -----
    Written after the interface of version 0.1.5, and tested with a stand-in for it: the package itself was not
    run.
    """

    learnt_tolerance: ClassVar[float] = 0.01
    cells_per_spot: Annotated[float, Interval(gt=0, le=1000)] = 8.0
    """How many cells a spot holds on average, as seen in the histology."""
    detection_alpha: Annotated[float, Interval(gt=0, le=10_000)] = 20.0
    """How alike the sensitivity is over the section: 20 where it varies, 200 where it hardly does."""
    max_epochs: Annotated[int, Interval(ge=1, le=1_000_000), Advanced()] = 30_000
    """Number of steps of the inference."""
    n_samples: Annotated[int, Interval(ge=10, le=100_000), Advanced()] = 1000
    """Number of samples of the posterior."""
    seed: Annotated[int, Interval(ge=0, le=2**31 - 1), Advanced()] = 0
    """Seed of the inference."""
    device: Annotated[Literal["auto", "cpu", "cuda"], Advanced()] = "auto"
    """Where it runs; "auto" takes the fastest that is there."""

    def __call__(self, spots: Spots, reference: Reference, report: Report = silent) -> Proportions:
        """Estimate the proportions of the reference's cell types in each spot.

        Raises
        ------
        MissingDependency
            When cell2location is not installed.
        BadInput
            When spots and reference share too few genes.
        """
        self.check_installed()
        report(0.0, "Matching genes")
        shared = shared_genes(spots, reference)
        table, cells = as_tables(shared, reference.types)
        means = _means(cells)
        # the package divides by what a gene or a spot has in all
        genes = (np.asarray(table.X.sum(0)).ravel() > 0) & (means.to_numpy().sum(1) > 0)
        totals = np.asarray(table.X[:, genes].sum(1)).ravel()
        there = totals > 0
        types = tuple(means.columns)
        values = np.full((len(there), len(types)), 1 / len(types))
        abundance = np.zeros(values.shape)
        if there.any():
            found = self._run(table[there][:, genes].copy(), means.loc[genes], part(report, 0.05, 0.95))
            values[there] = found / found.sum(1, keepdims=True)
            rna = values[there] * means.loc[genes].to_numpy().sum(0)
            abundance[there] = rna / rna.sum(1, keepdims=True) * totals[there, None]
        report(1.0, f"Proportions of {len(types)} cell types")
        values = obeying(values, types, spots.constraints)
        return Proportions(values, types, abundance=abundance, empty=~there)

    def _run(self, table: Any, means: Any, report: Report) -> Array:
        """Return the (n, t) posterior means of the abundance."""
        import scvi
        from cell2location.models import Cell2location as Model

        scvi.settings.seed = self.seed
        Model.setup_anndata(adata=table)
        model = Model(
            table,
            cell_state_df=means,
            N_cells_per_location=self.cells_per_spot,
            detection_alpha=self.detection_alpha,
        )
        device = choose(self.device)
        accelerator = {"cuda": "gpu"}.get(device, "cpu")
        model.train(
            max_epochs=self.max_epochs,
            batch_size=None,
            train_size=1,
            accelerator=accelerator,
            enable_progress_bar=False,
            callbacks=[_telling(part(report, 0.0, 0.9), self.max_epochs)],
        )
        report(0.9, "Sampling the posterior")
        sampling = {"num_samples": self.n_samples, "batch_size": table.n_obs, "accelerator": accelerator}
        table = model.export_posterior(table, sample_kwargs=sampling, add_to_obsm=["means"])
        return np.maximum(np.asarray(table.obsm["means_cell_abundance_w_sf"], dtype=np.float64), 1e-12)


def _means(cells: Any) -> Any:
    """Return a DataFrame of mean counts, one row a gene and one column a cell type."""
    import pandas as pd

    kinds = cells.obs["cell_type"].to_numpy().astype(str)
    names = np.unique(kinds)
    columns = {name: np.asarray(cells.X[np.flatnonzero(kinds == name)].mean(0)).ravel() for name in names}
    return pd.DataFrame(columns, index=cells.var_names)


def _telling(report: Report, epochs: int) -> Any:
    """Return a callback of the trainer that reports each epoch, which is also where Stop is heard."""
    from lightning.pytorch.callbacks import Callback

    class Telling(Callback):  # type: ignore[misc]  # untyped where it is not installed
        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            report(min(trainer.current_epoch / epochs, 1.0), "Fitting the model")

    return Telling()
