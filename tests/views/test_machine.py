"""Any order of painting, filling, erasing, merging, splitting, undoing and redoing, on a real Labels layer.

After every step the layer, the document, every level of the pyramid and the table say the same.
"""

from __future__ import annotations

import tempfile
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from napari.components import ViewerModel
from spatialdata import SpatialData
from spatialdata.models import TableModel

from napari_spatialml.core.pyramid import downsample
from napari_spatialml.session import Session
from napari_spatialml.session.cells import measure
from napari_spatialml.session.elements import LabelsElement
from napari_spatialml.session.grid import LabelGrid
from napari_spatialml.views import ColourBy, Presenter

from .conftest import CELLS_UM, Mouse, cells_array, table_of

PLACE = st.tuples(st.integers(1, 58), st.integers(1, 48))
PLACES = {"global": [[CELLS_UM, 0, 0], [0, CELLS_UM, 0], [0, 0, 1]]}


def um(y, x):
    return ((y + 0.5) * CELLS_UM, (x + 0.5) * CELLS_UM)


def pyramid(labels):
    return LabelsElement(LabelGrid([labels, downsample(labels, 2)]), PLACES).to_spatialdata()


class Measured:
    """A table that this program measured, which gets a row for every cell."""

    def __init__(self, dtype, first=0):
        self.labels = cells_array().astype(dtype)
        self.labels[self.labels > 0] += np.array(first, dtype)

    def section(self):
        table = measure(self.labels, None, name="cells", pixel_size_um=CELLS_UM)
        return SpatialData(labels={"cells": pyramid(self.labels)}, tables={"cells_table": TableModel.parse(table)})

    def agrees(self, document, labels):
        ids, n = np.unique(labels[labels > 0], return_counts=True)
        obs = document.table("cells_table").obs
        assert obs["instance_id"].tolist() == ids.tolist()
        np.testing.assert_allclose(obs["area_um2"], n * CELLS_UM**2)


class Foreign:
    """A table of another program: it keeps the rows of what exists, and gets none."""

    def __init__(self, ids):
        self.labels, self.ids = cells_array(), ids

    def section(self):
        table = table_of(np.ones((9, 2)), self.ids, "cells", ["m", "n"], kind=pd.Categorical(list("xyxyxyxyx")))
        return SpatialData(labels={"cells": pyramid(self.labels)}, tables={"cells_table": table})

    def agrees(self, document, labels):
        held = document.table("cells_table")
        left = set(np.unique(labels).tolist())
        wanted = [i for i in self.ids if int(i) in left]
        assert held.obs["instance_id"].tolist() == wanted
        assert list(held.obs_names) == [f"cells_{i}" for i in wanted]


class Hand(RuleBasedStateMachine):
    """One person at one Labels layer."""

    kind: ClassVar = None

    @initialize()
    def open(self):
        self.case, self.folder = self.kind(), tempfile.TemporaryDirectory()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NAPARI_SPATIALML_STATE", self.folder.name)
            self.session = Session.start(self.case.section())
        self.presenter = Presenter(ViewerModel(), self.session)
        self.presenter.show(colours={"cells": ColourBy("cells_table", "X")})
        self.mouse, self.start = Mouse(self.presenter.viewer), self.labels().copy()

    def labels(self):
        return self.session.document.grid("cells").read()

    @rule(tool=st.sampled_from(["paint", "erase", "split", "draw"]), path=st.lists(PLACE, min_size=2, max_size=4))
    def drag(self, tool, path):
        self.presenter.use(tool, labels="cells")
        before = self.session.position
        self.mouse.drag(*(um(*at) for at in path))
        assert self.session.position <= before + 1

    @rule(at=PLACE)
    def fill(self, at):
        self.presenter.use("")
        layer = self.presenter.layer_of("cells")
        layer.fill(at, int(self.labels().max()) + 1)
        self.presenter.flush()

    @rule(one=PLACE, other=PLACE)
    def merge(self, one, other):
        self.presenter.use("merge", labels="cells")
        for at in (one, other):
            self.mouse.click(um(*at))

    @rule(at=PLACE)
    def delete(self, at):
        self.presenter.use("delete", labels="cells")
        self.mouse.click(um(*at))

    @precondition(lambda self: self.session.position > 0)
    @rule()
    def undo(self):
        self.presenter.layer_of("cells").undo()

    @precondition(lambda self: self.session.position < len(self.session.history))
    @rule()
    def redo(self):
        self.presenter.layer_of("cells").redo()

    @invariant()
    def everything_says_the_same(self):
        labels, document = self.labels(), self.session.document
        np.testing.assert_array_equal(self.presenter.layer_of("cells").data, labels)
        np.testing.assert_array_equal(document.grid("cells").read(None, 1), downsample(labels, 2))
        assert labels.dtype == self.case.labels.dtype
        self.case.agrees(document, labels)

    def teardown(self):
        if not hasattr(self, "session"):
            return
        self.presenter.use("")
        self.session.jump(0)
        self.everything_says_the_same()
        np.testing.assert_array_equal(self.labels(), self.start)
        self.presenter.close()
        self.session.close()
        self.folder.cleanup()


class Int32(Hand):
    kind = staticmethod(lambda: Measured(np.int32))


class UInt64(Hand):
    kind = staticmethod(lambda: Measured(np.uint64, first=2**40))


class Words(Hand):
    kind = staticmethod(lambda: Foreign([str(i) for i in range(1, 10)]))


_FEW = settings(
    max_examples=6, stateful_step_count=8, deadline=None, suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)  # fmt: skip
TestInt32, TestUInt64, TestWords = Int32.TestCase, UInt64.TestCase, Words.TestCase
for _case in (TestInt32, TestUInt64, TestWords):
    _case.settings = _FEW
