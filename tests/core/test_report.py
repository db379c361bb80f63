"""Reports: progress, and Stop that is heard while a long step runs."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from napari_spatialml.core.report import Report, promptly, silent
from napari_spatialml.errors import BadInput, Cancelled


@pytest.fixture
def pool():
    made = ThreadPoolExecutor(1)
    yield made
    made.shutdown(wait=True)


def test_a_prompt_call_gives_its_result_and_its_last_report(pool) -> None:
    told: list[tuple[float, str]] = []

    def call(report: Report) -> int:
        report(0.5, "half")
        return 7

    assert promptly(call, lambda f, m="": told.append((f, m)), pool) == 7
    assert told[-1] == (0.5, "half")


def test_stop_is_heard_while_the_call_is_silent_and_the_call_ends_at_its_next_report(pool) -> None:
    ended, go_on = threading.Event(), threading.Event()

    def call(report: Report) -> None:
        go_on.wait(20)
        try:
            report(0.5)
        except Cancelled:
            ended.set()
            raise

    def stop(fraction: float, message: str = "") -> None:
        raise Cancelled

    start = time.monotonic()
    with pytest.raises(Cancelled):
        promptly(call, stop, pool)
    assert time.monotonic() - start < 10  # the call alone would have waited for twenty
    assert not ended.is_set()
    go_on.set()
    assert ended.wait(20)


def test_what_the_call_raises_is_raised(pool) -> None:
    def call(report: Report) -> None:
        raise BadInput("no", "yes")

    with pytest.raises(BadInput, match="no"):
        promptly(call, silent, pool)
