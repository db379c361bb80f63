"""Consecutive sections of real tissue, from random rotations and reflections."""

import gzip

import numpy as np
import pytest

from napari_spatialml.core import Affine, Pair, Side
from napari_spatialml.core.neighbour_coupling import neighbour_coupling
from napari_spatialml.core.transfer import push_labels
from napari_spatialml.methods import method

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]
STARTS = 20


def read_h5ad(path, um):
    import anndata

    table = anndata.read_h5ad(path)
    return table, list(table.var_names), table.obsm["spatial"][:, ::-1].astype(float) * um


def side(table, names, points, shared):
    at = {name: k for k, name in enumerate(names)}
    columns = [at[name] for name in shared]
    counts = table.X[:, columns]
    return Side(points=points, features=np.asarray(counts.toarray() if hasattr(counts, "toarray") else counts, float))


def pair_of(first, second) -> Pair:
    shared = [name for name in first[1] if name in set(second[1])]
    return Pair(side(*first, shared), side(*second, shared))


def breast(data):
    return pair_of(*(read_h5ad(data / "breast_sections" / f"section{k}.h5ad", 200.0) for k in (1, 2)))


def dlpfc(data):
    return pair_of(*(read_h5ad(data / "dlpfc" / f"{name}.h5ad", 1.0) for name in ("151673", "151675")))


def bulb(data):
    import anndata
    import pandas as pd

    found = []
    for k in (1, 2):
        folder = data / "olfactory_bulb_he"
        with gzip.open(folder / f"section{k}_counts.tsv.gz", "rt") as opened:
            counts = pd.read_csv(opened, sep="\t", index_col=0)
        spots = pd.read_csv(folder / f"section{k}_spots.tsv.gz", sep="\t")
        spots.index = [f"{x}x{y}" for x, y in zip(spots.x, spots.y, strict=True)]
        spots = spots[spots.selected == 1]
        rows = [name for name in counts.index if name in spots.index]
        # 34.1 px between neighbours on the diagonal, 200 µm on the array
        points = spots.loc[rows, ["pixel_y", "pixel_x"]].to_numpy(float) * 200 / 34.1
        found.append((anndata.AnnData(counts.loc[rows].to_numpy(float)), list(counts.columns), points))
    return pair_of(*found)


def spun(pair: Pair, seed: int) -> tuple[Pair, Affine]:
    generator = np.random.default_rng(seed)
    away = Affine.similarity(1.0, generator.uniform(-180, 180), tuple(generator.normal(0, 3000, 2)), bool(seed % 2))
    moving = Side(points=away.apply(pair.moving.points), features=pair.moving.features)
    return Pair(pair.fixed, moving), away


def register(pair: Pair):
    return method("registration", "consecutive-sections")()(pair)


@pytest.mark.parametrize("read", [breast, bulb, dlpfc])
def test_any_rotation_and_reflection_leads_to_the_same_place(data, read):
    pair = read(data)
    turns = []
    for seed in range(STARTS):
        moved, away = spun(pair, seed)
        found = register(moved)
        whole = found.transform @ away
        assert not whole.reflects, f"start {seed}: turned over"
        assert found.trust.warning == ""
        assert any(one.transform.reflects != found.transform.reflects for one in found.candidates)
        turns.append(whole.rotation_degrees)
    print(read.__name__, "rotation:", np.round(turns, 2))
    assert np.abs(np.array(turns) - np.median(turns)).max() < 3


def test_the_layers_of_a_cortex_are_carried_over_better_than_by_centring(data):
    import anndata

    layers = [
        anndata.read_h5ad(data / "dlpfc" / f"{name}.h5ad").obs["layer"].astype(str) for name in ("151673", "151675")
    ]
    names = sorted(set(layers[0]) - {"nan", "None", ""})
    fixed, moving = (np.array([names.index(v) if v in names else -1 for v in one]) for one in layers)
    pair = dlpfc(data)
    centring = Affine.translation(*(pair.fixed.points.mean(0) - pair.moving.points.mean(0)))
    # the nearest spot, however far
    plain = neighbour_coupling(centring.apply(pair.moving.points), pair.fixed.points, 1, 1e12).T
    carried = [push_labels(moving, len(names), one).labels(0.0) for one in (plain, register(pair).coupling)]
    centred, ours = ((one[fixed >= 0] == fixed[fixed >= 0]).mean() for one in carried)
    print(f"layers carried over: centring {centred:.3f}, registered {ours:.3f}")
    assert ours > max(centred, 0.792)
