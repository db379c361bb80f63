"""Counts follow the pencil: after any corrections the table is the one that counting from scratch gives."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from spatialdata import SpatialData
from spatialdata.models import Image2DModel, PointsModel
from spatialdata.transformations import Affine, Scale

from napari_spatialml.core import Masks
from napari_spatialml.errors import BadInput, DocumentError
from napari_spatialml.session import SegmentationSelection, Session, correct, counting
from napari_spatialml.session.cells import measure
from napari_spatialml.session.command import Command
from napari_spatialml.session.corrections import packed
from napari_spatialml.session.counting import INTENSITIES, count_all
from napari_spatialml.session.gather import full_resolution, pixel_size
from napari_spatialml.session.store import store
from napari_spatialml.session.summary import what_changed

warnings.simplefilter("ignore")
SIZE, N = 72, 900
SELECTION = SegmentationSelection("dapi", region=(4, 4 + SIZE, 8, 8 + SIZE))


def section(seed: int = 0) -> Session:
    """Return a section whose transcripts lie turned, on pixel borders, outside and nowhere; nine cells."""
    rng = np.random.default_rng(seed)
    image = Image2DModel.parse(
        rng.integers(0, 255, (2, 90, 96)).astype(np.uint8),
        dims=("c", "y", "x"),
        c_coords=["dapi", "membrane"],
        transformations={"global": Scale([0.5, 0.5], ("x", "y"))},
    )
    um = rng.uniform(-3, 48, (N, 2))
    um[: N // 3] = np.round(um[: N // 3] * 2) / 2  # on the borders of pixels
    frame = pd.DataFrame({"x": um[:, 1], "y": um[:, 0] - 10.0, "gene": pd.Categorical(rng.choice(list("abcd"), N))})
    frame.loc[::50, "y"] = np.nan
    frame.loc[7::60, "gene"] = None
    placed = {"global": Affine([[1.0, 0.0, 0.0], [0.0, 1.0, 10.0], [0, 0, 1]], ("x", "y"), ("x", "y"))}
    rna = PointsModel.parse(frame, feature_key="gene", coordinates={"x": "x", "y": "y"}, transformations=placed)
    attrs = {"spatialml": {"version": 1, "um_per_unit": {"global": 1.0}}}
    session = Session.start(SpatialData(images={"dapi": image}, points={"rna": rna}, attrs=attrs))
    labels = np.zeros((SIZE, SIZE), np.int32)
    for number in range(9):
        y, x = divmod(number, 3)
        labels[4 + 22 * y : 20 + 22 * y, 3 + 22 * x : 22 + 22 * x] = number + 1
    changes, _line = store(session.document, SELECTION, Masks(labels))
    session.execute(Command("segment", tuple(changes), {}))
    return session


def check_from_scratch(session: Session) -> None:
    """The table equals one that is measured and counted on the labels as they are now."""
    document = session.document
    labels, table = document.grid("nuclei").read(), document.table("nuclei_table")
    image = full_resolution(document, "dapi").isel(y=slice(4, None), x=slice(8, None))
    fresh = measure(labels, image, name="nuclei", pixel_size_um=pixel_size(document, "nuclei"))
    cells = np.unique(labels)[1:]
    counts = count_all(document, "rna", labels, document.affine("nuclei"), cells)
    assert table.obs_names.tolist() == [str(c) for c in cells]
    for part in ("data", "indices", "indptr"):
        assert np.array_equal(getattr(table.X, part), getattr(counts.values, part)), "the counts"
    for column in ("area_um2", "centroid_y_um", "centroid_x_um", "diameter_um"):
        np.testing.assert_allclose(table.obs[column], fresh.obs[column], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(table.obsm[INTENSITIES].to_numpy(), fresh.X, rtol=1e-6)
    assert table.obs["total_counts"].tolist() == table.X.sum(1).astype(int).ravel().tolist()[0]
    assert table.obs["n_genes"].tolist() == (table.X > 0).sum(1).ravel().tolist()[0]
    np.testing.assert_allclose(table.obs["density"] * table.obs["area_um2"], table.obs["total_counts"])
    about = document.attribute("segmentations")["nuclei"]
    assert about["transcripts"] == "rna"
    assert table.X.sum() + about["unassigned"] == N, "assigned and unassigned are all"


@pytest.mark.parametrize("rows", [7, 2048])
def test_counts_equal_a_loop_over_every_transcript(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_ROWS", rows)
    session = section()
    document = session.document
    labels, table = document.grid("nuclei").read(), document.table("nuclei_table")
    frame = document.element("rna").compute()
    expected = pd.DataFrame(0.0, table.obs_names, list("abcd"))
    for y, x, gene in zip(frame["y"] + 10.0, frame["x"], frame["gene"], strict=True):
        i, j = y / 0.5 - 4, x / 0.5 - 8
        if not pd.isna(gene) and 0 <= i < SIZE and 0 <= j < SIZE and labels[int(i), int(j)]:
            expected.loc[str(labels[int(i), int(j)]), gene] += 1
    assert list(table.var_names) == list("abcd")
    assert np.array_equal(table.X.toarray(), expected.to_numpy())
    assert list(table.obsm[INTENSITIES].columns) == ["dapi", "membrane"]
    check_from_scratch(session)
    session.close()


cells = st.integers(1, 10)
edges = st.integers(0, SIZE)
steps = st.one_of(
    st.tuples(st.just("merge-cells"), st.lists(cells, min_size=2, max_size=3, unique=True)),
    st.tuples(st.just("delete-cells"), st.lists(cells, min_size=1, max_size=9, unique=True)),
    st.tuples(st.just("split-cell"), cells, st.lists(st.tuples(edges, edges).map(list), min_size=2, max_size=2)),
    st.tuples(st.just("paint"), edges, edges, st.integers(1, 30), st.integers(1, 30), st.integers(0, 12)),
    st.tuples(st.just("draw-cell"), st.lists(st.tuples(edges, edges).map(list), min_size=3, max_size=5)),
    st.tuples(st.sampled_from(["undo", "redo"])),
)


def do(session: Session, step: Any) -> None:
    """One step; what cannot be done here is refused."""
    name, *rest = step
    if name in ("undo", "redo"):
        if name == "redo" or session.position > 1:
            getattr(session, name)()
        return
    given: dict[str, Any] = {"labels": "nuclei"}
    if name == "paint":
        y, x, h, w, value = rest
        name, y, x = "paint-labels", min(y, SIZE - h), min(x, SIZE - w)
        given |= {"offset": [y, x], "values": packed(np.full((h, w), value, np.int32))}
    elif name == "split-cell":
        given |= {"cell": rest[0], "line": rest[1]}
    else:
        given["outline" if name == "draw-cell" else "cells"] = rest[0]
    try:
        session.execute(correct(session.document, name, **given))
    except BadInput:
        return


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(sequence=st.lists(steps, min_size=1, max_size=8))
def test_after_any_corrections_the_table_is_that_from_scratch(sequence: list[Any]) -> None:
    session = section()
    start = session.document.fingerprints()
    for step in sequence:
        do(session, step)
        check_from_scratch(session)
    end, position = session.document.fingerprints(), session.position
    session.jump(1)
    assert session.document.fingerprints() == start, "an undo left something behind"
    session.jump(position)
    assert session.document.fingerprints() == end
    session.close()


def test_a_saved_section_counts_on_when_it_is_opened_again(tmp_path: Path) -> None:
    session = section()
    session.save(tmp_path / "section.zarr")
    session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=list(range(1, 10))))
    assert session.document.attribute("segmentations")["nuclei"]["unassigned"] == N
    session.save()
    session.close()
    again = Session.open_store(tmp_path / "section.zarr")
    corner = [[2.0, 2.0], [2.0, 40.0], [40.0, 40.0], [40.0, 2.0]]
    again.execute(correct(again.document, "draw-cell", labels="nuclei", outline=corner))
    check_from_scratch(again)
    assert again.document.table("nuclei_table").X.sum() > 0
    again.undo()
    again.undo()
    check_from_scratch(again)
    again.close()


def test_cells_in_two_parts_far_from_each_other_are_measured_whole() -> None:
    session = section()
    values = np.full((3, 3), 1, np.int32)  # a part of cell 1 in the far corner
    arguments = {"labels": "nuclei", "offset": [SIZE - 3, SIZE - 3], "values": packed(values)}
    session.execute(correct(session.document, "paint-labels", **arguments))
    check_from_scratch(session)
    arguments = {"labels": "nuclei", "offset": [3, 3], "values": packed(np.zeros((2, 2), np.int32))}
    session.execute(correct(session.document, "paint-labels", **arguments))
    check_from_scratch(session)
    session.close()


def test_a_correction_is_refused_in_words_once_its_transcripts_are_gone() -> None:
    session = section()
    session.execute(correct(session.document, "remove-element", name="rna"))
    before = session.document.fingerprints()
    with pytest.raises(DocumentError, match="'rna', which the cells count, are not in the section"):
        correct(session.document, "merge-cells", labels="nuclei", cells=[1, 2])
    assert session.document.fingerprints() == before
    session.undo()
    session.execute(correct(session.document, "merge-cells", labels="nuclei", cells=[1, 2]))
    check_from_scratch(session)
    session.close()


def test_the_history_says_what_became_of_the_counts() -> None:
    session = section()
    table = session.document.table("nuclei_table")
    one, two = (int(table.obs.loc[c, "total_counts"]) for c in ("1", "2"))
    session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=[2]))
    entry = session.history[-1]
    assert entry.label == "delete cell 2 in nuclei"
    assert entry.record["summary"] == f"cell 2: gone, it had {two} counts"
    rows = table[["1"]]
    grown = rows.copy()
    grown.X = rows.X + np.array([[0, 14, -9, 2]], np.float32)
    grown.obs["total_counts"] = one + 7
    assert what_changed(rows, grown) == f"cell 1: {one} → {one + 7} counts, b +14, c −9"
    assert what_changed(rows, rows) == f"cell 1: {one} counts as before"
    assert what_changed(rows[:0], rows) == f"cell 1: new, {one} counts"
    assert what_changed(table, table[3:]).startswith("9 cells: ")
    assert what_changed(table, table[3:]).endswith(" counts, 3 gone")
    assert what_changed(table[["1", "3"]], table[["3"]]).endswith(f"; cell 1: gone, it had {one} counts")
    session.close()
