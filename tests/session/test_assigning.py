"""Every transcript is counted once, whatever way it is read; and what the hand changes later follows."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from spatialdata import SpatialData
from spatialdata.models import Image2DModel, Labels2DModel, PointsModel
from spatialdata.transformations import Affine, Scale

from napari_spatialml.core.report import silent
from napari_spatialml.errors import BadInput, Cancelled
from napari_spatialml.methods import method
from napari_spatialml.session import SegmentationSelection, Session, assigning, correct, outdated, run
from napari_spatialml.session.assigning import Task, assign_all
from napari_spatialml.session.counted_cells import unassigned_by_gene
from napari_spatialml.session.counting import INTENSITIES, NUCLEAR, SUMS
from napari_spatialml.session.transcript_source import Choice
from napari_spatialml.session.transcripts import index_of, opened_index

from .test_counts import do, steps

warnings.simplefilter("ignore")
SIZE, N, UM = 72, 1500, 0.5
FULL = {"labels": "nuclei", "quality": 20.0, "controls": False, "nuclei": "kernels", "image": "dapi"}
GENES = ["a", "b", "NegControlProbe_00042", "BLANK_0001", "never"]


def frame_of(seed: int, n: int = N) -> pd.DataFrame:
    """Return transcripts on pixel borders, outside, nowhere, of no gene, and some twice."""
    rng = np.random.default_rng(seed)
    um = rng.uniform(-4, 44, (n, 2))
    um[: n // 3] = np.round(um[: n // 3] * 2) / 2
    genes = pd.Categorical(rng.choice(GENES[:4], n), categories=GENES)
    frame = pd.DataFrame({"x": um[:, 1], "y": um[:, 0], "gene": genes, "qv": rng.uniform(0, 40, n), "z": um[:, 0]})
    frame.loc[::50, "y"] = np.nan
    frame.loc[7::60, "gene"] = None
    frame.loc[3::90, "qv"] = np.nan
    return pd.concat([frame, frame[:20]], ignore_index=True)


def section(tmp_path: Path | None = None, seed: int = 0, n: int = N, cells: Any = None, z: bool = False) -> Session:
    """Return a section with nine cells, each with a nucleus, that nobody has counted yet."""
    high = {"z": "z"} if z else {}
    rng = np.random.default_rng(seed)
    labels, kernels = np.zeros((SIZE, SIZE), np.int32), np.zeros((SIZE, SIZE), np.int32)
    for number in range(9):
        y, x = (22 * k for k in divmod(number, 3))
        labels[4 + y : 20 + y, 3 + x : 22 + x] = kernels[8 + y : 14 + y, 8 + x : 15 + x] = number + 1
    frame = frame_of(seed, n)
    if tmp_path is not None:
        dd.from_pandas(frame, npartitions=3).to_parquet(tmp_path / "rna")
        frame = dd.read_parquet(tmp_path / "rna")
    image = (rng.integers(0, 9_000, (2, SIZE, SIZE)) + 50_000 * (kernels > 0)).astype(np.uint16)
    placed = {"global": Scale([UM, UM], ("x", "y"))}
    turned = {"global": Affine([[0.6, -0.8, 12.0], [0.8, 0.6, -4.0], [0, 0, 1]], ("x", "y"), ("x", "y"))}
    sdata = SpatialData(
        images={
            "dapi": Image2DModel.parse(
                image, dims=("c", "y", "x"), c_coords=["dapi", "membrane"], transformations=placed
            )
        },
        labels={
            name: Labels2DModel.parse(values, dims=("y", "x"), transformations=dict(placed))
            for name, values in (("nuclei", labels if cells is None else cells), ("kernels", kernels))
        },
        points={
            "rna": PointsModel.parse(
                frame, feature_key="gene", coordinates={"x": "x", "y": "y"} | high, transformations=turned
            )
        },
        attrs={"spatialml": {"version": 1, "um_per_unit": {"global": 1.0}}},
    )
    return Session.start(sdata)


def expected(session: Session, frame: pd.DataFrame, chosen: Any) -> pd.DataFrame:
    """Return the counts by a loop over every transcript."""
    labels = session.document.grid("nuclei").read()
    made = pd.DataFrame(0, np.unique(labels[labels != 0]), GENES)
    for i, (y, x, gene) in enumerate(zip(frame["y"], frame["x"], frame["gene"], strict=True)):
        v, u = (0.8 * x + 0.6 * y - 4.0) / UM, (0.6 * x - 0.8 * y + 12.0) / UM
        if chosen[i] and not pd.isna(gene) and 0 <= v < SIZE and 0 <= u < SIZE and labels[int(v), int(u)]:
            made.loc[labels[int(v), int(u)], gene] += 1
    return made


def check_law(session: Session) -> None:
    """The table is the one that counting everything anew would make."""
    document = session.document
    held, about = document.table("nuclei_table"), document.attribute("segmentations")["nuclei"]
    found = assign_all(document, Task("nuclei", "rna", Choice(20.0, False), "kernels", "dapi"))
    assert held.obs["instance_id"].tolist() == found.cells.ids.tolist()
    assert tuple(held.var_names) == found.genes
    for part in ("data", "indices", "indptr"):
        assert np.array_equal(getattr(held.X, part), getattr(found.cells.counts, part)), "the counts"
    np.testing.assert_array_equal(held.obsm[SUMS].to_numpy(), found.cells.channels)
    np.testing.assert_allclose(
        held.obsm[INTENSITIES], held.obsm[SUMS].to_numpy() / found.cells.pixels[:, None], rtol=1e-6
    )
    np.testing.assert_allclose(held.obs["area_um2"], found.cells.pixels * UM**2)
    total = np.asarray(held.X.sum(1)).ravel()
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(held.obs[NUCLEAR], found.cells.nuclear / total)
    assert about["unassigned"] == found.unassigned
    assert unassigned_by_gene(held).sum() == found.transcripts.sum() - total.sum()


@pytest.mark.parametrize("way", ["memory", "parquet", "index", "rounds"])
def test_counts_equal_a_loop_whatever_way_the_points_are_read(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assigning, "BLOCK", 16)
    if way == "rounds":
        monkeypatch.setattr(assigning, "ROUND", 300)
    session = section(None if way == "memory" else tmp_path)
    document, frame, choice = session.document, frame_of(0), Choice(20.0, False)
    if way == "index":
        index_of(document, "rna", choice=choice)
    assert (opened_index(document, "rna", choice) is not None) == (way == "index")
    told: list[float] = []
    found = assign_all(document, Task("nuclei", "rna", choice, "kernels"), lambda f, _m="": told.append(f))
    chosen = (frame["qv"] >= 20).to_numpy()
    assert found.genes == ("a", "b"), "neither controls nor genes that do not occur"
    assert np.array_equal(found.cells.counts.toarray(), expected(session, frame, chosen)[["a", "b"]].to_numpy())
    control = frame["gene"].isin(GENES[2:4]).to_numpy() & frame["y"].notna().to_numpy() & chosen
    assert found.left_out == {"controls": control.sum(), "chosen otherwise": (~chosen).sum()}
    assert found.total == chosen.sum() - control.sum()
    assert told == sorted(told) and told[-1] == 1.0
    session.close()


def test_only_transcripts_of_a_height_count() -> None:
    session, frame = section(z=True), frame_of(0)
    found = assign_all(session.document, Task("nuclei", "rna", Choice(z=(10.0, 20.0))))
    chosen = ((frame["z"] >= 10) & (frame["z"] < 20)).to_numpy()
    assert np.array_equal(found.cells.counts.toarray(), expected(session, frame, chosen)[list(found.genes)].to_numpy())
    session.close()


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(sequence=st.lists(steps, min_size=1, max_size=6))
def test_after_any_corrections_the_table_is_that_of_a_new_assignment(sequence: list[Any]) -> None:
    session = section()
    session.execute(correct(session.document, "count-transcripts", **FULL))
    check_law(session)
    for step in sequence:
        do(session, step)
        check_law(session)
    session.jump(0)
    assert "nuclei_table" not in session.document.names("tables"), "one undo takes all of it back"
    session.close()


def test_counting_again_replaces_the_counts_and_keeps_what_else_is_known() -> None:
    session = section()
    session.execute(correct(session.document, "count-transcripts", labels="nuclei"))
    assert list(session.document.table("nuclei_table").var_names) == sorted(GENES[:4])
    session.document.table("nuclei_table").obs["domain"] = pd.Categorical(list("ABABABABA"))
    label = correct(session.document, "count-transcripts", **FULL)
    session.execute(label)
    assert "controls" in label.label and "of lower quality" in label.label
    table = session.document.table("nuclei_table")
    assert list(table.var_names) == ["a", "b"] and table.obs["domain"].tolist() == list("ABABABABA")
    check_law(session)
    session.undo()
    assert list(session.document.table("nuclei_table").var_names) == sorted(GENES[:4])
    session.close()


@pytest.mark.parametrize("n", [0, 1])
def test_no_transcripts_or_no_cells_make_an_empty_table(n: int) -> None:
    session = section(n=n, cells=np.zeros((SIZE, SIZE), np.int16))
    session.execute(correct(session.document, "count-transcripts", labels="nuclei"))
    assert session.document.table("nuclei_table").shape[0] == 0
    session.close()


def test_ids_of_any_size_are_counted() -> None:
    cells = np.zeros((SIZE, SIZE), np.uint64)
    cells[10:40, 10:40] = 2**62 + 1
    session = section(cells=cells)
    session.execute(correct(session.document, "count-transcripts", labels="nuclei"))
    assert session.document.table("nuclei_table").obs["instance_id"].tolist() == [2**62 + 1]
    session.close()


def test_stop_ends_the_counting() -> None:
    session = section()

    def stop(fraction: float, message: str = "") -> None:
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        assign_all(session.document, Task("nuclei", "rna"), stop)
    assign_all(session.document, Task("nuclei", "rna"), silent)
    session.close()


def test_what_cannot_be_counted_is_said() -> None:
    session = section()
    for arguments, said in (
        ({"points": "none"}, "no transcripts"),
        ({"nuclei": "dapi"}, "no labels 'dapi'"),
        ({"image": "nothing"}, "no element 'nothing'"),
    ):
        with pytest.raises(Exception, match=said):
            correct(session.document, "count-transcripts", labels="nuclei", **arguments)
    del session.document.element("rna").attrs["spatialdata_attrs"]["feature_key"]
    with pytest.raises(BadInput, match="no transcripts"):
        correct(session.document, "count-transcripts", labels="nuclei")
    session.close()


def test_nuclei_that_were_corrected_make_the_counts_old() -> None:
    session = section()
    session.execute(correct(session.document, "count-transcripts", **FULL))
    assert outdated(session) == ()
    session.execute(correct(session.document, "delete-cells", labels="kernels", cells=[2]))
    (old,) = outdated(session)
    assert old.kind == "counts" and old.name == "nuclei_table" and old.record["arguments"]["quality"] == 20.0
    session.execute(correct(session.document, "count-transcripts", **old.record["arguments"]))
    assert outdated(session) == () and session.document.table("nuclei_table").obs[NUCLEAR].iloc[1] == 0
    session.close()


@pytest.mark.parametrize("in_tiles", [False, True])
def test_cells_that_are_found_anew_count_the_same_transcripts_as_before(in_tiles: bool, tmp_path: Path) -> None:
    session = section(tmp_path)
    document = session.document
    session.execute(correct(document, "count-transcripts", **FULL))
    selection = SegmentationSelection("dapi", ("dapi",), output="nuclei", tile=48 if in_tiles else 0)
    run(session, method("segmentation", "watershed")(diameter_um=4.0), selection)
    table, about = document.table("nuclei_table"), document.attribute("segmentations")["nuclei"]
    found = assign_all(document, Task("nuclei", "rna", Choice(20.0, False)))
    assert about["choice"] == {"quality": 20.0, "controls": False}
    assert tuple(table.var_names) == found.genes == ("a", "b")
    assert np.array_equal(table.X.toarray(), found.cells.counts.toarray()) and table.X.sum() > 0
    assert about["unassigned"] == found.unassigned
    assert unassigned_by_gene(table).sum() == found.transcripts.sum() - table.X.sum()
    session.close()
