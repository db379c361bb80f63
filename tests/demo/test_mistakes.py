"""What is corrected is chosen from the data: each kind of mistake is found where it was made, and mended."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatialml.core import labels as edits
from napari_spatialml.core.metrics import average_precision
from napari_spatialml.demo.mistakes import by_shape, by_truth


def _discs(centres, radius=7, shape=(120, 160)):
    out = np.zeros(shape, np.int32)
    rows, columns = np.indices(shape)
    for number, (y, x) in enumerate(centres, 1):
        out[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = number
    return out


CENTRES = [(15, 15), (15, 29), (15, 60), (15, 100), (60, 20), (60, 60), (60, 100), (100, 30), (100, 80), (100, 130)]


@pytest.fixture
def truth():
    return _discs(CENTRES)


def _mended(labels, mistake):
    arguments = dict(mistake.arguments)
    if mistake.correction == "split-cell":
        patch = edits.split_cell(labels, arguments["cell"], arguments["line"], new_id=int(labels.max()) + 1)
    elif mistake.correction == "merge-cells":
        patch = edits.merge_cells(labels, arguments["cells"])
    elif mistake.correction == "delete-cells":
        patch = edits.delete_cells(labels, arguments["cells"])
    elif mistake.correction == "draw-cell":
        patch = edits.draw_outline(labels, arguments["outline"], int(labels.max()) + 1)
    else:
        (y, x), values = arguments["offset"], arguments["values"]
        out = labels.copy()
        out[y : y + values.shape[0], x : x + values.shape[1]] = values
        return out
    out = labels.copy()
    out[patch.window] = patch.new
    return out


def _spoiled(truth, kind):
    found = truth.copy()
    if kind == "split-cell":
        found[found == 2] = 1
    elif kind == "merge-cells":
        found[60:, :][found[60:, :] == 6] = 30
    elif kind == "paint-labels":
        found[(found == 7) & (np.indices(found.shape)[1] > 101)] = 0
    elif kind == "delete-cells":
        found[108:114, 60:66] = 40
    else:
        found[found == 9] = 0
    return found


@pytest.mark.parametrize("kind", ["split-cell", "merge-cells", "paint-labels", "delete-cells", "draw-cell"])
def test_the_mistake_that_was_made_is_found_and_its_correction_mends_it(truth, kind):
    spoiled = _spoiled(truth, kind)
    found = {m.correction: m for m in by_truth(spoiled, truth)}
    assert set(found) == {kind}
    before = average_precision(truth, spoiled, 0.75)[0]
    after = average_precision(truth, _mended(spoiled, found[kind]), 0.75)[0]
    assert before < 1
    assert after == 1


def test_nothing_is_wrong_with_the_truth(truth):
    assert by_truth(truth, truth) == []


def test_without_the_truth_the_dented_cell_is_cut_at_its_neck(truth):
    joined = truth.copy()
    joined[joined == 2] = 1
    cut = next(m for m in by_shape(joined, None) if m.correction == "split-cell")
    assert cut.arguments["cell"] == 1
    assert average_precision(truth, _mended(joined, cut), 0.9)[0] == 1


def test_without_the_truth_the_least_certain_cell_is_the_one_to_delete(truth):
    scores = np.linspace(0.2, 0.9, len(CENTRES))[::-1]
    chosen = next(m for m in by_shape(truth, scores) if m.correction == "delete-cells")
    assert chosen.arguments["cells"] == [len(CENTRES)]


def test_too_few_cells_give_nothing_to_correct():
    assert by_shape(_discs([(20, 20)]), None) == []
