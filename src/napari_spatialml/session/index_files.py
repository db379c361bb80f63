"""The files of an index of transcripts: made whole or not at all, by one program at a time."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from ..core.report import Report, part
from ..errors import DocumentError
from .fingerprints import digest
from .sidecar import OF_GENES, Arrays, open_sidecar, write_sidecar
from .tiling import Seen, sorted_on_disk
from .transcript_source import ALL, Choice, Source

__all__ = ["FOLDER", "folder_of", "made_files", "opened_files"]

FOLDER = "transcripts"
"""Where the sidecars lie in a session's home."""
_MAKING, _WAIT_S = ".making-", 0.2


def folder_of(home: Path, points: str, choice: Choice) -> Path:
    """Return where an index lies: of all transcripts by the name of the points, of some with what they are."""
    choice = choice.of_points
    some = "" if choice == ALL else f"-{digest(repr(choice.plain()).encode())[:12]}"
    return home / FOLDER / f"{points}{some}"


def made_files(
    source: Source, fingerprint: str, edge: float, folder: Path, report: Report, seen: Seen | None
) -> Arrays | None:
    """Make the sidecar, whole or not at all, and open it."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder.parent, report):
            found = opened_files(source, folder, fingerprint)  # another program may have made it meanwhile
            if found is not None:
                return found
            with tempfile.TemporaryDirectory(prefix=_MAKING, dir=folder.parent) as name:
                making = Path(name) / "index"
                making.mkdir()
                told = part(report, 0.0, 0.95)
                head = sorted_on_disk(source, edge, making, told, by_gene=source.choice == ALL, seen=seen)
                write_sidecar(making, {**head, "source": fingerprint})
                _replace(making, folder, Path(name) / "old")
            return opened_files(source, folder, fingerprint)
    except OSError as error:
        raise DocumentError(
            f"The index of the transcripts '{source.name}' could not be written ({error.strerror or error}).",
            "Free some disk space, then try again.",
        ) from error


def opened_files(source: Source, folder: Path, fingerprint: str, *, whole: bool = True) -> Arrays | None:
    """Open a sidecar; None where it is not good, or lacks by what it is to be looked at."""
    found = open_sidecar(folder, fingerprint, whole=whole)
    lacks = found is not None and source.choice == ALL and OF_GENES + "starts" not in found.more
    return None if lacks else found


@contextlib.contextmanager
def _alone(folder: Path, report: Report) -> Iterator[None]:
    """Wait until no other program makes an index here, and remove what one left that was killed."""
    lock = FileLock(folder / ".making.lock")
    while True:
        try:
            lock.acquire(timeout=_WAIT_S)
            break
        except Timeout:
            report(0.0, "another window is indexing transcripts")
    try:
        for left in folder.glob(f"{_MAKING}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        lock.release()


def _replace(making: Path, folder: Path, old: Path) -> None:
    if folder.exists():
        folder.rename(old)
    making.rename(folder)
