"""Files of regions and masks into the section that is open: read beside the window, added in one step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..io.beside import is_beside
from ..session.exchange import Incoming, read_incoming
from .messages import tell

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["belongs_beside", "take_in"]


def belongs_beside(desk: Desk, paths: tuple[Path, ...]) -> bool:
    """Return whether all files are regions or masks, and a section is open to which they can be added."""
    return desk.session is not None and bool(paths) and all(path.is_file() and is_beside(path) for path in paths)


def take_in(desk: Desk, path: Path, done: Callable[[Incoming], object] = lambda _: None, **how: Any) -> None:
    """Read a file in a thread and add it to the section.

    Parameters
    ----------
    desk
        The desk with the section.
    path
        The file.
    done
        Called when it was added.
    **how
        ``image``, ``unit`` and ``into``, as `read_incoming` takes them.
    """
    session = desk.session
    assert session is not None

    def added(incoming: Incoming) -> None:
        if desk.session is not session:
            return  # another section was opened meanwhile
        session.execute(incoming.command(session.document))
        said = " ".join(incoming.said)
        place = f" in pixels of '{incoming.image}'" if incoming.image else ""
        what = session.history[session.position - 1].label
        desk.told.emit("warning" if said else "ok", f"{what[:1].upper()}{what[1:]}{place}. {said}".strip())
        done(incoming)

    def failed(error: BaseException) -> None:
        message = tell(error)
        desk.told.emit(message.level, f"{message.text} {message.hint}".strip())

    desk.runner.run(
        lambda report: read_incoming(session.document, path, report=report, **how),
        on_result=added,
        on_error=failed,
        title=f"Read {path.name}",
    )
