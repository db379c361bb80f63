"""What is said of what lies under the mouse is what its own row holds."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_spatialml.session import Session, correct
from napari_spatialml.views import ColourBy, Presenter
from napari_spatialml.views.pointed import Pointing

from .conftest import section
from .test_gestures import um


@pytest.fixture
def pointing(presenter):
    presenter.show(shown=("he", "cells", "spots"))
    return Pointing(presenter)


def test_a_cell_says_its_id_and_the_value_that_colours_it(pointing, presenter):
    presenter.show(shown=("he", "cells"), colours={"cells": ColourBy("cells_table", "obs/kind")})
    assert pointing.at(np.array(um(26, 22))).lines == ("cell 5", "kind: x")
    presenter.colour_by("cells", ColourBy("cells_table", "X/m"))
    value = presenter.document.table("cells_table").X[4, 0]
    assert pointing.at(np.array(um(26, 22))).lines == ("cell 5", f"m: {value:.4g}")
    assert pointing.at(np.array(um(16, 16))) is None
    assert pointing.at(np.array([-1e6, 0.0])) is None
    presenter.session.execute(correct(presenter.document, "delete-cells", labels="cells", cells=[5]))
    assert pointing.at(np.array(um(26, 22))) is None
    presenter.session.execute(correct(presenter.document, "delete-cells", labels="cells", cells=[1]))
    assert pointing.at(np.array(um(8, 22))).lines[0] == "cell 2"


def test_a_spot_lies_over_a_cell_and_says_its_own_row(pointing, presenter):
    presenter.show(colours={"spots": ColourBy("counts", "obs/domain")})
    spots, table = presenter.document.element("spots"), presenter.document.table("counts")
    for k in (0, 7):
        where = spots.geometry.iloc[k]
        row = int(np.flatnonzero(presenter.document.instances("counts") == spots.index[k])[0])
        found = pointing.at(np.array([where.y + 0.5, where.x]))
        assert found.lines == (f"spot {spots.index[k]}", f"domain: {table.obs['domain'].iloc[row]}")


def test_a_cell_that_the_table_does_not_know_says_so():
    sdata = section()
    sdata["cells_table"] = sdata["cells_table"][:4].copy()
    session = Session.start(sdata)
    made = Presenter(ViewerModel(), session)
    made.show(shown=("cells",), colours={"cells": ColourBy("cells_table", "obs/kind")})
    assert Pointing(made).at(np.array(um(26, 22))).lines == ("cell 5", "not in 'cells_table'")
    assert Pointing(made).at(np.array(um(8, 22))).lines == ("cell 2", "kind: y")
    made.close()
    session.close()
