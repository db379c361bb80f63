"""TIFF, OME-TIFF and SVS through tifffile: levels stay on disk, pixel size and channels from the metadata."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInput
from .xml_prolog import refuse_entities

if TYPE_CHECKING:
    import dask.array as da
    from tifffile import TiffFile, TiffPageSeries

__all__ = ["load_tiff"]

CHUNK = 1024
EAGER = 1 << 27
"""Bytes of an image in strips that is read at once."""
MAPPED = 1 << 24
"""Bytes of an uncompressed image above which it is left on disk."""
LARGEST_PIECE = 1 << 31
"""Bytes of one strip or tile, unpacked, beyond which a file is refused."""
UM_PER = {
    "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0,
    "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6, "å": 1e-4, "pm": 1e-6, "inch": 25400.0, "in": 25400.0,
}  # fmt: skip
PRINT_DENSITIES = (1, 72, 75, 96, 100, 120, 144, 150, 180, 200, 240, 300, 350, 360, 400, 600, 720, 1200, 2400)
"""Dots per inch that programs write when they know no size: said to a printer, not of the tissue."""


def load_tiff(path: Path, notes: list[str]) -> tuple[list[da.Array], list[str], tuple[float, ...] | None]:
    """Return the levels (c, y, x), channel names and (y, x) pixel size in µm, None if not stated.

    Of a stack the levels are (c, z, y, x), and the distance of the planes comes last, where the file says it.
    """
    import tifffile

    try:
        file = tifffile.TiffFile(path)
        if file.is_ome and file.ome_metadata:
            refuse_entities([file.ome_metadata.encode()], f"The OME metadata of '{path.name}'")
        return _load(file, path, notes)
    except BadInput:
        raise
    except Exception as error:  # whatever a damaged tag makes tifffile, zarr or the XML parser raise
        raise BadInput(
            f"The image '{path.name}' is damaged or cut off ({error}).", "Copy or export it again."
        ) from error


def _load(file: TiffFile, path: Path, notes: list[str]) -> tuple[list[da.Array], list[str], tuple[float, ...] | None]:
    series = file.series[0]
    _check_complete(series, path)
    levels = _levels(series, path)
    channels = _channels(file, series, levels[0].shape[0])
    _note_other_series(file, series, path, notes)
    if any(axis in series.axes for axis in "IQ") and len(channels) > 1:
        notes.append(f"The {len(channels)} pages of '{path.name}' were taken as channels.")
    levels, channels = _without_alpha(series, levels, channels, path, notes)
    size, apart = _pixel_size(file, path, notes), _plane_distance(file) if levels[0].ndim == 4 else None
    return levels, channels, size if size is None or apart is None else (*size, apart)


def _check_complete(series: TiffPageSeries, path: Path) -> None:
    """Raise `BadInput` when a tile or strip lies behind the end of the file, without reading any."""
    size = path.stat().st_size
    for level in series.levels:
        for page in level.pages:
            if page is None:
                continue
            need = int(np.max(np.add(page.dataoffsets, page.databytecounts), initial=0))
            if need > size:
                raise BadInput(
                    f"The image '{path.name}' is cut off: it needs {need:,} bytes and has {size:,}.",
                    "Copy or export it again.",
                )


def _levels(series: TiffPageSeries, path: Path) -> list[da.Array]:
    import dask.array as da

    page = series.keyframe
    if _photometric(page) == "PALETTE" and not page.is_imagej:
        raise BadInput(f"The image '{path.name}' stores colour numbers (a palette).", "Save it as RGB and open that.")
    mapped = page.is_memmappable and series.nbytes > MAPPED
    if len(series.levels) == 1 and not page.is_tiled and not mapped and series.nbytes <= EAGER:
        # strips of a few rows: small enough to read, and a damaged one is found at once
        return [_rechunked(_as_cyx(da.from_array(series.asarray(), chunks=-1), series.axes, path))]
    return [_rechunked(_as_cyx(_lazy(series, i), level.axes, path)) for i, level in enumerate(series.levels)]


def _photometric(page: Any) -> str:
    """Return what a page's values mean, "" for a code that tifffile does not know."""
    return str(getattr(page.photometric, "name", ""))


