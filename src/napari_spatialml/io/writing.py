"""Files out: a file of another program is there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import BadInput

__all__ = ["written"]


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes its place when the block ends well, and leaves what was there when it does not.

    Raises
    ------
    BadInput
        When it cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        raise BadInput(
            f"'{path}' could not be written ({error.strerror or error}).", "Choose another place."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
