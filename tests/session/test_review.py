"""The review queue: it survives, it can be undone, it follows the hand and nothing but what was touched."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_spatialml.errors import BadInput, DocumentError, Stale
from napari_spatialml.session import Session, correct, read_recipe, replay, scratch, write_recipe
from napari_spatialml.session.decisions import decisions, pace, write_csv
from napari_spatialml.session.evidence import offset_of, sources_of, windows_of
from napari_spatialml.session.queued import Sample
from napari_spatialml.session.ranking import rank
from napari_spatialml.session.review import Review
from napari_spatialml.session.reviewed import REASONS, STATE, SUSPICION, joined, parted

from .conftest import small_section, state_of
from .judged import Judge, judge  # noqa: F401  (a fixture)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def session(judge: Judge) -> Any:  # noqa: F811
    made = Session.start(small_section())
    yield made
    made.close()


def ranked(session: Session) -> Review:
    review = Review(session, "nuclei")
    job, done = review.ranking_job(review.sources)
    done(job(lambda *_: None))
    return review


def obs(session: Session) -> Any:
    return session.document.table("nuclei_table").obs


def score_what_was_touched(review: Review) -> list[int]:
    """Do what the dock does after a correction; return the cells that were scored."""
    made = review.scoring_job()
    assert made is not None
    ranking = made[0](lambda *_: None)
    made[1](ranking)
    return [int(c) for c in ranking.cells]


# what is kept --------------------------------------------------------------------------------


def test_the_queue_survives_save_and_reopening(session: Session, tmp_path: Path) -> None:
    review = ranked(session)
    first, second = (int(c) for c in review.queue.open()[:2])
    review.decide("accept-cells", cells=[first])
    review.decide("flag-cells", cells=[second], note="two nuclei")
    review.decide("draw-sample", n=4, seed=1)
    judged = review.sample().cells[0]
    review.decide("judge-cell", cell=judged, right=True)
    before, item = review.queue, review.item(second)
    session.save(tmp_path / "s.zarr")
    session.close()
    again = Session.open_store(tmp_path / "s.zarr")
    after = Review(again, "nuclei")
    for name in ("cells", "scores", "kinds", "states"):
        np.testing.assert_array_equal(getattr(after.queue, name), getattr(before, name))
    assert after.item(second) == item and item.state == "wrong" and item.reasons[0][0].endswith("small")
    assert first not in after.queue.open() and second in after.queue.open()
    assert after.sample().right == (judged,)
    assert decisions(again, "nuclei")[second].record["arguments"]["note"] == "two nuclei"
    again.close()


def test_decisions_that_were_not_saved_survive_the_end_of_the_program(tmp_path: Path) -> None:
    """The process is killed: no handler runs, nothing is flushed."""
    program = f"""
import os, signal, sys
sys.path.insert(0, {str(ROOT)!r})
from tests.session.test_review import survivor
survivor({str(tmp_path)!r})
os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {**os.environ, "NAPARI_SPATIALML_STATE": str(tmp_path / "state")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], cwd=ROOT, env=environment, capture_output=True, timeout=300
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    again = Session.open_store(tmp_path / "s.zarr")
    review = Review(again, "nuclei")
    states = dict(zip(review.queue.cells.tolist(), review.queue.states.tolist(), strict=True))
    assert (states[5], states[6], states[7]) == (1, 3, 2), "accepted, wrong, and fixed by hand"
    assert 8 not in states and review.sample().wrong == (review.sample().cells[0],)
    again.close()


def survivor(folder: str) -> None:
    """Rank, save, decide without saving."""
    Judge().install(pytest.MonkeyPatch())
    session = Session.start(small_section())
    review = ranked(session)
    session.save(Path(folder) / "s.zarr")
    review.decide("draw-sample", n=3, seed=4)
    review.decide("judge-cell", cell=review.sample().cells[0], right=False)
    review.decide("accept-cells", cells=[5])
    review.decide("flag-cells", cells=[6])
    session.execute(correct(session.document, "merge-cells", labels="nuclei", cells=[7, 8]))


def test_undo_takes_back_exactly_one_decision_and_the_edit_with_its_state(session: Session) -> None:
    review = ranked(session)
    review.decide("draw-sample", n=4, seed=0)
    states = [state_of(session)]
    steps = [
        lambda: review.decide("accept-cells", cells=[1, 2]),
        lambda: session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=[3])),
        lambda: session.execute(
            correct(session.document, "draw-cell", labels="nuclei", outline=[[0, 0], [0, 5], [5, 0]])
        ),
        lambda: review.decide("judge-cell", cell=review.sample().left[0], right=False),
        lambda: review.decide("reopen-cells", cells=[1]),
    ]
    for step in steps:
        step()
        states.append(state_of(session))
    for expected in reversed(states[:-1]):
        session.undo()
        assert state_of(session) == expected
    for expected in states[1:]:
        session.redo()
        assert state_of(session) == expected