class _Mapped:
    """An uncompressed image on disk. dask would copy a bare memory map into memory, so it gets this."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __getitem__(self, key: Any) -> Any:
        return np.array(self._array[key])


def _lazy(series: TiffPageSeries, i: int) -> da.Array:
    """Return the level ``i`` as a dask array that reads its tiles when they are asked for.

    Its name is random: dask would give two files of one shape and type the same name otherwise.
    """
    import dask.array as da
    import tifffile
    import zarr

    level = series.levels[i]
    if i == 0 and level.keyframe.is_memmappable and level.dataoffset is not None:
        mapped = tifffile.memmap(level.keyframe.parent.filehandle.path, series=0, mode="r")
        if mapped.shape == level.shape:
            sizes = tuple(
                min(n, CHUNK) if axis in "YX" else 1 if axis == "Z" else n
                for axis, n in zip(level.axes, mapped.shape, strict=True)
            )
            return da.from_array(_Mapped(mapped), chunks=sizes, name=False)
    array: Any = zarr.open_array(series.aszarr(level=i), mode="r")
    if math.prod(array.chunks) * array.dtype.itemsize > LARGEST_PIECE:
        raise BadInput(
            f"The image {array.shape} is packed in pieces of {array.chunks}, too large to unpack.",
            "Convert it to a tiled, pyramidal TIFF.",
        )
    # several tiles a chunk: fewer, larger tasks; a multiple, so that no tile is decoded twice
    chunks = tuple(
        min(n, max(t, CHUNK // t * t)) if axis in "YX" else t if axis == "Z" else n
        for axis, n, t in zip(level.axes, array.shape, array.chunks, strict=True)
    )
    return da.from_array(array, chunks=chunks, name=False)


def _as_cyx(values: da.Array, axes: str, path: Path) -> da.Array:
    """Return the array as (c, y, x), or (c, z, y, x) where it has several planes; one time point only."""
    if "T" in axes and values.shape[axes.index("T")] > 1:
        raise BadInput(
            f"The image '{path.name}' has {values.shape[axes.index('T')]} time points.",
            "Export one of them, or a projection, and open that.",
        )
    for axis in "TZ":
        if axis in axes and values.shape[axes.index(axis)] == 1:
            values, axes = values.squeeze(axis=axes.index(axis)), axes.replace(axis, "")
    if "Y" not in axes or "X" not in axes:
        raise BadInput(f"The image '{path.name}' has the axes '{axes}', without y and x.", "Export it as an image.")
    last = [axes.index(axis) for axis in "ZYX" if axis in axes]
    values = values.transpose([i for i in range(len(axes)) if i not in last] + last)
    return values.reshape((-1, *values.shape[-len(last) :]))


def _rechunked(values: da.Array) -> da.Array:
    """Return the array in regular chunks of at most about 1024 × 1024 and three channels, plane by plane."""
    c, *_, y, x = (n if n <= 2 * CHUNK else CHUNK for n in values.chunksize)
    return values.rechunk((min(c, 3), *(1,) * (values.ndim - 3), y, x))


def _channels(file: TiffFile, series: TiffPageSeries, n: int) -> list[str]:
    if series.axes.endswith("S") and _photometric(series.keyframe) in ("RGB", "YCBCR") and n in (3, 4):
        return ["r", "g", "b", "a"][:n]
    names: list[str] = []
    if file.is_ome:
        pixels = _ome_pixels(file)
        listed = pixels.get("Channel", [])
        listed = listed if isinstance(listed, list) else [listed]
        names = [str(channel.get("Name") or i) for i, channel in enumerate(listed)]
    elif file.is_imagej:
        labels = (file.imagej_metadata or {}).get("Labels") or []
        names = [str(label) for label in labels]
    if len(names) != n:
        names = ["grey"] if n == 1 else [str(i) for i in range(n)]
    if len(set(names)) != n:
        names = [f"{name} {i}" for i, name in enumerate(names)]
    return names


def _without_alpha(
    series: TiffPageSeries, levels: list[Any], channels: list[str], path: Path, notes: list[str]
) -> tuple[list[Any], list[str]]:
    extra = series.keyframe.extrasamples
    alpha = series.axes.endswith("S") and len(channels) in (2, 4) and (channels[-1] == "a" or bool(extra))
    if not alpha:
        return levels, channels
    notes.append(f"The alpha channel of '{path.name}' was left out.")
    kept = channels[:-1] if len(channels) == 4 else ["grey"]
    return [level[: len(kept)] for level in levels], kept


def _note_other_series(file: TiffFile, series: TiffPageSeries, path: Path, notes: list[str]) -> None:
    others = [s for s in file.series[1:] if s.kind != "thumbnail"]
    if others:
        names = ", ".join(s.name or "×".join(map(str, s.shape)) for s in others[:4])
        notes.append(f"'{path.name}' holds {len(others)} more images ({names}); the first was opened.")


def _ome_pixels(file: TiffFile) -> dict[str, Any]:
    import tifffile

    tree = tifffile.xml2dict(file.ome_metadata or "")
    image = tree.get("OME", {}).get("Image", {})
    image = image[0] if isinstance(image, list) else image
    pixels: dict[str, Any] = image.get("Pixels", {})
    return pixels


def _pixel_size(file: TiffFile, path: Path, notes: list[str]) -> tuple[float, float] | None:
    """Return the (y, x) pixel size in µm from OME, Aperio, ImageJ or resolution tags, in that order."""
    if file.is_ome:
        pixels = _ome_pixels(file)
        sizes = [_ome_size(pixels, axis) for axis in "YX"]
        if sizes[0] and sizes[1]:
            return sizes[0], sizes[1]
    page = file.pages.first
    if file.is_svs:
        found = re.search(r"MPP\s*=\s*([0-9.]+)", page.description)
        if found and float(found[1]) > 0:
            return float(found[1]), float(found[1])
    per_unit = [_resolution(page, axis) for axis in "YX"]
    if not (per_unit[0] and per_unit[1]):
        return None
    unit = _resolution_unit(file, page)
    if unit is None:
        return None
    dots = 25400.0 / unit * per_unit[1]
    if not file.is_imagej and any(abs(dots - d) < 0.003 * d for d in PRINT_DENSITIES):
        notes.append(f"'{path.name}' says {dots:.0f} dots per inch, which is meant for print: not used as pixel size.")
        return None
    return unit / per_unit[0], unit / per_unit[1]


def _plane_distance(file: TiffFile) -> float | None:
    """Return the distance of two planes in µm as OME or ImageJ say it."""
    if file.is_ome:
        return _ome_size(_ome_pixels(file), "Z")
    told = file.imagej_metadata if file.is_imagej else None
    apart, unit = (told or {}).get("spacing"), str((told or {}).get("unit", "")).strip().lower()
    um = UM_PER.get(unit.replace("\\u00b5", "µ"))
    return float(apart) * um if apart is not None and um is not None and float(apart) > 0 else None


def _ome_size(pixels: dict[str, Any], axis: str) -> float | None:
    value = pixels.get(f"PhysicalSize{axis}")
    unit = UM_PER.get(str(pixels.get(f"PhysicalSize{axis}Unit", "µm")).strip().lower())
    if value is None or unit is None or not float(value) > 0:
        return None
    return float(value) * unit


def _resolution(page: Any, axis: str) -> float | None:
    tag = page.tags.get(f"{axis}Resolution")
    if tag is None or not isinstance(tag.value, tuple) or not tag.value[1]:
        return None
    value = tag.value[0] / tag.value[1]
    return value if value > 0 else None


def _resolution_unit(file: TiffFile, page: Any) -> float | None:
    """Return the µm of the resolution tag's unit, None where it has none."""
    if file.is_imagej:
        unit = str((file.imagej_metadata or {}).get("unit", "")).strip().lower()
        return UM_PER.get(unit.replace("\\u00b5", "µ"))
    tag = page.tags.get("ResolutionUnit")
    return {2: 25400.0, 3: 10000.0}.get(int(tag.value)) if tag is not None else None
