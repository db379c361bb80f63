"""What a person is told when a result is older than what it was made from, and values that follow the hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_spatialml.errors import BadInput
from napari_spatialml.io.sample import sample_section
from napari_spatialml.methods import method
from napari_spatialml.session import (
    DomainsSelection,
    SegmentationSelection,
    Session,
    correct,
    outdated,
    run,
)
from napari_spatialml.session.corrections import packed


@pytest.fixture
def session(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(tmp_path / "state"))
    made = Session.start(sample_section())
    run(made, method("segmentation", "watershed")(), SegmentationSelection("dapi", ("DAPI",), (0, 400, 0, 400)))
    yield made
    made.close()


def _two(session: Session) -> list[int]:
    return [int(i) for i in session.document.instances("nuclei_table")[:2]]


def _kinds(session: Session) -> list[str]:
    return [o.kind for o in outdated(session)]


def test_domains_of_cells_are_outdated_by_a_correction_and_not_by_undoing_it(session: Session) -> None:
    mixture = method("domains", "low-pass-mixture")(n_domains=2)
    run(session, mixture, DomainsSelection("nuclei_table"))
    assert outdated(session) == ()
    session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=_two(session)[:1]))
    (told,) = outdated(session)
    assert told.kind == "domains" and told.steps == 1 and "delete cell" in told.sentence
    session.undo()
    assert outdated(session) == ()
    session.redo()
    run(session, mixture, DomainsSelection("nuclei_table"))
    assert outdated(session) == ()


def test_moving_rows_by_hand_does_not_make_domains_old(session: Session) -> None:
    run(session, method("domains", "low-pass-mixture")(n_domains=2), DomainsSelection("spot_counts"))
    session.execute(
        correct(
            session.document, "relabel", table="spot_counts", column="domain", rows=packed(np.arange(3)), value="D2"
        )
    )
    assert outdated(session) == ()


def test_counts_are_outdated_when_the_unit_changes_and_counting_again_mends_it(session: Session) -> None:
    before = session.document.table("nuclei_table").X.copy()
    assert _kinds(session) == []
    matrix = session.document.get(("transforms", "labels", "nuclei", "global"))
    shifted = (np.array(matrix) + np.array([[0, 0, 3.0], [0, 0, 0], [0, 0, 0]])).tolist()
    from napari_spatialml.session.command import Command
    from napari_spatialml.session.store import put

    slot = ("transforms", "labels", "nuclei", "global")
    session.execute(Command("shift", (put(session.document, slot, shifted),), {}))
    assert _kinds(session) == ["counts"]
    session.execute(correct(session.document, "count-transcripts", labels="nuclei"))
    assert outdated(session) == ()
    after = session.document.table("nuclei_table").X
    assert (after != before).nnz > 0
    session.undo()
    session.undo()
    assert _kinds(session) == [] and (before != session.document.table("nuclei_table").X).nnz == 0


def test_counting_again_where_nothing_moved_gives_the_same_table(session: Session) -> None:
    before = session.document.fingerprint(("tables", "nuclei_table"))
    session.execute(correct(session.document, "count-transcripts", labels="nuclei"))
    table = session.document.table("nuclei_table")
    assert session.document.fingerprint(("tables", "nuclei_table")) == before
    assert (table.obs["total_counts"].to_numpy() == np.asarray(table.X.sum(axis=1)).ravel()).all()


@pytest.mark.parametrize("source", ["spot_counts", "msi"])
def test_averages_are_those_of_brute_force_and_follow_every_correction(session: Session, source: str) -> None:
    if source == "msi":
        places = session.document.element("msi_pixels")
        from napari_spatialml.session.command import Command
        from napari_spatialml.session.elements import matrices
        from napari_spatialml.session.store import put

        assert places is not None
        own = matrices(places)["msi"]
        slot = ("transforms", "labels", "msi_pixels", "global")
        session.execute(Command("place", (put(session.document, slot, own),), {}))
    document, name = session.document, f"nuclei_{source}"
    session.execute(correct(document, "average-by-cell", labels="nuclei", table=source))
    _require_equal(document.table(name), _brute(document, source))
    merged = _two(session)
    session.execute(correct(document, "merge-cells", labels="nuclei", cells=merged))
    _require_equal(document.table(name), _brute(document, source))
    session.execute(correct(document, "draw-cell", labels="nuclei", outline=[[2, 2], [2, 60], [14, 60], [14, 2]]))
    _require_equal(document.table(name), _brute(document, source))
    assert outdated(session) == ()
    before = document.fingerprint(("tables", name))
    session.undo()
    session.redo()
    assert document.fingerprint(("tables", name)) == before


def _brute(document: Any, source: str) -> dict[int, np.ndarray[Any, Any]]:
    """Average pixel by pixel, in plain Python."""
    labels, element = document.grid("nuclei").read(), document.annotated(source)
    to_source = document.affine(element).inverse() @ document.affine("nuclei")
    table, instances = document.table(source), document.instances(source).tolist()
    values = table.X.toarray() if hasattr(table.X, "toarray") else np.asarray(table.X)
    found: dict[int, list[int]] = {}
    raster = document.grid(element).read() if document.type_of(element) == "labels" else None
    shapes = None if raster is not None else document.element(element)
    for y, x in zip(*np.nonzero(labels), strict=True):
        rows = found.setdefault(int(labels[y, x]), [])
        sy, sx = to_source.apply(np.array([[y + 0.5, x + 0.5]]))[0]
        if raster is not None:
            i, j = int(np.floor(sy)), int(np.floor(sx))
            inside = 0 <= i < raster.shape[0] and 0 <= j < raster.shape[1]
            if inside and raster[i, j] in instances:
                rows.append(instances.index(raster[i, j]))
        else:
            d = np.hypot(shapes.geometry.y - sy, shapes.geometry.x - sx).to_numpy()
            if d.min() <= shapes["radius"].to_numpy()[d.argmin()]:
                rows.append(instances.index(shapes.index[d.argmin()]))
    return {k: values[r].mean(axis=0) if r else np.full(values.shape[1], np.nan) for k, r in found.items()}


def _require_equal(table: Any, wanted: dict[int, Any]) -> None:
    ids = table.obs["instance_id"].tolist()
    assert ids == sorted(wanted)
    np.testing.assert_allclose(np.asarray(table.X), np.stack([wanted[i] for i in ids]), rtol=1e-4, equal_nan=True)


def test_averages_need_a_common_frame(session: Session) -> None:
    with pytest.raises(BadInput, match="no common coordinate system"):
        correct(session.document, "average-by-cell", labels="nuclei", table="msi")
    with pytest.raises(BadInput, match="not a table of spots"):
        correct(session.document, "average-by-cell", labels="nuclei", table="nuclei_table")
