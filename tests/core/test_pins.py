"""Where pins are offered."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core.pins import pin_places
from napari_spatialml.core.registration import Certainty


def certainty(seed: int, n: int = 200) -> Certainty:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 1000, (n, 2))
    return Certainty(points, np.linalg.norm(points - [800, 200], axis=1) / 100)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 6), st.floats(1, 500))
def test_pins_keep_their_distance_and_lie_where_something_is_known(seed: int, k: int, spacing: float) -> None:
    known = certainty(seed)
    found = pin_places(known, k, spacing)
    where = np.array([(p.y, p.x) for p in found]).reshape(-1, 2)
    far = np.linalg.norm(where[:, None] - where[None], axis=2)
    assert (far[~np.eye(len(found), dtype=bool)] >= spacing).all()
    assert sum(p.sure for p in found) <= k and sum(not p.sure for p in found) <= k
    held = {(y, x): e for (y, x), e in zip(known.points.tolist(), known.error_um.tolist(), strict=True)}
    assert all(held[p.y, p.x] == p.error_um for p in found)


def test_the_worst_place_and_the_best_one_are_among_them() -> None:
    known = certainty(3)
    found = pin_places(known, 3)
    assert found[0].error_um == known.error_um.max() and not found[0].sure
    assert next(p for p in found if p.sure).error_um == known.error_um.min()
    assert [p.sure for p in found] == [False] * 3 + [True] * 3


def test_the_order_in_which_places_are_told_does_not_matter() -> None:
    known = certainty(5)
    turned = Certainty(known.points[::-1], known.error_um[::-1])
    assert pin_places(known) == pin_places(turned)


def test_where_nothing_is_known_or_all_is_alike_nothing_is_called_unsure() -> None:
    assert pin_places(None) == []
    points = np.random.default_rng(0).uniform(0, 100, (50, 2))
    assert all(p.sure for p in pin_places(Certainty(points, np.full(50, 3.0))))
