"""Images: PNG and JPEG through Pillow, TIFF, OME-TIFF and SVS through tifffile, as SpatialData elements."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInput
from .document import GLOBAL, assemble, element_name
from .format import Format
from .units import Units, agree

if TYPE_CHECKING:
    import dask.array as da
    from spatialdata import SpatialData

__all__ = ["FORMAT", "LARGE", "image_element", "is_image", "read_image"]

LARGE = 4096
"""An image with a side longer than this gets a pyramid."""
CHUNK = 1024
SMALLEST = 512
SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".svs", ".ndpi", ".btf")


def is_image(path: Path) -> bool:
    """Return whether the file starts as a PNG, JPEG or TIFF does, or is empty and named as one."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(8)
    return head.startswith(SIGNATURES) or (path.suffix.lower() in SUFFIXES and not head)


def read_image(path: Path, units: Units) -> SpatialData:
    """Read an image into a document of one element, lazily where it is large."""
    notes: list[str] = []
    element = image_element(path, units, notes)
    return assemble({element_name(path): element}, path, FORMAT.name, notes)


def image_element(path: Path, units: Units, notes: list[str], pixel_um: float | None = None) -> Any:
    """Return the image element of a file.

    Parameters
    ----------
    units
        What the person stated, used when the file does not say its pixel size.
    notes
        Gets a line for each thing that was left out or assumed.
    pixel_um
        Pixel size in µm where something better than the image knows it (a spot table); the image's
        own metadata is then not asked.
    """
    from spatialdata.transformations import Scale

    levels, channels, metadata = load(path, notes)
    if pixel_um is not None:
        y, x = pixel_um, pixel_um
    else:
        y, x = pixel_size(path, units, None if metadata is None else (metadata[0], metadata[1]))
    if levels[0].ndim == 4:
        apart = metadata[2] if metadata is not None and len(metadata) > 2 else None
        if apart is None:
            notes.append(f"'{path.name}' does not say how far its planes lie apart: 1 µm was taken.")
        return stack(levels[0], channels, Scale([x, y, apart or 1.0], axes=("x", "y", "z")))
    return raster(levels, channels, Scale([x, y], axes=("x", "y")))


def load(path: Path, notes: list[str]) -> tuple[list[da.Array], list[str], tuple[float, ...] | None]:
    """Return the levels (c, y, x), channel names and (y, x) pixel size in µm, None if not stated.

    See `load_tiff` for stacks.
    """
    if path.stat().st_size == 0:
        raise BadInput(f"The image '{path.name}' has 0 bytes.", "Copy or export it again.")
    with path.open("rb") as file:
        tiff = file.read(4).startswith((b"II", b"MM"))
    if tiff:
        from .tiff import load_tiff

        return load_tiff(path, notes)
    return load_picture(path, notes)


def pixel_size(path: Path, units: Units, metadata: tuple[float, float] | None) -> tuple[float, float]:
    """Return the (y, x) pixel size in µm; anisotropic pixels stay so."""
    what = f"The image '{path.name}'"
    if metadata is None:
        size = units.length("pixel_size_um", what)
        return size, size
    if units.pixel_size_um is not None:
        for size in metadata:
            agree(units.pixel_size_um, size, "pixel_size_um", what)
    return metadata


def load_picture(path: Path, notes: list[str]) -> tuple[list[da.Array], list[str], None]:
    """Read a PNG or JPEG whole: these have no tiles. Their dots per inch are for print, and not read.

    A large one gets its coarser levels here: left lazy, the window would wait for them when it first draws it.
    """
    import dask.array as da
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                values = _pixels(picture, path, notes)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadInput(
            f"The image '{path.name}' has more than {Image.MAX_IMAGE_PIXELS:,} pixels, too many for its format.",
            "Convert it to a tiled, pyramidal TIFF, which is read piece by piece.",
        ) from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise BadInput(
            f"The image '{path.name}' is damaged or cut off ({error}).", "Copy or export it again."
        ) from error
    values, channels = split_channels(values, path, notes)
    levels = [values]
    for _ in range(_steps(values.shape)):
        levels.append(_halved(levels[-1]))
    return [da.from_array(v, chunks=(v.shape[0], CHUNK, CHUNK), name=False) for v in levels], channels, None