def test_a_cell_that_the_hand_has_made_or_changed_is_fixed_and_leaves_the_queue(session: Session) -> None:
    review = ranked(session)
    session.execute(correct(session.document, "merge-cells", labels="nuclei", cells=[1, 2]))
    kept = review.queue.cells.tolist()
    (merged,) = {1, 2} & set(kept)
    assert review.item(merged).state == "fixed" and merged not in review.queue.open()
    line = [[26 + 9.0, 0.0], [26 + 9.0, 40.0]]
    session.execute(correct(session.document, "split-cell", labels="nuclei", cell=4, line=[[45, 0], [45, 40]]))
    assert {review.item(4).state, review.item(10).state} == {"fixed"}, line
    assert review.item(9).state == "pending"
    assert obs(session)[REASONS].map(type).eq(str).all(), "a store keeps no missing text"


def test_without_a_review_a_correction_adds_no_column(session: Session) -> None:
    session.execute(correct(session.document, "merge-cells", labels="nuclei", cells=[1, 2]))
    assert STATE not in obs(session) and SUSPICION not in obs(session)


def test_labels_without_a_table_get_one(session: Session, tmp_path: Path) -> None:
    session.execute(correct(session.document, "remove-element", **{"name": "nuclei_table"}))
    start = state_of(session)
    review = ranked(session)
    assert review.queue.cells.tolist() == sorted(range(1, 10), key=lambda c: (-review.item(c).score, c))
    before = state_of(session)
    session.execute(correct(session.document, "merge-cells", labels="nuclei", cells=[1, 2]))
    assert len(review.queue.cells) == 8
    session.save(tmp_path / "s.zarr")
    session.undo()
    assert state_of(session) == before
    session.undo()
    assert state_of(session) == start


def test_ranking_again_keeps_what_was_decided(session: Session) -> None:
    review = ranked(session)
    review.decide("accept-cells", cells=[2])
    job, done = review.ranking_job(review.sources)
    done(job(lambda *_: None))
    assert review.item(2).state == "accepted" and review.item(1).state == "pending"


def test_a_ranking_of_cells_that_were_corrected_meanwhile_is_not_kept(session: Session) -> None:
    review = Review(session, "nuclei")
    job, done = review.ranking_job(review.sources)
    found = job(lambda *_: None)
    session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=[3]))
    with pytest.raises(Stale, match="corrected meanwhile"):
        done(found)
    assert not review.table


def test_the_recipe_ranks_and_decides_again_to_the_same_bits(session: Session, tmp_path: Path) -> None:
    session.save(tmp_path / "s.zarr")
    review = ranked(session)
    session.execute(correct(session.document, "merge-cells", labels="nuclei", cells=[1, 2]))
    score_what_was_touched(review)
    review.decide("accept-cells", cells=[5])
    session.save()
    write_recipe(session, tmp_path / "recipe.json")
    session.close()
    with scratch(tmp_path / "s.zarr") as fresh:
        steps = replay(read_recipe(tmp_path / "recipe.json"), fresh)
    assert len(steps) == 3 and all(s.identical for s in steps)


# the order -----------------------------------------------------------------------------------


def test_the_queue_is_ordered_by_score_and_narrowed_by_suspicion_and_reason(session: Session) -> None:
    session.execute(correct(session.document, "split-cell", labels="nuclei", cell=4, line=[[40, 0], [40, 40]]))
    review = ranked(session)
    order = review.queue.open().tolist()
    assert order[0] == 10, "the smallest piece"
    assert [review.item(c).score for c in order] == sorted((review.item(c).score for c in order), reverse=True)
    limit = review.item(order[0]).score
    assert review.queue.open(limit).tolist() == [10]
    review.decide("accept-cells", cells=[10])
    assert review.queue.counts(limit) == (1, 1) and review.queue.counts()[1] == 10
    assert review.queue.open(kind="area").tolist() == order[1:] and not len(review.queue.open(kind="rim"))


