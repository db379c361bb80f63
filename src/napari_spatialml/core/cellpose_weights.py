"""Where Cellpose's weights lie, and whether a file is safe and fit to load.

Both versions of Cellpose answer a path that does not exist by downloading their default model, over a
connection whose certificate they do not check. So the file is found, fetched and checked here first.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import BadInput, MissingWeights
from .report import Report, silent

__all__ = ["check", "find", "folder", "unpickling_forbidden", "url_of", "version"]

SITES = {3: "https://www.cellpose.org/models/", 4: "https://huggingface.co/mouseland/cellpose-sam/resolve/main/"}
PUBLISHED = {
    3: (
        "cyto3", "nuclei", "cyto2", "cyto", "cyto2_cp3", "tissuenet_cp3", "livecell_cp3", "yeast_PhC_cp3",
        "yeast_BF_cp3", "bact_phase_cp3", "bact_fluor_cp3", "deepbacs_cp3",
    ),
    4: ("cpsam", "cpsam_v2", "cpdino", "cpdino-vitb"),
}  # fmt: skip
_PIECE = 1 << 20


def version() -> int:
    """Return the interface of the installed Cellpose: 3 or 4.

    Raises
    ------
    BadInput
        When an older one is installed.
    """
    from importlib.metadata import version as installed

    number = installed("cellpose")
    major = int(number.split(".")[0])
    if major < 3:
        raise BadInput(f"Cellpose {number} is installed.", 'Run: pip install "cellpose>=3.1".')
    return 3 if major == 3 else 4


def folder() -> Path:
    """Return the folder in which Cellpose keeps its models."""
    named = os.environ.get("CELLPOSE_LOCAL_MODELS_PATH")
    return Path(named) if named else Path.home() / ".cellpose" / "models"


def url_of(name: str, number: int) -> str:
    """Return where the authors publish a model."""
    return SITES[number] + _file_name(name, number)


def find(model: str, download: bool = False, report: Report = silent) -> Path:
    """Return the weights file of a model, given by name or path.

    Raises
    ------
    MissingWeights
        When it is not on this machine; the hint says where it comes from and where to put it.
    """
    number = version()
    name = model or PUBLISHED[number][0]
    given = Path(name).expanduser()
    if given.is_file():
        return given
    if name not in PUBLISHED[number]:
        kept = folder() / name
        if given.name == name and kept.is_file():  # a model of one's own, in Cellpose's folder
            return kept
        raise MissingWeights(
            f"There is no weights file '{name}'.",
            f"Give the path of a file, or one of {', '.join(PUBLISHED[number])} (Cellpose {number}).",
        )
    path = folder() / _file_name(name, number)
    if not path.is_file():
        if not download:
            raise MissingWeights(
                f"The weights of '{name}' are not on this machine.",
                f"Get {url_of(name, number)} and save it as {path}, or set 'download'.",
            )
        _fetch(url_of(name, number), path, report)
    return path


def check(path: Path) -> None:
    """Raise `BadInput` unless a file holds weights of the installed version; never unpickles objects."""
    state = _state(path)
    number = version()
    if number == 3 and "output.2.weight" in state and "W2" not in state:
        return
    if number == 4 and any(key.removeprefix("module.") == "W2" for key in state):
        return
    other = "W2" in state or "output.2.weight" in state
    raise BadInput(
        f"The file '{path.name}' holds {'weights of another version of Cellpose' if other else 'no Cellpose weights'}.",
        f"Choose weights that were made for Cellpose {number}.",
    )


@contextmanager
def unpickling_forbidden() -> Iterator[None]:
    """Make every ``torch.load`` inside refuse pickled objects, whatever the caller asks for."""
    key = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(key)
    os.environ[key] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[key]
        else:
            os.environ[key] = before


def _file_name(name: str, number: int) -> str:
    return f"{name}torch_0" if number == 3 and name in ("cyto", "cyto2", "nuclei") else name


def _state(path: Path) -> dict[str, Any]:
    import pickle
    from zipfile import is_zipfile

    import torch

    try:  # mapped, for the names are asked for and not the gigabyte behind them
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, UnicodeDecodeError) as error:
        raise BadInput(
            f"The file '{path.name}' is not a file of weights.",
            "Choose a model that Cellpose has saved; other files are not opened, for they may hold code.",
        ) from error
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        raise BadInput(f"The file '{path.name}' holds no named weights.", "Choose a model that Cellpose has saved.")
    return state


def _fetch(url: str, path: Path, report: Report) -> None:
    """Download to a file beside the target and move it there when it is whole."""
    from urllib.error import URLError
    from urllib.request import urlopen

    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part_name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as file, _opened(urlopen, url) as source:
            _copied(source, file, report)
        os.replace(part_name, path)
    except (URLError, OSError) as error:
        raise MissingWeights(
            f"The weights could not be fetched from {url}: {error}.", f"Get the file by hand and save it as {path}."
        ) from error
    finally:
        Path(part_name).unlink(missing_ok=True)


def _opened(urlopen: Any, url: str) -> Any:
    import ssl

    # an own context: Cellpose's downloader turns certificate checks off for the whole process
    context = ssl.create_default_context() if url.startswith("https:") else None
    return urlopen(url, timeout=30, context=context)


def _copied(source: Any, file: Any, report: Report) -> None:
    size = int(source.headers.get("Content-Length") or 0)
    done = 0
    while piece := source.read(_PIECE):
        file.write(piece)
        done += len(piece)
        report(done / size if size else 0.0, f"fetching the weights, {done >> 20} MiB")
    if size and done != size:
        raise OSError(f"{done} of {size} bytes arrived")
