"""Consecutive sections by moscot, in an environment of its own, beside ours in the same run."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spatialml.core import Affine, Alignment, Pair, Side
from napari_spatialml.core.movements import fit_movement
from napari_spatialml.core.transfer import push_labels

from ..figures import Figure

__all__ = ["PEER", "beside_moscot"]

PEER = "NAPARI_SPATIALML_PEER_MOSCOT"
_NAME = "moscot, alignment problem"
_MOST_SECONDS = 400
_MOST_SPOTS = 1200
"""Of larger sections moscot is given so many spots by chance: with 3,600 it did not end in that time."""
Array = npt.NDArray[np.float64]
Layers = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def beside_moscot(
    name: str, pair: Pair, found: Alignment, away: Affine, turn: float, seconds: float, layers: Layers | None = None
) -> Iterator[tuple[str, Figure]]:
    """Yield how moscot lays a turned section, and its seconds; a line and nothing where it is absent or fails.

    Parameters
    ----------
    name
        What the sections are called.
    pair
        The sections as both methods get them.
    found
        What ours makes of them.
    away
        How the moving one was turned for it.
    turn
        The rotation in degrees on which our starts agree.
    seconds
        Ours.
    layers
        Codes of layers of the fixed and of the moving spots, -1 unknown.
    """
    python = os.environ.get(PEER)
    if not python:
        print(f"NOT COMPARED with moscot on {name}: {PEER} names no Python that has it.")
        return
    rows = {side: _some(getattr(pair, side)) for side in ("fixed", "moving")}
    few = Pair(*(_only(getattr(pair, side), rows[side]) for side in ("fixed", "moving")))
    try:
        plan, theirs = _solved(python, few)
    except subprocess.TimeoutExpired:
        print(f"NOT COMPARED: moscot did not end within {_MOST_SECONDS} s on {name}.")
        return
    except subprocess.CalledProcessError as failure:
        print(f"NOT COMPARED: moscot failed on {name}: {failure.stderr.strip().splitlines()[-1:]}")
        return
    weights = plan.sum(1)
    seen = weights > 1e-9 * weights.max()
    towards = (plan @ few.fixed.points)[seen] / weights[seen, None]
    whole = fit_movement("rigid", few.moving.points[seen], towards, weights[seen]) @ away
    assert found.coupling is not None
    mine = found.transform @ away
    spots = f"on {plan.shape[0]} × {plan.shape[1]} spots" if plan.shape != found.coupling.shape else "on the same spots"
    said = (
        f"{_NAME}, its defaults, {spots}, one start, rigid movement fitted to its plan{', MIRRORED' * whole.reflects}"
    )
    peer = {"peer": _NAME, "data": f"{name}; {said}"}
    off, gone = (abs((one.rotation_degrees - turn + 180) % 360 - 180) for one in (mine, whole))
    yield f"{name}: beside moscot, degrees off the consensus", Figure(off, "°", peer_value=gone, **peer)
    yield f"{name}: beside moscot, seconds", Figure(seconds, "s", peer_value=theirs, **peer)
    if layers is not None:
        fewer = layers[0][rows["fixed"]], layers[1][rows["moving"]]
        shares = [_carried(found.coupling, layers), _carried(plan, fewer)]
        yield (
            f"{name}: beside moscot, layers carried over",
            Figure(shares[0], "", None, False, peer_value=shares[1], **peer),
        )


def _some(side: Side) -> npt.NDArray[np.int64]:
    """Return the rows of the spots that moscot is given."""
    assert side.points is not None
    n = len(side.points)
    return np.sort(np.random.default_rng(0).permutation(n)[:_MOST_SPOTS])


def _only(side: Side, rows: npt.NDArray[np.int64]) -> Side:
    return Side(points=np.asarray(side.points)[rows], features=np.asarray(side.features)[rows])


def _carried(coupling: Any, layers: Layers) -> float:
    """Return the share of fixed spots whose layer comes over from the moving ones."""
    fixed, moving = layers
    labels = push_labels(moving, int(moving.max()) + 1, coupling).labels(0.0)
    return float((labels == fixed)[fixed >= 0].mean())


def _solved(python: str, pair: Pair) -> tuple[Array, float]:
    """Return the plan (moving, fixed) and the seconds of one thread."""
    with tempfile.TemporaryDirectory() as folder:
        held, plans = Path(folder) / "in.npz", Path(folder) / "out.npz"
        sides = {"fixed": pair.fixed, "moving": pair.moving}
        arrays = {f"{n}_points": s.points for n, s in sides.items()} | {
            f"{n}_counts": s.features for n, s in sides.items()
        }
        np.savez(held, **arrays)
        one_thread = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        told = subprocess.run(
            [python, str(Path(__file__).with_name("moscot_peer.py")), str(held), str(plans)],
            capture_output=True,
            text=True,
            check=True,
            timeout=_MOST_SECONDS,
            env={**os.environ, "OMP_NUM_THREADS": "1", "XLA_FLAGS": one_thread, "JAX_PLATFORMS": "cpu"},
        )
        return np.load(plans)["plan"].astype(np.float64), float(json.loads(told.stdout.strip().splitlines()[-1]))