def test_only_what_was_touched_and_its_neighbours_are_scored_again(session: Session, judge: Judge) -> None:  # noqa: F811
    review = ranked(session)
    before = {c: review.item(c).score for c in review.queue.cells.tolist()}
    grow = np.full((4, 34), 4, np.int32)  # cell 4 grows until it touches 5; 9 is far away
    from napari_spatialml.session.corrections import packed

    session.execute(correct(session.document, "paint-labels", labels="nuclei", offset=[40, 4], values=packed(grow)))
    assert score_what_was_touched(review) == [4, 5]
    assert judge.usual[-1].size == 5.0, "against what is usual in the section, not in the window"
    assert review.item(4).score < before[4] and review.item(5).score > before[5]
    assert all(review.item(c).score == before[c] for c in before if c not in (4, 5))
    kept = obs(session).set_index("instance_id")[SUSPICION]
    assert kept[5] == before[5], "the document changes by commands only"
    review.decide("accept-cells", cells=[9])
    kept = obs(session).set_index("instance_id")[SUSPICION]
    assert kept[5] == review.item(5).score > before[5], "the next decision brings the new scores along"
    session.jump(session.position - 2)
    assert score_what_was_touched(review) == [4, 5]
    assert {c: review.item(c).score for c in before} == before, "undone, they are as suspicious as before"
    assert review.scoring_job() is None


def test_a_window_shows_what_the_document_holds_there(session: Session, judge: Judge) -> None:  # noqa: F811
    sources = sources_of(session.document, "nuclei")
    assert (sources.image, sources.points, sources.nuclei) == ("he", "transcripts", "")
    rank(session.document, sources)
    (seen,) = judge.seen
    evidence = seen.evidence
    np.testing.assert_array_equal(evidence.labels, session.document.grid("nuclei").read())
    assert evidence.image.shape == (2, 96, 96) and evidence.pixel_size_um == 0.5
    own = session.document.element("transcripts")[["y", "x"]].compute().to_numpy()
    inside = ((own >= 0) & (own < 48)).all(1)
    np.testing.assert_allclose(np.sort(evidence.points, 0), np.sort(own[inside] / 0.5, 0), atol=1e-9)


def test_windows_cover_a_slide_once_and_every_cell_is_judged_where_it_is_whole(
    session: Session,
    judge: Judge,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    n = np.zeros((100, 130), int)
    for (y0, y1, x0, x1), outer in windows_of((100, 130), 48, 7):
        n[y0:y1, x0:x1] += 1
        assert outer[0] <= y0 and outer[3] >= x1
    assert (n == 1).all()
    whole = rank(session.document, sources_of(session.document, "nuclei"))
    small = lambda shape: windows_of(shape, 32, 28)  # noqa: E731
    monkeypatch.setattr("napari_spatialml.session.ranking.windows_of", small)
    judge.places = [(40.0, 40.0, 90, 0.4), (4.0, 90.0, 70, 0.8), (95.9, 31.9, 50, 0.6)]
    pieces = rank(session.document, sources_of(session.document, "nuclei"))
    np.testing.assert_array_equal(pieces.cells, whole.cells)
    np.testing.assert_array_equal(pieces.scores, whole.scores)
    np.testing.assert_allclose(pieces.measures, whole.measures)
    assert pieces.missing.scores.tolist() == [0.8, 0.6, 0.4], "each place once, most likely first"


def test_a_cell_that_lies_whole_in_no_window_is_scored_in_one_of_its_own(
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = rank(session.document, sources_of(session.document, "nuclei"))
    small = lambda shape: windows_of(shape, 16, 2)  # noqa: E731
    monkeypatch.setattr("napari_spatialml.session.ranking.windows_of", small)
    pieces = rank(session.document, sources_of(session.document, "nuclei"))
    np.testing.assert_array_equal(pieces.cells, whole.cells)
    np.testing.assert_array_equal(pieces.scores, whole.scores)
    np.testing.assert_allclose(pieces.measures["area_um2"], whole.measures["area_um2"])


def test_an_image_of_other_pixels_is_refused(session: Session) -> None:
    assert offset_of(session.document, "nuclei", "he") == (0, 0)
    assert offset_of(session.document, "nuclei", "pixels") is None
    with pytest.raises(DocumentError, match="does not have the pixels"):
        correct(session.document, "rank-cells", labels="nuclei", image="pixels")


# missing cells, the sample -------------------------------------------------------------------


def test_a_place_is_drawn_or_dismissed_and_both_can_be_undone(session: Session, judge: Judge) -> None:  # noqa: F811
    judge.places = [(4.0, 2.5, 100, 0.9), (92.0, 92.0, 60, 0.5)]
    review = ranked(session)
    assert [p.state for p in review.places()] == ["pending", "pending"]
    review.decide("dismiss-missing", place=[92.0, 92.0])
    square = [[0.0, 0.0], [0.0, 5.0], [6.0, 5.0], [6.0, 0.0]]
    session.execute(correct(session.document, "draw-cell", labels="nuclei", outline=square))
    assert [p.state for p in review.places()] == ["drawn", "dismissed"]
    session.jump(session.position - 2)
    assert [p.state for p in review.places()] == ["pending", "pending"]
    with pytest.raises(BadInput, match="no place"):
        review.decide("dismiss-missing", place=[1.0, 1.0])


def test_the_accuracy_of_a_sample_is_told_with_its_interval() -> None:
    cells = tuple(range(50))
    sample = Sample(cells, cells[:46], cells[46:], 100_000)
    assert sample.words == "46 of 50 right: 92 % (81 to 97 %)"
    assert Sample(cells, cells, (), 50).words == "50 of 50 right: 100 % (100 to 100 %)"
    assert Sample(cells, cells[:3], (), 900).words.endswith("; 47 left")


def test_a_cell_of_the_sample_that_is_gone_is_not_judged(session: Session) -> None:
    review = ranked(session)
    review.decide("draw-sample", n=5, seed=2)
    first, second = review.sample().cells[:2]
    review.decide("judge-cell", cell=first, right=False)
    session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=[first, second]))
    sample = review.sample()
    assert sample.wrong == (first,) and sample.gone == (second,) and len(sample.left) == 3
    with pytest.raises(BadInput, match="not in the sample"):
        review.decide("judge-cell", cell=99, right=True)


