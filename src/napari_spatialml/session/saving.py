"""Saving into a store: only what changed, and so that a kill at any moment loses nothing.

First everything new is staged inside the store; then one small file, the intent, says what is to be
done with it; then it is done. Doing it twice gives the same, so that the next start finishes what a
killed process had begun. Before the intent is written the store is untouched.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..core.report import Report, part, silent
from ..errors import Cancelled, DocumentError
from .changes import Slot
from .chunks import record_largest
from .displacements import FIELDS
from .document import ELEMENT_TYPES, Document, kept_slot
from .durable import all_on_disk, on_disk, write_whole
from .elements import with_matrices
from .fields import write_fields
from .journal import Journal
from .patching import move_chunks
from .planes import stack_name
from .staging import plain_section, stage
from .writing import write_elements

__all__ = [
    "HOME",
    "carry_out",
    "finish",
    "interrupted",
    "put_in_place",
    "set_aside",
    "settle",
    "stage_changes",
    "steps_of",
    "write_store",
]

HOME = "spatialml"
"""The folder inside a store that holds the journal and, for moments, what is being saved."""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence zarr's and anndata's warnings about our folder and about formats we cannot choose."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not recognized as a component of a Zarr hierarchy.*")
        warnings.filterwarnings("ignore", message=".*Consolidated metadata.*")
        warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification.*")
        warnings.filterwarnings("ignore", message=".*zarr v3 autosharding.*")
        warnings.filterwarnings("ignore", message=".*which is not present in the SpatialData object.*")
        warnings.filterwarnings("ignore", category=FutureWarning)
        yield


def write_store(document: Document, path: Path, report: Report = silent) -> Path:
    """Write the document to a new store that is not at its place yet; `put_in_place` moves it there.

    Raises
    ------
    DocumentError
        When something is there already, or the disk is full.
    """
    if path.exists():
        raise DocumentError(f"'{path.name}' is there already.", "Choose another name, or move it away first.")
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with _quiet():
            write_elements(plain_section(document), partial, part(report, 0.0, 0.95))
            _record_largest(document, partial)
            write_fields(document, partial, tuple(s[1] for s in document.slots() if s[0] == "fields"))
        (partial / HOME).mkdir()
        report(0.95, "Waiting for the disk")
        all_on_disk(partial)
    except Cancelled:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    except Exception as error:  # SpatialData, anndata, zarr and the disk each raise their own
        shutil.rmtree(partial, ignore_errors=True)
        raise _not_written(path, error) from error
    return partial


def put_in_place(partial: Path, path: Path, journal: Journal, record: dict[str, Any]) -> None:
    """Give a store from `write_store` its journal and its place; it is there whole or not at all.

    Parameters
    ----------
    partial, path
        The store, and its place.
    journal
        What has been done.
    record
        Says what of it is saved.

    Raises
    ------
    DocumentError
        When the disk is full or cannot be written.
    """
    try:
        journal.copy_to(partial / HOME / "journal.log", record)
        partial.replace(path)
        on_disk(path.parent)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise _not_written(path, error) from error


def _not_written(path: Path, error: Exception) -> DocumentError:
    return DocumentError(
        f"The section could not be written to '{path}' ({_why(error)}).",
        "Free some disk space or choose another place; your work is kept in the journal.",
    )


def _record_largest(document: Document, store: Path) -> None:
    """Write down the largest ids that are known, so that nobody has to look through the labels again."""
    import zarr

    for name in document.names("labels"):
        if document.planes(name):
            continue  # its planes are looked through again when a cell is added
        largest = document.grid(name).largest
        if largest is not None:
            record_largest(zarr.open_group(store / "labels" / name, mode="r+"), largest)


def stage_changes(
    document: Document, store: Path, dirty: Iterable[Slot], replaced: frozenset[Slot], report: Report = silent
) -> dict[str, Any]:
    """Put what changed beside the store's own data, on the disk; return the intent that `carry_out` takes.

    Parameters
    ----------
    document
        What to save. No other thread changes it.
    store
        Its store.
    dirty
        The addresses that differ from the store.
    replaced
        Labels and tables that are new or replaced as a whole: not only painted on, not only some rows changed.
    report
        Progress.

    Raises
    ------
    DocumentError
        When the disk is full or cannot be written. The store is then as before.
    """
    home = store / HOME
    staging = home / "staging"
    _sweep(home)
    try:
        _check_targets(store, dirty, replaced)
        staging.mkdir(parents=True)
        with _quiet():
            intent = stage(document, store, staging, {kept_slot(s) for s in dirty}, replaced, part(report, 0.0, 0.95))
        report(0.95, "Waiting for the disk")
        all_on_disk(staging)  # a power failure must not leave an intent that names what is not there
    except (DocumentError, Cancelled):
        shutil.rmtree(staging, ignore_errors=True)
        raise
    except Exception as error:  # SpatialData, anndata, zarr and the disk each raise their own
        shutil.rmtree(staging, ignore_errors=True)
        raise _not_saved(error) from error
    return intent


def carry_out(store: Path, intent: dict[str, Any]) -> int:
    """Write the intent down, then do what it says. `settle` comes after it, when the journal knows of the save.

    Returns
    -------
    int
        How many chunks of labels that were painted on were written.

    Raises
    ------
    DocumentError
        When the disk is full or cannot be written. The store is then as before, or the next start completes it.
    """
    try:
        write_whole(store / HOME / "intent.json", json.dumps(intent).encode())
    except Exception as error:
        shutil.rmtree(store / HOME / "staging", ignore_errors=True)
        raise _not_saved(error) from error
    try:
        finish(store)
    except Exception as error:
        raise DocumentError(
            f"The save stopped halfway ({_why(error)}).",
            "Free some disk space and save again; the next start completes it too.",
        ) from error
    return sum(len(painted["move"]) + len(painted["remove"]) for painted in intent["painted"])


def _not_saved(error: Exception) -> DocumentError:
    return DocumentError(
        f"The changes could not be saved ({_why(error)}).",
        "Free some disk space, then save again, or save to a new place; your work is kept in the journal.",
    )


def _why(error: Exception) -> str:
    """Return the first line of what went wrong, in the words of whoever raised it."""
    told = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return str(told).splitlines()[0][:200]


def _check_targets(store: Path, dirty: Iterable[Slot], replaced: frozenset[Slot]) -> None:
    """Make sure that what is to be changed in place is still there: nothing is begun that cannot end."""
    changed = {(s[0], stack_name(s[1]), *s[2:]) if s[0] == "labels" else kept_slot(s) for s in dirty}
    for slot in sorted(changed):
        place = slot[1:3] if slot[0] == "transforms" else slot[:2]
        whole = place in changed and (place[0] != "labels" or place in replaced)
        in_place = slot[0] == "transforms" or len(slot) == 4 or slot[0] == "labels"
        if in_place and not whole and not _inside(store, "/".join(place)).is_dir():
            raise DocumentError(
                f"'{'/'.join(place)}' has vanished from '{store.name}' since it was opened.",
                "Save the section to a new place.",
            )


def finish(store: Path) -> bool:
    """Do what the intent says, if there is one. Return whether there was.

    Safe to call again after a kill at any moment: each step looks whether it is done already. The
    intent stays until `settle`, which is called when the journal knows of the save.
    """
    home = store / HOME
    if not (home / "intent.json").exists():
        _sweep(home)
        return False
    intent = json.loads((home / "intent.json").read_text())
    with _quiet():
        for number, swap in enumerate(intent["swaps"]):
            _swap(store, home, number, swap)
        for painted in intent["painted"]:
            move_chunks(store, home / "staging" / "chunks", painted, _inside)
        for table in intent["tables"]:
            _name_columns(store, table)
        _write_metadata(store, intent)
    _metadata_on_disk(store, intent)
    return True


def _metadata_on_disk(store: Path, intent: dict[str, Any]) -> None:
    """Wait for what was written in place: the journal says next that all of it is saved."""
    groups = {"/".join(s["target"].split("/")[:2]) for s in intent["swaps"]} | set(intent["transforms"])
    groups |= {f"labels/{painted['name']}" for painted in intent["painted"]}
    groups |= {f"tables/{table}/{part}" for table in intent["tables"] for part in ("obs", "var")}
    for file in [store / "zarr.json", *(_inside(store, group) / "zarr.json" for group in sorted(groups))]:
        if file.exists():
            on_disk(file)
    on_disk(store)


def settle(store: Path) -> None:
    """Forget the intent: the journal knows now that everything is saved."""
    (store / HOME / "intent.json").unlink(missing_ok=True)
    on_disk(store / HOME)  # found again after more steps, it would call these saved
    _sweep(store / HOME)


def steps_of(store: Path) -> int | None:
    """Return how many records the journal had when an interrupted save began; None where it does not say."""
    told = json.loads((store / HOME / "intent.json").read_text()).get("at")
    return told if isinstance(told, int) else None


def set_aside(store: Path) -> None:
    """Keep an intent that cannot be carried out out of the way, so that the store can be opened."""
    (store / HOME / "intent.json").replace(store / HOME / "intent.damaged.json")


def interrupted(store: Path) -> bool:
    """Return whether a save is under way in another process, or was killed halfway."""
    return (store / HOME / "intent.json").exists()


def _sweep(home: Path) -> None:
    """Remove what a save leaves. Before the next one begins: what lies in the trash tells it what is done."""
    for folder in ("staging", "trash"):
        shutil.rmtree(home / folder, ignore_errors=True)


def _swap(store: Path, home: Path, number: int, swap: dict[str, str]) -> None:
    target, trash = _inside(store, swap["target"]), home / "trash" / str(number)
    staged = _inside(home / "staging", swap["staged"]) if swap["staged"] else None
    if staged is not None and not staged.exists():
        return  # done before the process was killed
    if target.exists() and not trash.exists():
        trash.parent.mkdir(exist_ok=True)
        target.rename(trash)
    if staged is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        staged.rename(target)
    on_disk(target.parent)


def _inside(root: Path, relative: str) -> Path:
    path = (root / relative).resolve()
    if not path.is_relative_to(root.resolve()):
        raise DocumentError(f"The store names a place outside itself: '{relative}'.", "It may be damaged or hostile.")
    return path


def _name_columns(store: Path, table: str) -> None:
    """Make anndata's list of columns say what is there."""
    import zarr

    for side in ("obs", "var"):
        frame: Any = zarr.open_group(store / "tables" / table / side, mode="r+", use_consolidated=False)
        present = set(frame.keys()) - {frame.attrs.get("_index", "_index")}
        order = [c for c in frame.attrs["column-order"] if c in present]
        if {*order} != present or len(order) != len(frame.attrs["column-order"]):
            frame.attrs["column-order"] = [*order, *sorted(present - set(order))]


