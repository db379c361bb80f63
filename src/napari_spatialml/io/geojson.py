"""GeoJSON as QuPath writes and reads it, old and new; also what `xeniumranger import-segmentation` takes.

Coordinates are pixels of the image, (x, y) from its upper left corner, unless the file's member "unit"
says "µm".

References
----------
RFC 7946. QuPath's ``PathObject`` features: "objectType", "classification", "nucleusGeometry"; before
version 0.4 the object's type stood in "id" and a class's colour in "colorRGB".
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np

from ..errors import BadInput
from .document import unique_names
from .regions_file import PIXELS, RegionsFile, built, bytes_of, write_text

__all__ = ["is_geojson", "read_geojson", "write_geojson"]

_HEAD = 1 << 16
_DEEPEST = 64
"""Objects may hold objects, as in QuPath's hierarchy: so deep."""
_LEGACY = {
    "PathAnnotationObject": "annotation", "PathCellObject": "cell", "PathDetectionObject": "detection",
    "PathTileObject": "detection", "TMACoreObject": "annotation", "PathRootObject": "root",
}  # fmt: skip
_KINDS = {"annotation": "annotation", "cell": "cell", "detection": "detection", "tile": "detection",
          "tmacore": "annotation", "root": "root"}  # fmt: skip
_OTHERS = {
    "Point": "points", "MultiPoint": "points", "LineString": "lines", "MultiLineString": "lines",
}  # fmt: skip


def is_geojson(path: Path) -> bool:
    """Return whether a file begins as GeoJSON does; also gzipped."""
    if not path.is_file() or not path.name.lower().endswith((".geojson", ".json", ".geojson.gz", ".json.gz")):
        return False
    import gzip
    import zlib

    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if zipped else path.open("rb") as file:
            head = file.read(_HEAD).decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    except (OSError, EOFError, zlib.error):
        return path.name.lower().endswith((".geojson", ".geojson.gz"))
    named = path.name.lower().endswith((".geojson", ".geojson.gz"))
    return named or (head[:1] in "{[" and any(word in head for word in ('"Feature', '"Polygon"', '"MultiPolygon"')))


def read_geojson(path: Path) -> RegionsFile:
    """Read the regions of a file.

    Raises
    ------
    BadInput
        When it is no GeoJSON, cut short, nested too deep, too large, or holds no region.
    """
    data = _parsed(path)
    said: list[str] = []
    left: Counter[str] = Counter()
    features, shapes = [], []
    for feature in _features(data, path):
        parts = _parts(feature.get("geometry"), left)
        if parts:
            features.append(feature)
            shapes.append(parts)
    geometry = built(shapes, said)
    kept = [i for i, g in enumerate(geometry) if g is not None]
    said = [*_left_out(left), *said]
    if not kept:
        why = f" {' '.join(said)}" if said else ""
        raise BadInput(f"'{path.name}' holds no region.{why}", "Export annotations, cells or detections as GeoJSON.")
    return _read(path, data, [features[i] for i in kept], geometry[kept], said)


def _read(path: Path, data: Any, features: list[dict[str, Any]], geometry: Any, said: list[str]) -> RegionsFile:
    about = [f["properties"] if isinstance(f.get("properties"), dict) else {} for f in features]
    colours: dict[str, str] = {}
    classes = [_class(p.get("classification"), colours) for p in about]
    meta = [p["metadata"] if isinstance(p.get("metadata"), dict) else {} for p in about]
    ids = [_id(f, p, path, i) for i, (f, p) in enumerate(zip(features, about, strict=True))]
    nuclei = _nuclei(features)
    unit = data.get("unit", "") if isinstance(data, dict) else ""
    return RegionsFile(
        geometry=geometry,
        ids=tuple(unique_names(ids, "ids", said)),
        classes=tuple(classes),
        notes=tuple(_note(p, m) for p, m in zip(about, meta, strict=True)),
        annotators=tuple(_word(m.get("annotator")) for m in meta),
        created=tuple(_word(m.get("created")) for m in meta),
        kinds=tuple(_kind(f, p) for f, p in zip(features, about, strict=True)),
        unit=unit if unit in ("px", "µm") else "",
        nuclei=nuclei,
        colours=colours,
        said=tuple(said),
    )


