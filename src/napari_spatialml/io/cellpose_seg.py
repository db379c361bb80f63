"""Cellpose's ``_seg.npy``: masks with what its window needs to show them.

The file is a pickle, which may run anything when it is loaded. So it never is: it is read by an unpickler
that knows plain containers and arrays of numbers, makes those itself, and refuses everything else.
"""

from __future__ import annotations

import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .writing import written

__all__ = ["CellposeMasks", "is_cellpose_seg", "read_cellpose", "write_cellpose"]

LARGEST = 4_000_000_000
_NUMBERS = re.compile(r"[<>|=]?[biufc?][0-9]{0,2}|[<>|=]?[SU][0-9]{1,6}")
_MAGIC = b"\x93NUMPY"


@dataclass(frozen=True, eq=False)
class CellposeMasks:
    """What a file of Cellpose says.

    Parameters
    ----------
    masks
        (y, x) labels, 0 for background.
    filename
        The image that was segmented, or "".
    diameter_px
        The diameter that Cellpose was told or found, or 0.
    by_hand
        (n,) whether each cell was drawn by hand, in the order of the labels.
    """

    masks: npt.NDArray[Any]
    filename: str = ""
    diameter_px: float = 0.0
    by_hand: npt.NDArray[np.bool_] | None = None


def is_cellpose_seg(path: Path) -> bool:
    """Return whether a file is named and begins as Cellpose's are."""
    if not path.is_file() or not path.name.lower().endswith("_seg.npy"):
        return False
    with path.open("rb") as file:
        return file.read(6) == _MAGIC


def read_cellpose(path: Path) -> CellposeMasks:
    """Read the masks of a file without running anything that it may hold.

    Raises
    ------
    BadInput
        When it holds something other than containers and arrays of numbers, no masks, or a stack of planes.
    """
    held = _loaded(path)
    masks = _array(held.get("masks"))
    if masks is None:
        raise BadInput(f"'{path.name}' holds no masks.", "Save the masks in Cellpose again.")
    if masks.dtype.kind not in "iub":
        raise BadInput(f"The masks of '{path.name}' are of {masks.dtype}, not whole numbers.", "Save them again.")
    flat = masks[0] if masks.ndim == 3 and len(masks) == 1 else masks
    if flat.ndim != 2:
        raise BadInput(f"The masks of '{path.name}' have the shape {masks.shape}.", "Save one plane.")
    labels = np.array(flat, dtype=np.int64)
    if labels.size and labels.min() == -1:  # versions before 0.1 counted from −1
        labels += 1
    if labels.size and (labels.min() < 0 or labels.max() >= 2**31):
        raise BadInput(f"The masks of '{path.name}' reach from {labels.min()} to {labels.max()}.", "Save them again.")
    labels = _named(labels, _array(held.get("cell_ids")))
    by_hand = _array(held.get("ismanual"))
    diameter = held.get("diameter", held.get("est_diam"))
    return CellposeMasks(
        labels.astype(np.int32),
        _text(held.get("filename")),
        _number(diameter),
        by_hand if by_hand is not None and by_hand.dtype == bool else None,
    )


def _named(labels: npt.NDArray[np.int64], ids: npt.NDArray[Any] | None) -> npt.NDArray[np.int64]:
    """Give the cells the ids they had before they were numbered for Cellpose."""
    n = int(labels.max(initial=0))
    fits = ids is not None and ids.shape == (n,) and ids.dtype.kind in "iu"
    if not fits or ids is None or len(np.unique(ids)) != n or (n and (ids.min() < 1 or ids.max() >= 2**31)):
        return labels
    return np.concatenate([[0], ids.astype(np.int64)])[labels]


def write_cellpose(path: Path, masks: npt.NDArray[Any], *, filename: str = "", diameter_px: float = 0.0) -> None:
    """Write masks as Cellpose's window saves and opens them.

    Parameters
    ----------
    path
        ``NAME_seg.npy`` beside the image ``NAME.tif``.
    masks
        (y, x) labels. Cellpose numbers cells from 1 on; their ids are kept beside, as "cell_ids".
    filename
        The image.
    diameter_px
        The cells' typical diameter; their median if 0.
    """
    import pandas as pd
    from skimage.segmentation import find_boundaries

    codes, found = pd.factorize(np.concatenate([[0], masks.ravel()]), sort=True)
    numbers, ids = codes[1:].reshape(masks.shape), np.asarray(found)[1:]
    kind = np.uint16 if len(ids) < 2**16 - 1 else np.uint32
    numbers = numbers.astype(kind)
    borders: Any = find_boundaries  # untyped
    areas = np.bincount(numbers.ravel(), minlength=len(ids) + 1)[1:]
    diameter = diameter_px or (float(np.median(2 * np.sqrt(areas / np.pi))) if len(ids) else 30.0)
    held = {
        "outlines": numbers * borders(numbers, mode="inner").astype(kind),
        "masks": numbers,
        "chan_choose": [0, 0],
        "ismanual": np.zeros(len(ids), bool),
        "filename": filename,
        "flows": [[], [], [], [], [[]]],
        "est_diam": diameter,
        "diameter": diameter,
        "cell_ids": ids.astype(np.int64),
    }
    with written(path) as file:
        np.save(file, held, allow_pickle=True)  # type: ignore[arg-type]


