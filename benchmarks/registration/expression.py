"""Consecutive sections by expression, beside POT's fused Gromov–Wasserstein on the same objective, and centring."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spatialml.core import Affine, Pair
from napari_spatialml.core.neighbour_coupling import neighbour_coupling
from napari_spatialml.core.section_evidence import Sections
from napari_spatialml.core.shared_expression import shared_expression
from napari_spatialml.core.transfer import push_labels
from napari_spatialml.core.transport import fused_gromov_wasserstein, fused_objective
from napari_spatialml.methods import method
from tests.acceptance.test_expression_registration import breast, bulb, dlpfc, spun
from tests.core.simulated_sections import section_pair

from ..figures import Figure
from .expression_moscot import beside_moscot

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
PEER = "NAPARI_SPATIALML_PEER_REGISTRATION"
STARTS = int(os.environ.get("NAPARI_SPATIALML_STARTS", "20"))
ALPHA, PLACES = 0.5, 600
MOST_SECONDS = 200
"""What POT is given for one pair."""
Codes = npt.NDArray[np.int64]
Found = Iterator[tuple[str, Figure]]


def measure() -> Found:
    """Yield what is reached from random starts, the layers carried over, and seconds beside POT."""
    yield from _simulated()
    if not DATA.is_dir():
        print(f"NOT MEASURED ON REAL SECTIONS: there is no folder {DATA}.")
        return
    for read in (breast, bulb, dlpfc):
        pair = read(DATA)
        yield from _starts(read.__name__, pair)
        yield from _beside_pot(read.__name__, pair)
    yield from _layers()


def _register(pair: Pair) -> Any:
    return method("registration", "consecutive-sections")()(pair)


def _simulated() -> Found:
    """Related pairs are to be placed, and unrelated ones to be warned of."""
    misses, warned = [], 0
    for seed in range(10):
        made = section_pair(100 + seed, overlap=(1.0, 0.8, 0.6)[seed % 3])
        found = _register(made.pair)
        points = made.pair.moving.points
        misses.append(np.median(np.linalg.norm(found.transform.apply(points) - made.truth.apply(points), axis=1)))
        warned += bool(_register(section_pair(100 + seed, related=False).pair).trust.warning)
    data = "simulated sections, 50 to 100 % overlap, spots 240 µm apart"
    placed = float(np.mean(np.array(misses) < 240.0))
    yield "placed within a spot", Figure(100 * placed, "%", 90.0, lower_is_better=False, data=data, seed=100)
    yield "median error", Figure(float(np.median(misses)), "µm", 120.0, data=data, seed=100)
    yield "unrelated pairs with a warning", Figure(10.0 * warned, "%", 90.0, lower_is_better=False, data=data, seed=100)


def _starts(name: str, pair: Pair) -> Found:
    turns, flips, seconds = list[float](), list[bool](), list[float]()
    for seed in range(STARTS):
        moved, away = spun(pair, seed)
        start = time.process_time()
        found = _register(moved)
        seconds.append(time.process_time() - start)
        whole = found.transform @ away
        turns.append(whole.rotation_degrees)
        flips.append(whole.reflects)
    right = (np.abs(np.array(turns) - np.median(turns)) < 3) & ~np.array(flips)
    yield (
        f"{name}: rotation and reflection right",
        Figure(float(right.sum()), f"of {STARTS}", float(STARTS), lower_is_better=False, data=name, seed=0),
    )
    yield f"{name}: seconds", Figure(float(np.median(seconds)), "s", data=name, seed=0)
    codes = _layer_codes()[:2] if name == "dlpfc" else None
    yield from beside_moscot(name, moved, found, away, float(np.median(turns)), float(np.median(seconds)), codes)


def _beside_pot(name: str, pair: Pair) -> Found:
    """Compare seconds and objective of the whole sections, and of about `PLACES` places a side where there are more."""
    peer = os.environ.get(PEER)
    if not peer:
        print(f"NOT COMPARED: {PEER} names no Python with POT.")
        return
    shared = shared_expression(pair.fixed.features, pair.moving.features, pair.fixed.points, pair.moving.points)
    whole = Sections(pair.fixed.points, pair.moving.points, shared.fixed, shared.moving)
    fewer = whole.fewer(PLACES)
    yield from _transported(f"{name}: whole sections", whole, peer)
    if fewer is not whole:
        yield from _transported(f"{name}: averaged on a grid", fewer, peer)


def _transported(name: str, sections: Sections, peer: str) -> Found:
    """Give both the same points and features, with distances on a plane; POT makes its matrices of them."""
    still, values = sections.fields(1.3)
    points, features = (sections.moving, sections.fixed), (values, still.at(sections.fixed)[0])
    ours = min(_timed(lambda: fused_gromov_wasserstein(points, features, ALPHA)) for _ in range(3))
    reached = fused_gromov_wasserstein(points, features, ALPHA).objective
    data = f"{name}, {len(points[0])} × {len(points[1])} places, one thread"
    with tempfile.TemporaryDirectory() as folder:
        held, plans = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(held, x=points[0], y=points[1], f=features[0], g=features[1], alpha=ALPHA)
        try:
            theirs = _pot(peer, held, plans)
        except subprocess.TimeoutExpired:
            print(f"NOT COMPARED: POT did not end within {MOST_SECONDS} s on {data}; ours took {ours:.2f} s.")
            return
        except subprocess.CalledProcessError as failure:
            print(f"NOT COMPARED: POT failed: {failure.stderr.strip().splitlines()[-1:]}")
            return
        objective = fused_objective(points, features, np.load(plans)["plan"], ALPHA)
    share = Figure(ours / theirs, "", 0.1, peer="POT, seconds", peer_value=theirs, data=data)
    yield f"{name}: seconds of transport, share of POT's", share
    more = Figure(reached / objective, "", 1.1, peer="POT, objective", peer_value=objective, data=data)
    yield f"{name}: objective, share of POT's", more


def _pot(peer: str, held: Path, plans: Path) -> float:
    """Return the seconds of POT's conditional gradient, to its own tolerance, and leave its plan in ``plans``."""
    script = Path(__file__).with_name("expression_peer.py")
    told = subprocess.run(
        [peer, str(script), str(held), str(plans)],
        capture_output=True,
        text=True,
        check=True,
        timeout=MOST_SECONDS,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return float(json.loads(told.stdout.strip().splitlines()[-1]))


def _timed(action: Any) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def _layer_codes() -> tuple[Codes, Codes, int]:
    """Return the layers of both sections as numbers, -1 unknown, and how many there are."""
    import anndata

    read = [anndata.read_h5ad(DATA / "dlpfc" / f"{name}.h5ad").obs["layer"].astype(str) for name in (151673, 151675)]
    names = sorted(set(read[0]) - {"nan", "None", ""})
    fixed, moving = (np.array([names.index(v) if v in names else -1 for v in one]) for one in read)
    return fixed, moving, len(names)


def _layers() -> Found:
    fixed, moving, n = _layer_codes()
    pair = dlpfc(DATA)
    centring = Affine.translation(*(pair.fixed.points.mean(0) - pair.moving.points.mean(0)))
    # the nearest spot, however far
    plain = neighbour_coupling(centring.apply(pair.moving.points), pair.fixed.points, 1, 1e12).T
    shares = []
    for coupling in (plain, _register(pair).coupling):
        labels = push_labels(moving, n, coupling).labels(0.0)
        shares.append(float((labels == fixed)[fixed >= 0].mean()))
    yield (
        "dlpfc: layers carried over",
        Figure(shares[1], "", shares[0], False, peer="centring alone", peer_value=shares[0], data="151673, 151675"),
    )
