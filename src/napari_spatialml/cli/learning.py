"""The command that learns from the windows that are done in a saved section."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from ..errors import BadInput
from .terminal import Progress, print_table

__all__ = ["learn"]

Names = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative_iterable=())]


def learn(
    section: Annotated[Path, Parameter(help="A saved section in which windows are marked as done.")],
    /,
    *,
    out: Annotated[Path | None, Parameter(help="Write what was learned here: NAME.safetensors.")] = None,
    labels: Annotated[Names, Parameter(help="Whose windows: all that are marked if left out.")] = (),
    image: Annotated[str, Parameter(help="The image; that from which the labels come if left out.")] = "",
    method: Annotated[Literal["starter", "cellpose"], Parameter(help="What learns.")] = "starter",
    weights: Annotated[str, Parameter(help="What to begin with: a model's name or a file.")] = "",
    channel: Annotated[str, Parameter(help="The channel to segment; found as the method finds it if left out.")] = "",
    seed: Annotated[int, Parameter(help="The same seed gives the same weights.")] = 0,
    cellpose_data: Annotated[
        Path | None, Parameter(help="Write the windows here too, as cellpose --train reads them.")
    ] = None,
) -> None:
    """Learn from the windows that are done: show the precision before and after, and keep what was learned.

    Every third window is held out: nothing is learned from it, and both precisions are measured on it.
    """
    from ..session import Session

    if out is None and cellpose_data is None:
        raise BadInput("It is not said where to write.", "Give --out NAME.safetensors, or --cellpose-data FOLDER.")
    session, progress = Session.open_store(section), Progress()
    try:
        if cellpose_data is not None:
            _export(session, cellpose_data, labels, image, channel)
        if out is not None:
            _learn(session, _learner(method, weights, channel), labels, image, seed, out, progress)
    finally:
        progress.clear()
        session.close()


def _learner(name: str, weights: str, channel: str) -> Any:
    from ..methods import method

    given = {("weights" if name == "starter" else "model"): weights, "channel": channel}
    return method("segmentation", name)(**given)


def _export(session: Any, folder: Path, labels: tuple[str, ...], image: str, channel: str) -> None:
    from ..session.lesson_files import export_lessons

    print(export_lessons(session.document, folder, labels, image, (channel,) if channel else ()))


def _learn(
    session: Any, learner: Any, labels: tuple[str, ...], image: str, seed: int, out: Path, progress: Progress
) -> None:
    from ..core.learning import AT
    from ..session.learning import accept, prepare_learning

    if learner.ending and out.suffix != learner.ending:
        raise BadInput(f"'{out.name}' is no name for weights of {learner.title}.", f"End it with {learner.ending}.")
    learnt = prepare_learning(session, learner, labels, image, seed)(progress)
    progress.clear()
    rows = [(f"AP@{t:g}", f"{a:.3f}", f"{b:.3f}")
            for t, a, b in zip(AT, learnt.outcome.before, learnt.outcome.after, strict=True)]  # fmt: skip
    print_table(("", "before", "after"), rows, numbers=("before", "after"))
    accept(learnt, out)
    print(f"{learnt.line}\nWritten to '{out}'.")
