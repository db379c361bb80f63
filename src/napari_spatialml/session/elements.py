"""SpatialData's elements as values: made, described, packed and unpacked.

Labels get a wrapper, `LabelsElement`, since they are the one element that is edited in place.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..core.pyramid import downsample
from ..errors import DocumentError
from .blank import decode_tiles, encode_tiles, is_tiled
from .chunks import recorded_largest, stored
from .grid import LabelGrid
from .planes import Stack, n_planes, z_step
from .warped import Warped

if TYPE_CHECKING:
    from .values import Encoder

__all__ = ["SAVED", "LabelsElement", "image_of", "matrices", "new_labels", "shown_stack", "stack_of", "with_matrices"]

CHUNK = 1024
"""Pixels along the pieces in which labels are shown."""
LARGE = 36_000_000
"""Pixels of labels that are packed as they are; larger ones are packed tile by tile."""
SAVED = 256
"""Pixels along the chunks of labels that this program saves: a stroke rewrites one or a few of them, however
large the slide; a thousand strokes all over it are packed in a second. Stores of others keep their chunks."""


@dataclass(frozen=True)
class LabelsElement:
    """A labels element: its pyramid and where it lies.

    Parameters
    ----------
    grid
        The pixels.
    transforms
        One 3 × 3 matrix on (x, y, 1) a coordinate system: pixel corner coordinates to µm.
    """

    grid: LabelGrid
    transforms: dict[str, list[list[float]]]

    def to_spatialdata(self, chunk: int = CHUNK) -> Any:
        """Return the element as SpatialData holds it: lazy arrays that show every later change."""
        import dask.array as da
        from spatialdata.models import Labels2DModel
        from spatialdata.models.pyramids_utils import dask_arrays_to_datatree

        lazily: Any = da.from_array  # untyped
        arrays = [
            lazily(view, chunks=chunk, name=f"labels-{id(self.grid)}-{k}-{chunk}", meta=np.empty((0, 0), view.dtype))
            for k, view in enumerate(self.grid.levels)
        ]
        if len(arrays) == 1:
            element = Labels2DModel.parse(arrays[0], dims=("y", "x"))
        else:
            element = _placed_pyramid(
                dask_arrays_to_datatree(arrays, ["y", "x"]),
                {name: transformation_of(m) for name, m in self.transforms.items()},
            )
        return with_matrices(element, self.transforms)


def _placed_pyramid(tree: Any, transformations: dict[str, Any]) -> Any:
    """Give a pyramid that has no transformations yet its first ones, and its pixels their coordinates."""
    from spatialdata.transformations import set_transformation
    from spatialdata.transformations._utils import compute_coordinates

    set_transformation(tree, transformations, set_all=True)
    return compute_coordinates(tree)


def new_labels(
    labels: npt.NDArray[Any], transforms: dict[str, list[list[float]]], *, smallest: int = 1024
) -> LabelsElement:
    """Make a labels element of an array, with a pyramid down to about ``smallest`` pixels."""
    levels, factor = [np.ascontiguousarray(labels)], 2
    while max(levels[-1].shape) > smallest * 2:
        levels.append(downsample(levels[0], factor))
        factor *= 2
    return LabelsElement(LabelGrid(levels), dict(transforms))


def labels_of(element: Any) -> LabelsElement:
    """Wrap a labels element of SpatialData without reading its pixels.

    Raises
    ------
    DocumentError
        When the labels are not two-dimensional.
    """
    arrays = _levels(element)
    if arrays[0].ndim != 2:
        raise DocumentError("These labels are a stack of planes.", "Name one of its planes, such as 'nuclei[0]'.")
    levels = stored(arrays)
    return LabelsElement(LabelGrid(levels, recorded_largest(levels[0])), matrices(element))


def stack_of(element: Any) -> tuple[Stack, Any]:
    """Return labels (z, y, x) as planes that can be edited, and the element that shows every change of them."""
    stack = Stack(_levels(element))
    return stack, shown_stack(stack, element)


def shown_stack(stack: Stack, element: Any) -> Any:
    """Return the element that shows a stack, where another one of the same planes lies."""
    import dask.array as da
    from spatialdata.models import Labels3DModel
    from spatialdata.models.pyramids_utils import dask_arrays_to_datatree
    from spatialdata.transformations import get_transformation

    places = get_transformation(element, get_all=True)
    lazily: Any = da.from_array  # untyped
    views = [stack.level(k) for k in range(len(stack.shapes))]
    shown = [
        lazily(v, chunks=(1, CHUNK, CHUNK), name=f"stack-{id(stack)}-{k}", meta=np.empty((0, 0, 0), v.dtype))
        for k, v in enumerate(views)
    ]
    if len(shown) == 1:
        return Labels3DModel.parse(shown[0], dims=("z", "y", "x"), transformations=dict(places))
    return _placed_pyramid(dask_arrays_to_datatree(shown, ["z", "y", "x"]), dict(places))


def _levels(element: Any) -> list[Any]:
    from xarray import DataTree

    if isinstance(element, DataTree):
        scales: list[Any] = [element[scale] for scale in element.children]
        return [next(iter(scale.values())).data for scale in scales]
    return [element.data]


def matrices(element: Any) -> dict[str, list[list[float]]]:
    """Return an element's affine transformations by coordinate system, as 3 × 3 on (x, y, 1)."""
    from spatialdata.transformations import get_transformation

    found = get_transformation(element, get_all=True)
    axes = ("x", "y")
    return {
        str(name): t.to_affine_matrix(input_axes=axes, output_axes=axes).astype(float).tolist()
        for name, t in found.items()
    }