def _parsed(path: Path) -> Any:
    text = bytes_of(path)
    try:
        return json.loads(text)
    except RecursionError as error:
        raise BadInput(f"'{path.name}' is nested too deep to be GeoJSON.", "Export it again.") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"'{path.name}' is not text.", "Choose a GeoJSON file.") from error
    except ValueError as error:
        at = getattr(error, "pos", 0)
        short = "Unterminated" in str(error) or at >= len(text.decode("utf-8", "replace").rstrip()) - 1
        what = "is cut short" if short else f"is not JSON at character {at:,}"
        raise BadInput(f"'{path.name}' {what} ({error}).", "Export or copy it again.") from error


def _features(data: Any, path: Path) -> Iterator[dict[str, Any]]:
    """Yield every feature, those within others too; a bare geometry counts as one."""
    if isinstance(data, dict) and isinstance(data.get("features"), list):
        waiting = [(data["features"], 0)]
    elif isinstance(data, list):
        waiting = [(data, 0)]
    elif isinstance(data, dict) and isinstance(data.get("geometries"), list):
        bare = [{"geometry": g, "id": g.get("cell")} for g in data["geometries"] if isinstance(g, dict)]
        waiting = [(bare, 0)]
    elif isinstance(data, dict) and data.get("type") == "Feature":
        waiting = [([data], 0)]
    elif isinstance(data, dict) and "coordinates" in data:
        waiting = [([{"geometry": data}], 0)]
    else:
        raise BadInput(f"'{path.name}' is JSON, but no collection of features.", "Choose a GeoJSON file.")
    while waiting:
        several, depth = waiting.pop()
        if depth > _DEEPEST:
            raise BadInput(f"'{path.name}' holds objects within objects, {depth} deep.", "Export a flat list.")
        for feature in several:
            if not isinstance(feature, dict):
                continue
            yield feature
            about = feature.get("properties")
            inner = about.get("childObjects", about.get("children")) if isinstance(about, dict) else None
            if isinstance(inner, list) and inner:
                waiting.append((inner, depth + 1))


def _parts(geometry: Any, left: Counter[str]) -> list[list[Any]]:
    """Return the parts of a geometry, each its outline and its holes; nothing, and why, where it is no region."""
    if not isinstance(geometry, dict):
        left["without outline"] += geometry is not None
        return []
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind in _OTHERS:
        left[_OTHERS[kind]] += 1
        return []
    several = [coordinates] if kind == "Polygon" else coordinates
    if kind not in ("Polygon", "MultiPolygon") or not isinstance(several, list):
        left["without outline"] += 1
        return []
    try:
        parts = [[_ring(ring) for ring in part] for part in several if part]
    except (ValueError, TypeError, OverflowError):
        left["broken"] += 1
        return []
    return parts


def _ring(ring: Any) -> Any:
    made = np.array(ring, dtype=np.float64)
    if made.ndim != 2 or made.shape[1] < 2 or len(made) < 3 or not np.isfinite(made).all():
        raise ValueError("no ring")
    return made[:, :2]


def _left_out(left: Counter[str]) -> list[str]:
    words = {"points": ("point is", "points are"), "lines": ("line is", "lines are")}
    said = [
        f"{left[k]:,} {one if left[k] == 1 else many} no region and left out."
        for k, (one, many) in words.items()
        if left[k]
    ]
    if left["broken"]:
        said.append(f"{left['broken']:,} with coordinates that are missing or no numbers were left out.")
    if left["without outline"]:
        said.append(f"{left['without outline']:,} without an outline were left out.")
    return said


def _nuclei(features: list[dict[str, Any]]) -> Any:
    given = [f.get("nucleusGeometry") for f in features]
    if not any(given):
        return np.empty(0, object)
    ignored: Counter[str] = Counter()
    shapes = [_parts(g, ignored) for g in given]
    made = np.full(len(features), None, dtype=object)
    has = [i for i, s in enumerate(shapes) if s]
    if has:
        made[has] = built([shapes[i] for i in has], [])
    return made


