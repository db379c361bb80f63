"""References as they were read and understood, kept between runs, so that two gigabytes are read once.

What lies here can be made again at any time: it is removed when it grows too large, and made anew where
it is damaged. Nothing of a result depends on whether it is here.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ..core.home import HOME, home
from ..errors import SpatialMLError
from ..io.reference import ReferenceFile
from .fingerprints import digest

__all__ = ["LIMIT", "cache_folder", "content_of", "keep", "kept"]

LIMIT = 4_000_000_000
"""Bytes that all references may take together; one takes at most half of them."""
_READ = 1 << 23
_FORM = 2
"""Of the entries, and of the way in which a file's values become counts; those of another form are not read."""
_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, SpatialMLError, MemoryError)
"""What NumPy and the checks of a reference raise over an entry that is cut off or changed."""
_KNOWN: dict[str, tuple[str, str]] = {}
"""By path: how the file looked when it was hashed (size and time), and the hash."""


def cache_folder() -> Path:
    """Return the folder, which may not be there: in the user's caches, or in the state folder where one is named."""
    from platformdirs import user_cache_path

    return (home() / "cache" if os.environ.get(HOME) else user_cache_path("napari-spatialml")) / "references"


def content_of(place: Path) -> str:
    """Return the BLAKE2b hash of a file, or of all files of a folder; read again only when size or time changed.

    Raises
    ------
    OSError
        When it cannot be read.
    """
    files = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file())
    told = digest("\n".join(_looks(p, place) for p in files).encode())
    path = str(place.resolve())
    known = _KNOWN.get(path) or _noted(path)
    if known is None or known[0] != told:
        known = (told, _hashed(files, place))
        _note(path, known)
    _KNOWN[path] = known
    return known[1]


def kept(fingerprint: str, column: str) -> ReferenceFile | None:
    """Return a reference that was kept, or None; a damaged entry is removed."""
    entry = _entry(fingerprint, column)
    try:
        with np.load(entry, allow_pickle=False) as parts:
            found = _unpacked({name: parts[name] for name in parts.files})
        os.utime(entry)  # the last that is used is the last that goes
    except FileNotFoundError:
        return None
    except _DAMAGED:
        entry.unlink(missing_ok=True)
        return None
    return found


def keep(fingerprint: str, column: str, reference: ReferenceFile) -> None:
    """Keep a reference as it was read. A full or read-only disk only means that it is read again next time."""
    parts = _packed(reference)
    if sum(part.nbytes for part in parts.values()) > LIMIT // 2:
        return
    entry = _entry(fingerprint, column)
    partial = entry.with_name(f"{entry.stem}.{os.getpid()}.partial")
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **parts)
        partial.replace(entry)
        _trim(entry)
    except OSError:
        partial.unlink(missing_ok=True)


def _entry(fingerprint: str, column: str) -> Path:
    return cache_folder() / f"{digest(json.dumps([_FORM, fingerprint, column]).encode())}.npz"


def _trim(newest: Path) -> None:
    """Remove the entries that were used longest ago, until all fit."""
    held = sorted((p.stat().st_mtime_ns, p.stat().st_size, p) for p in newest.parent.glob("*.npz") if p != newest)
    total = newest.stat().st_size + sum(size for _, size, _ in held)
    for _, size, path in held:
        if total <= LIMIT:
            return
        path.unlink(missing_ok=True)
        total -= size


def _packed(reference: ReferenceFile) -> dict[str, npt.NDArray[Any]]:
    counts = reference.counts
    names, number = np.unique(reference.types, return_inverse=True)
    told = {
        "column": reference.column, "notes": reference.notes, "state": reference.state,
        "names": list(reference.names), "shape": counts.shape, "dtype": counts.dtype.str,
    }  # fmt: skip
    parts = {
        "told": np.frombuffer(json.dumps(told).encode(), np.uint8),
        "data": _smallest(counts.data),
        "indices": _smallest(counts.indices),
        "indptr": counts.indptr,
        "types": names,
        "number": _smallest(number),
    }
    return parts | {f"names_{i}": np.asarray(held) for i, held in enumerate(reference.names.values())}


def _unpacked(parts: dict[str, npt.NDArray[Any]]) -> ReferenceFile:
    told = json.loads(parts["told"].tobytes())
    indices = parts["indices"].astype(np.int32 if parts["indptr"].dtype == np.int32 else np.int64)
    counts = sp.csr_matrix((parts["data"].astype(told["dtype"]), indices, parts["indptr"]), shape=told["shape"])
    counts.check_format(full_check=True)
    names = {name: parts[f"names_{i}"] for i, name in enumerate(told["names"])}
    return ReferenceFile(
        counts,
        names["names"],
        parts["types"][parts["number"]],
        column=told["column"],
        notes=tuple(told["notes"]),
        state=told["state"],
        names=names,
    )


def _smallest(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return whole numbers in as few bytes as hold them; others as they are."""
    whole = values.dtype.kind in "iu" or bool((values == np.rint(values)).all())
    if len(values) == 0 or not whole or values.min() < 0 or values.max() >= 2**32:
        return values
    return values.astype(np.min_scalar_type(int(values.max())))


def _looks(path: Path, place: Path) -> str:
    about = path.stat()
    return f"{path.relative_to(place)} {about.st_size} {about.st_mtime_ns}"


def _hashed(files: list[Path], place: Path) -> str:
    hashed = hashlib.blake2b(digest_size=16)
    for path in files:
        hashed.update(f"{path.relative_to(place)} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            while block := file.read(_READ):
                hashed.update(block)
    return hashed.hexdigest()


def _note_of(path: str) -> Path:
    return cache_folder() / f"{digest(path.encode())}.hash"


def _noted(path: str) -> tuple[str, str] | None:
    """Return how a file looked when it was last hashed, and its hash, if that was written down."""
    try:
        told, content = _note_of(path).read_text(encoding="ascii").split()
    except (OSError, ValueError):  # none, or damaged: it is hashed again
        return None
    return told, content


def _note(path: str, known: tuple[str, str]) -> None:
    note = _note_of(path)
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        partial = note.with_suffix(f".{os.getpid()}.partial")
        partial.write_text(" ".join(known), encoding="ascii")
        partial.replace(note)
    except OSError:
        return  # a read-only disk: it is hashed again next time