def with_matrices(element: Any, transforms: dict[str, list[list[float]]]) -> Any:
    """Give an element exactly these transformations; return the element."""
    from spatialdata.transformations import get_transformation, remove_transformation, set_transformation

    old = set(get_transformation(element, get_all=True))
    step, area = (z_step(element), _area(next(iter(matrices(element).values())))) if n_planes(element) else (None, 1.0)
    for name, matrix in transforms.items():
        # what makes a pixel larger makes the planes lie farther apart
        apart = None if step is None else step * float(np.sqrt(_area(matrix) / area))
        set_transformation(element, transformation_of(matrix, apart), to_coordinate_system=name)
    for name in old - set(transforms):
        remove_transformation(element, to_coordinate_system=name)
    return element


def _area(matrix: list[list[float]]) -> float:
    """Return the area of what was a pixel of area 1."""
    return float(abs(np.linalg.det(np.asarray(matrix)[:2, :2])))


def transformation_of(matrix: list[list[float]], z_step: float | None = None) -> Any:
    """Return a SpatialData transformation of a 3 × 3 matrix on (x, y, 1), with the planes of a stack so far apart."""
    from spatialdata.transformations import Affine, Identity

    m = np.asarray(matrix, dtype=float)
    if z_step is not None:
        whole = np.diag([1.0, 1.0, z_step, 1.0])
        whole[np.ix_([0, 1, 3], [0, 1, 3])] = m
        return Affine(whole, input_axes=("x", "y", "z"), output_axes=("x", "y", "z"))
    if np.array_equal(m, np.eye(3)):
        return Identity()
    return Affine(m, input_axes=("x", "y"), output_axes=("x", "y"))


def encode_element(encoder: Encoder, value: Any) -> dict[str, Any]:
    """Pack an element.

    Raises
    ------
    DocumentError
        When the value is of no kind that a document holds.
    """
    from anndata import AnnData

    if isinstance(value, LabelsElement) and value.grid.recipe is not None and not value.grid.moment:
        value = value.grid.recipe  # nobody painted on it: it can be made again
    if isinstance(value, Warped):
        return {"t": "warped", "v": value.plain()}
    if isinstance(value, LabelsElement) and (is_tiled(value.grid) or (encoder.compress and _is_large(value.grid))):
        return {"t": "tiled labels", **encode_tiles(encoder, value.grid), "transforms": value.transforms}
    if isinstance(value, LabelsElement):
        levels = [encoder.array(value.grid.read(None, k)) for k in range(len(value.grid.levels))]
        return {"t": "labels", "levels": levels, "transforms": value.transforms}
    if isinstance(value, AnnData):
        return _encode_table(encoder, value)
    kind = type(value).__name__
    if kind == "GeoDataFrame":
        file = io.BytesIO()
        bare = value.copy()
        bare.attrs = {}  # holds the transformation as an object, which parquet cannot keep
        bare.to_parquet(file)
        return {"t": "shapes", "b": encoder.raw(file.getvalue()), "transforms": matrices(value)}
    if kind == "DataFrame":  # dask's: pandas' own was taken before
        frame = value.compute()
        attrs = {k: v for k, v in value.attrs.get("spatialdata_attrs", {}).items() if isinstance(v, str)}
        return {"t": "points", "frame": encoder.frame(frame), "attrs": attrs, "transforms": matrices(value)}
    if kind in ("DataArray", "DataTree"):
        levels = [encoder.array(np.asarray(a)) for a in _levels(value)]
        return {"t": "image", "levels": levels, "channels": _channels(value), "transforms": matrices(value)}
    raise DocumentError(f"A {type(value).__name__} cannot be kept in the document.", "Use an element or a table.")


def _is_large(grid: LabelGrid) -> bool:
    return grid.shape[0] * grid.shape[1] > LARGE