def _halved(values: Any) -> Any:
    """Return (c, y, x) pixels at half the size: the mean of four each, an odd row or column left out."""
    wide = {"u1": np.uint16, "u2": np.uint32}.get(values.dtype.str[1:], np.float64)
    h, w = (n // 2 * 2 for n in values.shape[1:])
    total = np.zeros((values.shape[0], h // 2, w // 2), wide)
    for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):
        total += values[:, y:h:2, x:w:2]
    return (total // 4 if wide is not np.float64 else total / 4).astype(values.dtype)


def _pixels(picture: Any, path: Path, notes: list[str]) -> Any:
    """Return the pixels as (y, x) or (y, x, samples), 16 bits kept."""
    if picture.format == "PNG" and _png_bits(path) == 16 and picture.mode not in ("I", "I;16", "I;16B"):
        import imagecodecs

        picture.load()  # Pillow finds a file that is cut off; imagecodecs keeps all 16 bits
        return imagecodecs.png_decode(path.read_bytes())
    if picture.mode in ("P", "PA"):
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    elif picture.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        notes.append(f"The colours of '{path.name}' were converted from {picture.mode} to RGB.")
        picture = picture.convert("RGB")
    elif picture.mode == "1":
        picture = picture.convert("L")
    values = np.asarray(picture)
    if picture.format == "PNG" and values.dtype == np.int32:
        return values.astype(np.uint16)  # a grey PNG of 16 bits, as older Pillows read it
    return values


def _png_bits(path: Path) -> int:
    with path.open("rb") as file:
        return file.read(25)[24]  # the bit depth is the 25th byte of every PNG


def split_channels(values: Any, path: Path, notes: list[str]) -> tuple[Any, list[str]]:
    """Return (y, x[, samples]) pixels as (c, y, x) with names; an alpha channel is dropped, and noted."""
    if values.ndim == 2:
        return values[np.newaxis], ["grey"]
    samples = values.shape[2]
    if samples in (2, 4):
        notes.append(f"The alpha channel of '{path.name}' was left out.")
        values = values[..., : samples - 1]
    names = {1: ["grey"], 3: ["r", "g", "b"]}.get(values.shape[2])
    if names is None:
        names = [str(i) for i in range(values.shape[2])]
    axes = (2, 0, 1)
    return values.transpose(axes), names


def stack(planes: da.Array, channels: list[str], transformation: Any) -> Any:
    """Return the image element of a stack (c, z, y, x), with coarser levels of every plane where it is large."""
    from spatialdata.models import Image3DModel

    steps = _steps(planes.shape)
    return Image3DModel.parse(
        planes,
        dims=("c", "z", "y", "x"),
        c_coords=channels,
        transformations={GLOBAL: transformation},
        scale_factors=[{"z": 1, "y": 2, "x": 2}] * steps or None,
    )


def _steps(shape: tuple[int, ...]) -> int:
    """Return how many coarser levels an image gets that has none."""
    longest, shortest = max(shape[-2:]), min(shape[-2:])
    steps = int(np.ceil(np.log2(longest / SMALLEST))) if longest > LARGE else 0
    return min(steps, int(np.log2(shortest)))


def raster(levels: list[da.Array], channels: list[str], transformation: Any) -> Any:
    """Return the image element of one level, or of a pyramid; a large single level gets one, lazily."""
    from spatialdata.models import Image2DModel

    if len(levels) > 1:
        return pyramid(levels, channels, transformation)
    steps = _steps(levels[0].shape)
    return Image2DModel.parse(
        levels[0],
        dims=("c", "y", "x"),
        c_coords=channels,
        transformations={GLOBAL: transformation},
        scale_factors=[2] * steps or None,
    )


def pyramid(levels: list[da.Array], channels: list[str], transformation: Any) -> Any:
    """Return a multiscale image of levels that the file already holds, none of them read."""
    from spatialdata.models import Image2DModel
    from spatialdata.transformations import set_transformation
    from xarray import DataArray, Dataset, DataTree

    height, width = levels[0].shape[1:]
    scales = {}
    for i, level in enumerate(levels):
        # SpatialData gives every level the pixel centres in the pixels of the first
        centres = {
            axis: (np.arange(n) + 0.5) * (full / n)
            for axis, n, full in zip("yx", level.shape[1:], (height, width), strict=True)
        }
        array = DataArray(level, dims=("c", "y", "x"), coords={"c": channels, **centres}, name="image")
        scales[f"scale{i}"] = Dataset({"image": array})
    tree = DataTree.from_dict(scales)
    set_transformation(tree, {GLOBAL: transformation}, set_all=True)
    Image2DModel.validate(tree)
    return tree


FORMAT = Format(
    name="image",
    title="Image",
    what="an image (PNG, JPEG, TIFF, OME-TIFF, SVS)",
    recognises=is_image,
    read=read_image,
)
