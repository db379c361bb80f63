"""The selection of a presenter tells who listens, and follows what corrections do to the rows."""

from __future__ import annotations

import numpy as np

from napari_spatialml.session import correct
from napari_spatialml.session.selected import Selected


def ids(presenter):
    now = presenter.selected.now
    return presenter.document.instances(now.table)[now.rows].tolist()


def test_taking_joins_and_tells(presenter):
    heard = []
    presenter.selected.changed.connect(lambda: heard.append(presenter.selected.now))
    for rows, how in (([4, 2], "new"), ([7], "add"), ([2], "take away"), ([7, 8], "both")):
        presenter.selected.take(Selected("counts", np.array(rows), "by hand"), how)
    assert presenter.selected.now.rows.tolist() == [7]
    presenter.selected.clear()
    presenter.selected.clear()
    assert len(heard) == 5
    assert presenter.selected.now is None


def test_the_selection_follows_cells_that_go_and_ends_with_its_table(presenter):
    presenter.selected.take(Selected("cells_table", np.array([1, 5, 8])))
    presenter.selected.filter(Selected("cells_table", np.array([5, 8])))
    assert ids(presenter) == [2, 6, 9]
    presenter.session.execute(correct(presenter.document, "delete-cells", labels="cells", cells=[2, 3]))
    assert ids(presenter) == [6, 9]
    limit = presenter.selected.limit
    assert presenter.document.instances("cells_table")[limit.rows].tolist() == [6, 9]
    presenter.undo()
    assert ids(presenter) == [6, 9]
    presenter.session.execute(correct(presenter.document, "remove-element", name="cells_table"))
    assert presenter.selected.now is presenter.selected.limit is None
