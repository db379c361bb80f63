"""Graph networks on the same slice: GraphST and STAGATE, in an environment of their own.

That environment is named by ``NAPARI_SPATIALML_PEER_DOMAINS`` (its Python, with graphst-modern and stagate-modern);
where it is not named, or a peer is not in it, its rows are left out. The networks train for as many epochs as their
tutorials say times ``NAPARI_SPATIALML_PEER_DOMAINS_TRAINED`` (a share, 1 by default): on one thread they take tens
of minutes. Their rows have two final clusterers, on the same embedding: the one they recommend, and ours.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from napari_spatialml.core.domains import Embedded
from napari_spatialml.methods import method

from ..figures import Figure
from .sections import SLICES, Known, dlpfc, prepared

__all__ = ["PEER", "measure"]

PEER = "NAPARI_SPATIALML_PEER_DOMAINS"
TRAINED = "NAPARI_SPATIALML_PEER_DOMAINS_TRAINED"
EPOCHS = {"GraphST": 600, "STAGATE": 1000}
"""What their tutorials on this cortex take."""
SEED = 0


@dataclass(frozen=True)
class Answer:
    """A peer's embedding (n, d), its labels (n,), and its seconds of the processor on one thread."""

    embedding: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]
    seconds: float


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield agreement and seconds of the default, each beside a peer's."""
    peer = os.environ.get(PEER)
    if not peer:
        print(f"NOT COMPARED: {PEER} names no Python with graphst-modern and stagate-modern.")
        return
    section = dlpfc(SLICES[0])
    chosen = method("domains", "low-pass-mixture")(n_domains=section.k, seed=SEED)
    start = time.process_time()
    smoothed, found = prepared(chosen, section)
    seconds = time.process_time() - start
    ari = section.ari(found.labels)
    share = float(os.environ.get(TRAINED, "1"))
    for name, whole in EPOCHS.items():
        epochs = max(1, round(share * whole))
        answer = _answer(peer, name, section, epochs)
        if answer is None:
            continue
        trained = f"{name}, {epochs} of {whole} epochs"
        data, better = {"data": section.name, "seed": SEED}, {"lower_is_better": False}
        ways = {
            "its clusterer": answer.labels,
            "our mixture": chosen.divided(Embedded(answer.embedding, smoothed.graph), None).labels,
        }
        for way, labels in ways.items():
            theirs = section.ari(labels)
            print(
                f"{trained}, {way}: ARI {theirs:.3f}, {answer.seconds:.0f} s; the default: {ari:.3f}, {seconds:.1f} s"
            )
            said = {"peer": f"{trained}, {way}", "peer_value": theirs}
            yield f"ARI beside {name}, {way}", Figure(ari, "", None, **better, **data, **said)
        yield f"time beside {name}", Figure(seconds, "s", None, **data, peer=trained, peer_value=answer.seconds)


def _answer(peer: str, name: str, section: Known, epochs: int) -> Answer | None:
    """Return what a peer finds, or None, said, where it is not there or fails."""
    with tempfile.TemporaryDirectory() as folder:
        given, out = Path(folder) / "section.npz", Path(folder) / "found.npz"
        counts = sp.csr_matrix(section.cells.features)
        parts = {part: getattr(counts, part) for part in ("data", "indices", "indptr", "shape")}
        where = section.cells.coordinates
        np.savez(given, coordinates=where, k=section.k, pitch_um=section.pitch_um, **parts)
        script = Path(__file__).with_name("peer_methods.py")
        threads = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")}
        command = [peer, str(script), name, str(given), str(out), str(SEED), str(epochs)]
        told = subprocess.run(command, text=True, capture_output=True, env={**os.environ, **threads})
        if told.returncode:
            print(f"NOT COMPARED: {name}: {told.stderr.strip().splitlines()[-1:]}")
            return None
        held = np.load(out)
        return Answer(held["embedding"], held["labels"].astype(np.int64), float(held["seconds"]))