def _loaded(path: Path) -> dict[str, Any]:
    if path.stat().st_size > LARGEST:
        raise BadInput(f"'{path.name}' has {path.stat().st_size:,} bytes.", "Save a smaller piece in Cellpose.")
    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
            if not dtype.hasobject or shape != ():
                raise BadInput(f"'{path.name}' is an array, not Cellpose's file.", "Open it as an image of labels.")
            held = _Plain(file).load()
        except BadInput:
            raise
        except _Refused as error:
            raise BadInput(
                f"'{path.name}' holds '{error}', which could run a program, so it was not opened.",
                "Save the masks in Cellpose again, or as a PNG or TIFF.",
            ) from error
        except Exception as error:  # whatever a damaged stream does to the unpickler
            raise BadInput(f"'{path.name}' is damaged or cut short ({error}).", "Save it in Cellpose again.") from error
    held = held.data[0] if isinstance(held, _Array) and isinstance(held.data, list) and len(held.data) == 1 else held
    if not isinstance(held, dict):
        raise BadInput(f"'{path.name}' is not Cellpose's file.", "Choose a file named NAME_seg.npy.")
    return held


class _Refused(Exception):
    """The file asks for something that is neither a container nor an array of numbers."""


class _Dtype:
    """Stands for numpy's dtype while a file is read: numbers and text only, and objects as a plain list."""

    def __init__(self, code: Any = "", *_: Any) -> None:
        if not isinstance(code, str) or not (code == "O8" or code == "O" or _NUMBERS.fullmatch(code)):
            raise _Refused(f"numpy.dtype({code!r:.40})")
        self.code, self.order = code, ""

    def __setstate__(self, state: Any) -> None:
        order, parts = state[1], state[2:5]
        if order not in ("<", ">", "|", "=") or any(p is not None for p in parts):
            raise _Refused("a structured numpy.dtype")
        self.order = order

    @property
    def objects(self) -> bool:
        return self.code.startswith("O")

    def made(self) -> np.dtype[Any]:
        code = self.code if self.code[0] in "<>|=" else (self.order if self.order in "<>" else "") + self.code
        return np.dtype(code)


class _Array:
    """Stands for numpy's array while a file is read."""

    def __init__(self) -> None:
        self.data: Any = None

    def __setstate__(self, state: Any) -> None:
        shape, dtype, fortran, data = state[-4:]
        self.fill(shape, dtype, bool(fortran), data)

    def fill(self, shape: Any, dtype: Any, fortran: bool, data: Any) -> None:
        """Take in the numbers, which must be as many as the shape says."""
        if not isinstance(dtype, _Dtype) or not isinstance(shape, tuple) or not all(type(n) is int for n in shape):
            raise _Refused("an array of an unknown kind")
        if dtype.objects:
            self.data = list(data) if isinstance(data, list) else data
        else:
            flat = np.frombuffer(data, dtype.made())
            self.data = flat.reshape(shape, order="F" if fortran else "C")


def _reconstruct(kind: Any, shape: Any, code: Any) -> _Array:
    if kind is not _Array:
        raise _Refused("an array of an unknown kind")
    return _Array()


def _scalar(dtype: Any, data: Any = b"") -> Any:
    if not isinstance(dtype, _Dtype) or dtype.objects:
        raise _Refused("a number of an unknown kind")
    return np.frombuffer(data, dtype.made(), count=1)[0]


def _buffer(data: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    made = _Array()
    made.fill(shape, dtype, order == "F", data)
    return made


def _path(*parts: Any) -> str:
    return "/".join(str(p) for p in parts)


def _latin(text: Any, encoding: Any = "latin1") -> bytes:
    """Bytes as Python 2's protocol keeps them."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise _Refused("_codecs.encode")
    return text.encode("latin1")


_KNOWN = {
    ("_codecs", "encode"): _latin,
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Array,
    **{(f"numpy.{c}.multiarray", "_reconstruct"): _reconstruct for c in ("core", "_core")},
    **{(f"numpy.{c}.multiarray", "scalar"): _scalar for c in ("core", "_core")},
    **{(f"numpy.{c}.numeric", "_frombuffer"): _buffer for c in ("core", "_core")},
    **{(m, n): _path for m in ("pathlib", "pathlib._local") for n in ("PosixPath", "WindowsPath")},
}


class _Plain(pickle._Unpickler):  # type: ignore[name-defined,misc]
    """Makes plain containers and arrays of numbers, and nothing else.

    Python's own unpickler, not the compiled one: that one can be made to fill the memory by one number.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise _Refused(f"{module}.{name}"[:80])
        return _KNOWN[module, name]

    def load_build(self) -> None:
        """Give a state only to what has one: what is known must not be changed by a file."""
        if not isinstance(self.stack[-2], _Dtype | _Array):
            raise _Refused("a state of an unknown kind")
        super().load_build()

    dispatch: ClassVar[dict[int, Any]] = {**pickle._Unpickler.dispatch, pickle.BUILD[0]: load_build}  # type: ignore[attr-defined]

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("a reference to elsewhere")

    def get_extension(self, code: int) -> Any:
        raise _Refused("an extension of pickle")


def _array(value: Any) -> npt.NDArray[Any] | None:
    return value.data if isinstance(value, _Array) and isinstance(value.data, np.ndarray) else None


def _text(value: Any) -> str:
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float:
    if isinstance(value, _Array) and isinstance(value.data, np.ndarray) and value.data.size == 1:
        value = value.data.ravel()[0]
    number = float(value) if isinstance(value, int | float | np.number) else 0.0
    return number if np.isfinite(number) and number > 0 else 0.0