def test_redrawing_keeps_the_id_and_takes_nothing_from_neighbours(session: Session) -> None:
    grid = session.document.grid("nuclei")
    before = grid.read()
    outline = [[30.0, 6.0], [30.0, 60.0], [50.0, 60.0], [50.0, 6.0]]  # over cell 5 as well
    session.execute(correct(session.document, "redraw-cell", labels="nuclei", cell=4, outline=outline))
    after = grid.read()
    assert ((before == 5) == (after == 5)).all() and (after == 4).sum() > (before == 4).sum()
    rows, columns = np.nonzero(after == 4)
    assert rows.min() == 30 and rows.max() == 49 and columns.max() == 59
    session.undo()
    np.testing.assert_array_equal(grid.read(), before)


# what comes out ------------------------------------------------------------------------------


def test_the_table_names_score_reason_state_who_and_when(session: Session, tmp_path: Path) -> None:
    review = ranked(session)
    review.decide("flag-cells", cells=[3], note="=HYPERLINK()")
    session.execute(correct(session.document, "merge-cells", labels="nuclei", cells=[1, 2]))
    assert write_csv(review, tmp_path / "review.csv") == 8
    with (tmp_path / "review.csv").open(newline="") as file:
        rows = {row["cell"]: row for row in csv.DictReader(file)}
    assert rows["3"]["state"] == "wrong" and rows["3"]["note"] == "'=HYPERLINK()"
    merged = rows.get("1") or rows["2"]
    assert merged["state"] == "fixed" and merged["who"] == session.history[-1].who and merged["when"]
    assert rows["9"]["state"] == "pending" and not rows["9"]["who"]
    assert float(rows["9"]["score"]) == pytest.approx(review.item(9).score, abs=1e-4)


def test_reasons_read_back_as_they_were_written() -> None:
    reasons = [("two nuclei; one small (12 px).", 0.934), ("faint", 0.07)]
    assert parted(joined(reasons)) == (("two nuclei, one small (12 px)", 0.93), ("faint", 0.07))
    assert parted("") == parted(None) == parted(float("nan")) == ()


def test_time_left_comes_from_the_readers_own_pace(session: Session) -> None:
    review = ranked(session)
    assert pace(session, "nuclei") is None
    for cell in range(1, 8):
        review.decide("accept-cells", cells=[cell])
    for number, entry in enumerate(session.history):
        entry.when = f"2026-01-01T10:00:{4 * number:02d}+00:00"
    session.history[-1].when = "2026-01-01T18:00:00+00:00"  # lunch
    assert pace(session, "nuclei") == 4.0


def test_deciding_on_cells_that_are_not_there_or_not_ranked_says_so(session: Session) -> None:
    with pytest.raises(BadInput, match="not ranked"):
        correct(session.document, "accept-cells", labels="pixels", cells=[1])
    session.execute(
        correct(session.document, "accept-cells", labels="nuclei", cells=[3])
    )  # by a click, before any rank
    review = ranked(session)
    assert review.item(3).state == "accepted" and review.item(4).state == "pending"
    with pytest.raises(BadInput, match="no cell 77"):
        correct(session.document, "accept-cells", labels="nuclei", cells=[1, 77])
