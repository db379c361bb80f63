"""Names of cell types."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core.type_names import storable_types


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("AB/-_|+", min_size=1, max_size=4), min_size=1, max_size=12))
def test_names_hold_no_slash_and_different_types_stay_different(names):
    found, told = storable_types(np.array(names))
    assert not any("/" in name for name in found)
    assert [a == b for a in names for b in names] == [a == b for a in found for b in found]
    assert all(b == a for a, b in zip(names, found, strict=True) if "/" not in a)
    assert len(told) == len({name for name in names if "/" in name})
