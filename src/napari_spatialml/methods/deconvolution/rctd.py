"""RCTD, by the package rctd-py where the person has installed it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from ...core.box_simplex import obeying
from ...core.deconvolution import Deconvolver, Proportions, Reference, Spots
from ...core.device import choose
from ...core.method import Advanced, Interval, Means, method
from ...core.report import Report, part, promptly, silent
from ...core.signatures import shared_genes
from ...core.whole_tables import as_tables
from ...errors import BadInput, MissingWeights

Array = npt.NDArray[np.float64]
TABLES = "https://github.com/p-gueguen/rctd-py/releases/download/v0.1.1/q_matrices.npz"


@method(
    title="RCTD",
    citation="Cable et al. 2022, doi:10.1038/s41587-021-00830-w",
    requires=("rctd", "torch"),
    extra="rctd",
)
class Rctd(Deconvolver):
    """Robust cell type decomposition: Poisson-lognormal counts with gene factors, by the package rctd-py.

    The package is published under the GPL, and is called only where you have installed it. It reads tables of
    its likelihood from a file that has to be on this machine; nothing is fetched. Shares are of RNA, as the
    package gives them. Types with few cells and shallow spots, which it leaves out on its own, are kept.

    Notes
    -----
    Run with the package, version 0.4.0, on the processor, with tables that its own function makes for one
    ``sigma``; the published tables, with which it estimates sigma, were not at hand.
    """

    learnt_tolerance: ClassVar[float] = 0.01
    mode: Literal["full", "doublet"] = "full"
    """"full" lets a spot hold any types; "doublet" one or two, for small bins and single cells."""
    sigma: Annotated[float, Interval(ge=0, le=2), Means(0, "estimate", 1.0), Advanced()] = 0.0
    """Standard deviation of the logarithm of the noise; 0 estimates it."""
    device: Annotated[Literal["auto", "cpu", "cuda"], Advanced()] = "auto"
    """Where it runs; "auto" takes the fastest that is there."""

    def __call__(self, spots: Spots, reference: Reference, report: Report = silent) -> Proportions:
        """Estimate the proportions of the reference's cell types in each spot.

        Raises
        ------
        MissingDependency
            When rctd-py is not installed.
        MissingWeights
            When the tables of its likelihood are not on this machine.
        BadInput
            When spots and reference share too few genes, or the package refuses them.
        """
        self.check_installed()
        _check_tables()
        report(0.0, "Matching genes")
        shared = shared_genes(spots, reference)
        tables = as_tables(shared, reference.types)
        types = tuple(np.unique(reference.types).tolist())
        pool = ThreadPoolExecutor(1)
        try:
            found = promptly(lambda inner: self._run(*tables, inner), part(report, 0.1, 0.95), pool)
        finally:
            # after Stop what runs there cannot be told; its result is dropped
            pool.shutdown(wait=False)
        values, there = _shares(found, types, int(shared.spots.shape[0]), self.mode)
        report(1.0, f"Proportions of {len(types)} cell types")
        return Proportions(obeying(values, types, spots.constraints), types, empty=~there)

    def _run(self, spots: Any, cells: Any, report: Report) -> Any:
        from rctd import RCTDConfig, run_rctd
        from rctd import Reference as Profiles

        report(0.1, "RCTD is running; it says nothing until it is done")
        device = choose(self.device)
        # compiling kernels takes up to hours at the first run
        settings = RCTDConfig(UMI_min=1, counts_MIN=1, device="cpu" if device == "mps" else device, compile=False)
        override = round(100 * self.sigma) if self.sigma else None
        try:
            profiles = Profiles(cells, cell_type_col="cell_type", cell_min=1, min_UMI=1)
            return run_rctd(spots, profiles, mode=self.mode, config=settings, sigma_override=override)
        except ValueError as error:
            raise BadInput(f"RCTD refuses these tables: {error}", "Choose another method.") from error


def _check_tables() -> None:
    """Raise unless the package will find its tables: without them it would fetch 404 MB."""
    from importlib.util import find_spec

    named = os.environ.get("RCTD_Q_MATRICES")
    found = find_spec("rctd")
    own = Path(next(iter(found.submodule_search_locations or []), "")) if found is not None else Path()
    home = Path.home() / ".cache" / "rctd" / "q_matrices.npz"
    places = [own / "data" / "q_matrices.npz", home]
    if named:
        given = Path(named).expanduser()
        places = [given / "q_matrices.npz" if given.is_dir() else given]
    if not any(place.is_file() for place in places):
        raise MissingWeights(
            "The tables of RCTD's likelihood are not on this machine.", f"Get {TABLES} and save it as {places[-1]}."
        )


def _shares(found: Any, types: tuple[str, ...], n: int, mode: str) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Return (n, t) shares in the order of ``types``, even where the package gave none, and where it did."""
    weights = np.maximum(np.asarray(found.weights, dtype=np.float64), 0)
    if mode == "doublet":
        weights = np.zeros(weights.shape)
        rows, pair = np.arange(len(weights)), np.maximum(np.asarray(found.weights_doublet, dtype=np.float64), 0)
        single = np.asarray(found.spot_class) == 1
        np.add.at(weights, (rows, np.asarray(found.first_type)), np.where(single, 1.0, pair[:, 0]))
        np.add.at(weights, (rows, np.asarray(found.second_type)), np.where(single, 0.0, pair[:, 1]))
    there = np.ones(n, bool) if found.pixel_mask is None else np.array(found.pixel_mask, dtype=bool)
    total = weights.sum(1)
    there[np.flatnonzero(there)[total <= 0]] = False
    values = np.full((n, len(types)), 1 / len(types))
    values[there] = 0
    at = np.array([types.index(str(name)) for name in found.cell_type_names])
    values[np.ix_(there, at)] = weights[total > 0] / total[total > 0, None]
    return values, there
