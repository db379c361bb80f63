"""A stack of sections laid onto one: one command, without the drift of a chain."""

from __future__ import annotations

import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from spatialdata import SpatialData

from napari_spatialml.cli import main
from napari_spatialml.core import Affine
from napari_spatialml.errors import BadInput, Cancelled
from napari_spatialml.session import RegistrationSelection, Session, StackSelection, outdated, prepare, provenance, run
from napari_spatialml.session.provenance import read_recipe, replay, scratch, write_recipe
from tests.session.conftest import state_of
from tests.session.sections import MARKS_UM, PLAIN, Marks, image, marks

NAMES = ("s0", "s1", "s2", "s3")
TRUTHS = {n: Affine.translation(3.0 * k, -4.0 * k) @ Affine.rotation(12.0 * k, (95, 110)) for k, n in enumerate(NAMES)}
"""From each section's µm to those of s0."""
STACK = StackSelection(NAMES, "s1", images=tuple(f"{n}_image" for n in NAMES))


@pytest.fixture
def session():
    elements = {f"{n}_image": image(marks(PLAIN, t.inverse().apply(MARKS_UM)), PLAIN, n) for n, t in TRUTHS.items()}
    pairs = {
        b: {"fixed": a, "moving": b, "fixed_um": TRUTHS[a].inverse().apply(MARKS_UM).tolist(),
            "moving_um": TRUTHS[b].inverse().apply(MARKS_UM).tolist()}
        for a, b in pairwise(NAMES)
    }  # fmt: skip
    about = {"version": 1, "um_per_unit": dict.fromkeys(NAMES, 1.0), "landmarks": pairs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Session.start(SpatialData.init_from_elements(elements, attrs={"spatialml": about}))
    yield made
    made.close()


def tissue(session: Session, system: str) -> Any:
    """Return where the marks of a section lie in the section that stays."""
    own = TRUTHS[system].inverse().apply(MARKS_UM)
    element = (
        session.document.affine(f"{system}_image", "s1") @ session.document.affine(f"{system}_image", system).inverse()
    )
    return element.apply(own)


def test_all_sections_lie_on_one_by_one_command(session: Session, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(provenance, "method", lambda kind, name: Marks)
    session.save(tmp_path / "section.zarr")
    before = state_of(session)
    line = run(session, Marks(), STACK)
    assert line.startswith("4 sections lie on 's1' (rigid); 5 links") and session.position == 1
    right = TRUTHS["s1"].inverse().apply(MARKS_UM)
    for name in ("s0", "s2", "s3"):
        assert np.linalg.norm(tissue(session, name) - right, axis=1).max() < 1.0
        entry = session.document.attribute("alignments")[name]
        assert entry["fixed"] == "s1" and entry["trust"]["score"] > 0.5 and entry["images"][0] == "s1_image"
    assert session.document.placed("s1_image") == ("s1",) and outdated(session) == ()
    session.save()
    recipe, after = write_recipe(session, tmp_path / "recipe.json"), state_of(session)
    run(session, Marks(), STACK)
    assert state_of(session) == after, "run again it is the same, whatever lay on what before"
    session.undo()
    session.undo()
    assert state_of(session) == before
    session.close()
    with scratch(tmp_path / "section.zarr") as again:
        (step,) = replay(read_recipe(recipe), again)
        assert step.identical and state_of(again) == after


def test_a_stack_after_single_registrations_is_as_one_without_them(session: Session) -> None:
    run(session, Marks(), STACK)
    wanted = {n: tissue(session, n) for n in ("s0", "s2", "s3")}
    session.undo()
    for a, b in (("s1", "s2"), ("s2", "s3"), ("s0", "s1")):
        run(session, Marks(), RegistrationSelection(b, a, moving_image=f"{b}_image", fixed_image=f"{a}_image"))
    run(session, Marks(), STACK)
    for name, places in wanted.items():
        assert np.allclose(tissue(session, name), places, atol=1e-6)
        assert session.document.placed(f"{name}_image") == tuple(sorted({name, "s1"}))
    assert set(session.document.attribute("alignments")) == {"s0", "s2", "s3"}


@pytest.mark.parametrize("neighbours", [False, True])
def test_a_farther_link_that_the_method_refuses_stops_nothing(
    session: Session, monkeypatch: Any, neighbours: bool
) -> None:
    order, real = iter(STACK.links()), Marks.__call__

    def refusing(self: Marks, *given: Any) -> Any:
        later, earlier = next(order)
        if (later - earlier == 1) == neighbours:
            raise BadInput("The images do not overlap.")
        return real(self, *given)

    monkeypatch.setattr(Marks, "__call__", refusing)
    if neighbours:
        with pytest.raises(BadInput, match="do not overlap"):
            run(session, Marks(), STACK)
        return
    run(session, Marks(), STACK)
    for name in NAMES:
        assert np.linalg.norm(tissue(session, name) - tissue(session, "s1"), axis=1).max() < 2.0, name


def test_doubt_comes_first_and_stop_stops(session: Session) -> None:
    line = run(session, Marks(warning="Nothing fits."), STACK)
    assert line.startswith("Look at 's0', 's2', 's3' first: no link to them can be believed.")

    def stop(fraction: float, message: str = "") -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        prepare(session, Marks(), STACK)(stop)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"systems": ("s0",)}, "two different sections"),
        ({"systems": NAMES, "images": ("s0_image",)}, "1 images for 4 sections"),
        ({"systems": NAMES, "onto": "ghost"}, "'ghost' is no section"),
        ({"systems": NAMES, "reach": 0}, "reach of 0"),
    ],
)
def test_a_stack_that_is_none_is_refused_in_words(given: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        StackSelection(**given)


def test_from_the_command_line(session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "section.zarr"
    session.save(path)
    session.close()
    run_it = ["align-stack", "landmarks", str(path), "--model", "similarity", "--onto", "s0"]
    assert main([*run_it, "--systems", "s0", "s1", "s2", "s3"]) == 0
    said = capsys.readouterr().out
    assert "4 sections" in said and "(rigid); 3 links" in said
    again = Session.open_store(path)
    try:
        assert set(again.document.attribute("alignments")) == {"s1", "s2", "s3"}
    finally:
        again.close()
    assert main(run_it) == 2
    assert "--systems" in capsys.readouterr().err
