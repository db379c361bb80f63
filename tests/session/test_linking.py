"""Nuclei and cells that were found anew still know which belongs to which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_spatialml.core.segmentation import Masks
from napari_spatialml.io.sample import sample_section
from napari_spatialml.methods import method
from napari_spatialml.session import Command, SegmentationSelection, Session, correct, finish, prepare, run
from napari_spatialml.session.changes import Put
from napari_spatialml.session.elements import new_labels
from napari_spatialml.session.linking import ids_beside

WATERSHED = method("segmentation", "watershed")


@pytest.fixture
def linked() -> Iterator[Session]:
    """A section with nuclei, and cells that were made of them."""
    session = Session.start(sample_section(0, size_um=200.0))
    run(session, WATERSHED(), SegmentationSelection("dapi"))
    session.execute(correct(session.document, "expand-nuclei", nuclei="nuclei", labels="cells", distance_um=3.0))
    yield session
    session.close()


def entry(session: Session, labels: str) -> dict[str, Any]:
    return dict(session.document.attribute("segmentations", {})[labels])


def found_again(session: Session, labels: np.ndarray, selection: SegmentationSelection) -> np.ndarray:
    """Let a run find these labels, and store them; return what the document holds then."""
    job = prepare(session, WATERSHED(), selection)
    done = job()
    n = int(labels.max())
    finish(session, job, replace(done, result=Masks(labels, np.arange(1, n + 1) / n)))
    return np.asarray(session.document.grid(selection.output).read())


def by_id(a: np.ndarray, b: np.ndarray) -> float:
    """Return which part of the pixels that both name have one id."""
    both = (a > 0) & (b > 0)
    return float((a[both] == b[both]).mean())


def shuffled(labels: np.ndarray) -> np.ndarray:
    """Return the labels 1 to n in another order."""
    ids = np.unique(labels[labels > 0])
    new = np.zeros(int(ids.max()) + 1, np.int32)
    new[ids] = 1 + np.random.default_rng(0).permutation(len(ids))
    return new[labels]


@pytest.mark.parametrize("name", ["nuclei", "cells"])
def test_what_is_found_anew_keeps_the_ids_of_its_partners_in_one_step(linked: Session, name: str) -> None:
    (other,) = {"nuclei", "cells"} - {name}
    document = linked.document
    before, beside = document.grid(name).read().copy(), document.grid(other).read().copy()
    fewer = shuffled(np.where(before == np.unique(before)[3], 0, before))
    position = linked.position
    again = found_again(linked, fewer, SegmentationSelection("dapi", output=name))
    assert linked.position == position + 1
    assert by_id(fewer, beside) < 0.1, "nothing had to be matched"
    assert np.array_equal(again > 0, fewer > 0)
    assert by_id(again, beside) == 1.0
    assert entry(linked, "cells")["nuclei"] == "nuclei" and entry(linked, "cells")["linked_by"] == "id"
    # each row still says what is true of its own cell
    table = document.table(f"{name}_table")
    areas = table.obs["area_um2"].to_numpy()
    pixels = np.array([(again == i).sum() for i in table.obs["instance_id"]])
    assert np.allclose(pixels / pixels.sum(), areas / areas.sum())
    was = np.array([fewer[again == i][0] for i in table.obs["instance_id"]])
    assert np.allclose(table.obs["score"], was / fewer.max())
    linked.undo()
    assert np.array_equal(document.grid(name).read(), before)


def test_what_has_no_partner_gets_an_id_that_no_partner_has() -> None:
    cells = np.zeros((8, 30), np.int32)
    cells[:, :8], cells[:, 10:18], cells[:, 20:28] = 7, 4, 9
    nuclei = np.zeros_like(cells)
    nuclei[2:5, 2:5], nuclei[2:5, 12:15], nuclei[2:5, 17:20], nuclei[6, 12:14] = 1, 2, 3, 4
    ids = ids_beside(nuclei, cells)
    assert ids[:2].tolist() == [7, 4], "the larger of two nuclei in a cell is the cell's"
    assert set(ids[2:]).isdisjoint({0, 4, 7, 9}) and len(set(ids)) == 4


def test_ids_do_not_link_what_lies_on_other_pixels(linked: Session) -> None:
    run(linked, WATERSHED(), SegmentationSelection("dapi", region=(0, 150, 0, 150), output="nuclei"))
    assert entry(linked, "cells")["nuclei"] == "nuclei" and "linked_by" not in entry(linked, "cells")
    linked.undo()
    assert entry(linked, "cells")["linked_by"] == "id"


def test_in_tiles_the_cells_still_say_of_which_nuclei_they_are(linked: Session) -> None:
    run(linked, WATERSHED(), SegmentationSelection("dapi", output="cells", tile=256))
    assert entry(linked, "cells")["nuclei"] == "nuclei" and "linked_by" not in entry(linked, "cells")


def test_ids_too_large_for_masks_link_nothing_and_are_not_cut_off(linked: Session) -> None:
    document = linked.document
    before = document.grid("nuclei").read().astype(np.uint64)
    large = np.where(before > 0, before + 2**40, 0)
    held = document.get(("labels", "cells"))
    put = Put(("labels", "cells"), held, new_labels(large, held.transforms))
    linked.execute(Command("cells of another program", (put,), {"type": "test"}))
    again = found_again(linked, before.astype(np.int32), SegmentationSelection("dapi"))
    assert np.array_equal(again, before)
    assert entry(linked, "cells")["nuclei"] == "nuclei" and "linked_by" not in entry(linked, "cells")