def _write_metadata(store: Path, intent: dict[str, Any]) -> None:
    import zarr

    for element_type in (*ELEMENT_TYPES, FIELDS):  # a store that had no labels gets the group with its first
        if (store / element_type).is_dir() and not (store / element_type / "zarr.json").exists():
            zarr.open_group(store / element_type, mode="a", zarr_format=3)
    if intent["transforms"]:
        zarr.consolidate_metadata(store)  # SpatialData looks there for what is new
        _write_transforms(store, intent["transforms"])
    if intent["attrs"] is not None:
        root: Any = zarr.open_group(store, mode="r+", use_consolidated=False)
        kept = {key: value for key, value in root.attrs.items() if key == "spatialdata_attrs"}
        root.attrs.put({**intent["attrs"], **kept})
    zarr.consolidate_metadata(store)


def _write_transforms(store: Path, transforms: dict[str, Any]) -> None:
    import spatialdata

    kinds = tuple(sorted({path.split("/", 1)[0] for path in transforms}))
    sdata = spatialdata.read_zarr(store, selection=kinds)  # tables would be read into memory
    for path, wanted in transforms.items():
        element_type, name = path.split("/", 1)
        if name in getattr(sdata, element_type):
            with_matrices(getattr(sdata, element_type)[name], wanted)
            sdata.write_transformations(name)
