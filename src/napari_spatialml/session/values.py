"""Values to bytes and back, without pickle: what the journal and the recipe are written with.

A value becomes a JSON description and a list of compressed buffers. Arrays keep their dtype and
their bits; columns keep their categories and their order.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from numcodecs import Blosc

from ..errors import DocumentError

__all__ = ["Encoder", "Packed", "decode", "encode", "pass_bits"]

_BITS = "biufcmM"
"""Kinds of numbers and times whose bits are kept; anything else NumPy would have to pickle."""
_CODEC = Blosc(cname="zstd", clevel=3, shuffle=Blosc.BITSHUFFLE)


@dataclass
class Packed:
    """An encoded value: ``meta`` is JSON, ``buffers`` are compressed bytes that it numbers."""

    meta: dict[str, Any]
    buffers: list[bytes] = field(default_factory=list)


class Encoder:
    """Encodes several values into one list of buffers."""

    def __init__(self, *, compress: bool = True) -> None:
        self.buffers: list[bytes] = []
        self.compress = compress

    def array(self, array: npt.NDArray[Any]) -> dict[str, Any]:
        """Encode an array; strings become a JSON list, since NumPy would pickle them."""
        array = np.asarray(array)
        if array.dtype.kind in "OUS":
            return {"t": "strings", "shape": list(array.shape), "v": [_text(v) for v in array.ravel()]}
        if array.dtype.names:
            return {"t": "record", "fields": [[name, self.array(array[name])] for name in array.dtype.names]}
        if array.dtype.kind not in _BITS:
            raise DocumentError(f"An array of {array.dtype} cannot be saved.", "Use numbers or text.")
        data = np.ascontiguousarray(array)
        return {
            "t": "array",
            "dtype": array.dtype.str,
            "shape": list(array.shape),
            "b": self.raw(self._pack(data) if data.size else b""),
        }

    def series(self, series: pd.Series[Any]) -> dict[str, Any]:
        """Encode a column; its index is that of the table and is not kept."""
        if isinstance(series.dtype, pd.CategoricalDtype):
            return {
                "t": "categorical",
                "categories": self.array(series.cat.categories.to_numpy()),
                "ordered": bool(series.cat.ordered),
                "codes": self.array(series.cat.codes.to_numpy()),
            }
        dtype: Any = series.dtype
        if isinstance(dtype, pd.StringDtype):
            return {"t": "text", "dtype": str(dtype), "v": [_text(v) for v in series]}
        if hasattr(dtype, "numpy_dtype") and isinstance(dtype, pd.api.extensions.ExtensionDtype):
            empty = series.isna()
            values = series.fillna(dtype.type(0)).to_numpy(dtype=dtype.numpy_dtype)
            return {"t": "masked", "dtype": str(dtype), "v": self.array(values), "na": self.array(empty.to_numpy())}
        return {"t": "column", "v": self.array(series.to_numpy())}

    def frame(self, frame: pd.DataFrame) -> dict[str, Any]:
        """Encode a data frame with its index."""
        return {
            "t": "frame",
            "index": self.array(frame.index.to_numpy()),
            "index_name": frame.index.name,
            "columns": [[str(name), self.series(frame[name])] for name in frame.columns],
        }

    def any(self, value: Any) -> dict[str, Any]:
        """Encode a value of any kind that a document holds."""
        from . import elements

        if value is None or isinstance(value, bool | int | float | str | list | tuple | dict):
            return {"t": "json", "v": _plain(value)}
        if isinstance(value, np.ndarray | np.generic):
            return self.array(np.asarray(value))
        if isinstance(value, pd.Series):
            return self.series(value)
        if isinstance(value, pd.DataFrame) and type(value) is pd.DataFrame:
            return self.frame(value)
        if sp.issparse(value):
            m = sp.csr_matrix(value)
            parts = {"data": self.array(m.data), "indices": self.array(m.indices), "indptr": self.array(m.indptr)}
            return {"t": "csr", "shape": list(m.shape), **parts}
        return elements.encode_element(self, value)

    def raw(self, data: bytes) -> int:
        """Keep bytes as they are; return their number."""
        self.buffers.append(bytes(data))
        return len(self.buffers) - 1

    def _pack(self, data: npt.NDArray[Any]) -> bytes:
        return bytes(_CODEC.encode(data)) if self.compress else data.tobytes()


class _Passed(Encoder):
    """Encodes without keeping the buffers: each is passed on."""

    def __init__(self, take: Callable[[bytes], object]) -> None:
        super().__init__(compress=False)
        self._take, self._count = take, 0

    def raw(self, data: bytes) -> int:
        self._take(data)
        self._count += 1
        return self._count - 1


def pass_bits(value: Any, take: Callable[[bytes], object]) -> None:
    """Give the description and then the bits of a value to ``take``, as `encode` uncompressed holds them.

    They are never in memory together: the value is encoded twice.
    """
    meta = _Passed(lambda _: None).any(value)
    take(json.dumps(meta, sort_keys=True).encode())
    _Passed(take).any(value)


def encode(value: Any, *, compress: bool = True) -> Packed:
    """Encode one value; uncompressed, the buffers are its bits, to be hashed."""
    encoder = Encoder(compress=compress)
    meta = encoder.any(value)
    return Packed(meta, encoder.buffers)


def decode(meta: dict[str, Any], buffers: list[bytes]) -> Any:
    """Make a value again from what `encode` gave.

    Raises
    ------
    DocumentError
        When the description names a kind of value that this version does not know.
    """
    from . import elements

    kind = meta.get("t")
    if kind == "json":
        return meta["v"]
    if kind == "strings":
        return np.array(meta["v"], dtype=object).reshape(meta["shape"])
    if kind == "array":
        return _array(meta, buffers)
    if kind == "categorical":
        codes = decode(meta["codes"], buffers)
        values = pd.Categorical.from_codes(codes, decode(meta["categories"], buffers), ordered=meta["ordered"])
        return pd.Series(values)
    if kind == "column":
        return pd.Series(decode(meta["v"], buffers))
    if kind == "text":
        return pd.Series(meta["v"], dtype=meta["dtype"])
    if kind == "masked":
        return pd.Series(decode(meta["v"], buffers)).astype(meta["dtype"]).mask(decode(meta["na"], buffers))
    if kind == "record":
        fields = {name: decode(m, buffers) for name, m in meta["fields"]}
        return np.rec.fromarrays(list(fields.values()), names=list(fields))  # type: ignore[call-overload]
    if kind == "frame":
        index = pd.Index(decode(meta["index"], buffers), name=meta["index_name"])
        columns = {name: decode(m, buffers).set_axis(index) for name, m in meta["columns"]}
        return pd.DataFrame(columns, index=index)
    if kind == "csr":
        parts = [decode(meta[name], buffers) for name in ("data", "indices", "indptr")]
        return sp.csr_matrix(tuple(parts), shape=tuple(meta["shape"]))
    return elements.decode_element(meta, buffers)


def _array(meta: dict[str, Any], buffers: list[bytes]) -> npt.NDArray[Any]:
    dtype, shape = np.dtype(meta["dtype"]), tuple(int(n) for n in meta["shape"])
    if dtype.kind not in _BITS:
        raise DocumentError(f"The journal holds an array of {dtype}.", "It was not written by this program.")
    if 0 in shape:
        return np.empty(shape, dtype)
    flat = np.frombuffer(_CODEC.decode(buffers[meta["b"]]), dtype=dtype)
    return flat.reshape(shape).copy()


def _text(value: Any) -> str | bool | int | float | None:
    if value is None or (isinstance(value, float) and value != value) or value is pd.NA:
        return None
    if isinstance(value, bool | int | float | np.number | np.bool_):
        plain: bool | int | float = value.item() if isinstance(value, np.generic) else value
        return plain
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return str(value)


def _plain(value: Any) -> Any:
    """Turn NumPy numbers and tuples inside JSON values into plain ones."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value