def decode_element(meta: dict[str, Any], buffers: list[bytes]) -> Any:
    """Unpack what `encode_element` packed."""
    from .values import decode

    kind = meta.get("t")
    if kind == "labels":
        return LabelsElement(LabelGrid([decode(m, buffers) for m in meta["levels"]]), meta["transforms"])
    if kind == "tiled labels":
        return LabelsElement(decode_tiles(meta, buffers), meta["transforms"])
    if kind == "warped":
        return Warped.of(meta["v"])
    if kind == "table":
        return _decode_table(meta, buffers)
    if kind == "shapes":
        import geopandas
        from spatialdata.models import ShapesModel

        frame = geopandas.read_parquet(io.BytesIO(buffers[meta["b"]]))
        frame.attrs = {}
        return with_matrices(ShapesModel.parse(frame), meta["transforms"])
    if kind == "points":
        from spatialdata.models import PointsModel

        frame = decode(meta["frame"], buffers)
        attrs = meta["attrs"]
        keys = {k: attrs[k] for k in ("feature_key", "instance_key") if k in attrs}
        coordinates = {axis: axis for axis in ("x", "y", "z") if axis in frame}
        return with_matrices(PointsModel.parse(frame, coordinates=coordinates, **keys), meta["transforms"])
    if kind == "image":
        return _decode_image(meta, buffers)
    raise DocumentError(f"The journal holds a value of the unknown kind '{kind}'.", "Open it with a newer version.")


def _channels(element: Any) -> list[str]:
    from spatialdata.models import get_channel_names

    return [str(name) for name in get_channel_names(element)]


def _decode_image(meta: dict[str, Any], buffers: list[bytes]) -> Any:
    import dask.array as da

    from .values import decode

    lazily: Any = da.from_array  # untyped
    arrays = [lazily(decode(m, buffers), chunks=(1, CHUNK, CHUNK)) for m in meta["levels"]]
    return image_of(arrays, meta["channels"], meta["transforms"])


def image_of(arrays: list[Any], channels: list[str], transforms: dict[str, list[list[float]]]) -> Any:
    """Return an image of the levels of its pyramid: dask arrays (c, y, x), full resolution first."""
    from spatialdata.models import Image2DModel
    from spatialdata.models.pyramids_utils import dask_arrays_to_datatree

    if len(arrays) == 1:
        return with_matrices(Image2DModel.parse(arrays[0], dims=("c", "y", "x"), c_coords=channels), transforms)
    made = dask_arrays_to_datatree(arrays, ["c", "y", "x"], channels=channels)
    return _placed_pyramid(made, {name: transformation_of(m) for name, m in transforms.items()})


def _encode_table(encoder: Encoder, table: Any) -> dict[str, Any]:
    return {
        "t": "table",
        "X": encoder.any(None if table.X is None else table.X),
        "obs": encoder.frame(table.obs),
        "var": encoder.frame(table.var),
        "obsm": {str(k): encoder.any(table.obsm[k]) for k in sorted(table.obsm)},
        "layers": {str(k): encoder.any(table.layers[k]) for k in sorted(table.layers)},
        **{part: _encode_mapping(encoder, getattr(table, part)) for part in ("obsp", "varm", "varp", "uns")},
        "raw": None if table.raw is None else _encode_table(encoder, table.raw.to_adata()),
    }


def _encode_mapping(encoder: Encoder, mapping: Any) -> dict[str, Any]:
    """Pack a mapping of anything a table holds, mappings among them."""
    return {
        str(k): {"t": "mapping", "v": _encode_mapping(encoder, v)} if isinstance(v, Mapping) else encoder.any(v)
        for k, v in sorted(mapping.items())
    }


def _decode_mapping(meta: dict[str, Any], buffers: list[bytes]) -> dict[str, Any]:
    from .values import decode

    return {k: _decode_mapping(m["v"], buffers) if m["t"] == "mapping" else decode(m, buffers) for k, m in meta.items()}


def _decode_table(meta: dict[str, Any], buffers: list[bytes]) -> Any:
    from anndata import AnnData

    from .values import decode

    def frame(part: dict[str, Any]) -> Any:
        made = decode(part, buffers)
        made.index = made.index.astype(str)
        return made

    table = AnnData(X=decode(meta["X"], buffers), obs=frame(meta["obs"]), var=frame(meta["var"]))
    for name in ("obsm", "layers", "obsp", "varm", "varp", "uns"):
        for key, value in _decode_mapping(meta[name], buffers).items():
            getattr(table, name)[key] = value
    if meta["raw"] is not None:
        table.raw = _decode_table(meta["raw"], buffers)
    return table