def _class(classification: Any, colours: dict[str, str]) -> str:
    """Return the name of a class, and keep its colour."""
    if isinstance(classification, str):
        return classification
    if not isinstance(classification, dict):
        return ""
    names = classification.get("names")
    name = _word(classification.get("name")) or (": ".join(map(_word, names)) if isinstance(names, list) else "")
    colour = _colour(classification.get("color", classification.get("colorRGB")))
    if name and colour:
        colours.setdefault(name, colour)
    return name


def _colour(value: Any) -> str:
    """Return "#rrggbb" of three numbers, or of one that packs them, as Java does."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"#{value & 0xFFFFFF:06x}"
    if isinstance(value, list) and len(value) >= 3 and all(isinstance(v, int) and 0 <= v <= 255 for v in value[:3]):
        return "#" + "".join(f"{v:02x}" for v in value[:3])
    return ""


def _kind(feature: dict[str, Any], about: dict[str, Any]) -> str:
    said = about.get("objectType", about.get("object_type", about.get("type")))
    found = _KINDS.get(_word(said).lower()) or _LEGACY.get(_word(feature.get("id"))) or _LEGACY.get(_word(said))
    return found or "annotation"


def _id(feature: dict[str, Any], about: dict[str, Any], path: Path, number: int) -> str:
    own = about.get("cell_id", feature.get("id"))
    name = _word(own)
    return name if name and name not in _LEGACY else str(uuid5(NAMESPACE_OID, f"{path.name}/{number}"))


def _note(about: dict[str, Any], meta: dict[str, Any]) -> str:
    words = [_word(about.get("name")), _word(meta.get("ANNOTATION_DESCRIPTION"))]
    return " – ".join(dict.fromkeys(w for w in words if w))


def _word(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value)


def write_geojson(path: Path, regions: RegionsFile, *, cells: bool = False) -> None:
    """Write regions as QuPath does.

    Parameters
    ----------
    path
        The file; gzipped if its name ends in ".gz".
    regions
        In pixels of the image, or in µm; the member "unit" tells.
    cells
        Write each as a cell whose property "cell_id" is its id, as `xeniumranger import-segmentation` takes
        it (``--cells`` and ``--nuclei``; with coordinates in µm, ``--units microns``).
    """
    write_text(path, _pieces(regions, cells))


def _pieces(regions: RegionsFile, cells: bool) -> Iterator[str]:
    import shapely

    yield f'{{"type":"FeatureCollection","unit":{json.dumps(regions.unit or PIXELS, ensure_ascii=False)},"features":['
    outlines = shapely.to_geojson(regions.geometry)
    nuclei = shapely.to_geojson(regions.nuclei) if len(regions.nuclei) else [None] * len(regions)
    classes = {c: json.dumps(_classification(c, regions.colours), ensure_ascii=False) for c in set(regions.classes)}
    for i, outline in enumerate(outlines):
        name = regions.ids[i]
        number = str(uuid5(NAMESPACE_OID, f"cell {name}")) if cells else name
        about = [f'"objectType":"{"cell" if cells else regions.kinds[i]}"']
        if cells:
            about.append(f'"cell_id":{json.dumps(int(name) if name.isdecimal() else name)}')
        if regions.classes[i]:
            about.append(f'"classification":{classes[regions.classes[i]]}')
        about += _sayings(regions, i)
        nucleus = f',"nucleusGeometry":{nuclei[i]}' if nuclei[i] is not None else ""
        comma = ",\n" if i else "\n"
        yield (
            f'{comma}{{"type":"Feature","id":{json.dumps(number)},"geometry":{outline}{nucleus},'
            f'"properties":{{{",".join(about)}}}}}'
        )
    yield "\n]}\n"


def _sayings(regions: RegionsFile, i: int) -> list[str]:
    held = {"annotator": regions.annotators[i], "created": regions.created[i]}
    meta = {k: v for k, v in held.items() if v}
    made = [f'"name":{json.dumps(regions.notes[i], ensure_ascii=False)}'] if regions.notes[i] else []
    return made + ([f'"metadata":{json.dumps(meta, ensure_ascii=False)}'] if meta else [])


def _classification(name: str, colours: dict[str, str]) -> dict[str, Any]:
    code = colours.get(name, "").removeprefix("#")
    return {"name": name, **({"color": [int(code[k : k + 2], 16) for k in (0, 2, 4)]} if len(code) == 6 else {})}
