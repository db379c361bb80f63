"""GeoJSON as QuPath writes it, old and new, and what people's files hold besides."""

from __future__ import annotations

import gzip
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_spatialml.errors import BadInput, UnitNeeded
from napari_spatialml.io import open_files
from napari_spatialml.io.geojson import read_geojson, write_geojson
from napari_spatialml.io.regions_file import RegionsFile

SQUARE = [[10, 10], [30, 10], [30, 30], [10, 30], [10, 10]]
TRIANGLE = [[50, 50.5], [60, 50], [60, 60.25], [50, 50.5]]
TOLD = {"objectType": "cell", "classification": {"names": ["Tumor", "Positive"], "color": [1, 2, 3]}}
QUPATH = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "id": "12059192-3b27-4438-96dc-97b41ca84717",
            "geometry": {"type": "Polygon", "coordinates": [SQUARE, [[15, 15], [20, 15], [20, 20], [15, 15]]]},
            "properties": {
                "objectType": "annotation", "name": "edge", "classification": {"name": "Tumor", "color": [200, 0, 0]},
                "metadata": {"ANNOTATION_DESCRIPTION": "necrotic"}, "isLocked": True,
            },
        },
        {
            "type": "Feature",
            "id": "c0ffee00-3b27-4438-96dc-97b41ca84717",
            "geometry": {"type": "MultiPolygon", "coordinates": [[SQUARE], [TRIANGLE]]},
            "nucleusGeometry": {"type": "Polygon", "coordinates": [[[12, 12], [14, 12], [14, 14], [12, 12]]]},
            "properties": TOLD,
        },
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [3, 4]}, "properties": {}},
        {"type": "Feature", "geometry": {"type": "LineString", "coordinates": [[3, 4], [5, 6]]}, "properties": {}},
    ],
}  # fmt: skip


def written(folder: Path, data, name="regions.geojson") -> Path:
    path = folder / name
    text = data if isinstance(data, str | bytes) else json.dumps(data)
    raw = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return path


def feature(ring, **properties):
    return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": properties}


@pytest.mark.parametrize("name", ["a.geojson", "a.geojson.gz", "a.json"])
def test_what_qupath_writes_is_read(tmp_path, name):
    found = read_geojson(written(tmp_path, QUPATH, name))
    assert found.classes == ("Tumor", "Tumor: Positive") and found.kinds == ("annotation", "cell")
    assert found.colours == {"Tumor": "#c80000", "Tumor: Positive": "#010203"}
    assert found.notes == ("edge – necrotic", "") and found.ids[0].startswith("12059192")
    assert len(found.geometry[0].interiors) == 1 and len(found.geometry[1].geoms) == 2
    assert found.nuclei[0] is None and found.nuclei[1].area == 2
    assert found.said == ("1 point is no region and left out.", "1 line is no region and left out.")


def test_the_style_before_04_is_read(tmp_path):
    old = [
        {
            "type": "Feature", "id": "PathDetectionObject", "geometry": {"type": "Polygon", "coordinates": [SQUARE]},
            "properties": {"classification": {"name": "Stroma", "colorRGB": -6895466}},
        },
        {**feature(SQUARE), "id": "PathAnnotationObject"},
    ]  # fmt: skip
    found = read_geojson(written(tmp_path, old))
    assert found.kinds == ("detection", "annotation") and found.colours == {"Stroma": "#96c896"}
    assert len(set(found.ids)) == 2 and "PathDetectionObject" not in found.ids


def test_objects_within_objects_are_found(tmp_path):
    inner = feature(SQUARE, name="inner")
    outer = feature(SQUARE, name="outer", childObjects=[inner])
    assert set(read_geojson(written(tmp_path, [outer])).notes) == {"outer", "inner"}
    for _ in range(200):
        outer = feature(SQUARE, childObjects=[outer])
    with pytest.raises(BadInput, match="within objects"):
        read_geojson(written(tmp_path, [outer]))


def test_outlines_that_are_not_right_are_mended_and_told(tmp_path):
    bow = [[0, 0], [10, 10], [10, 0], [0, 10], [0, 0]]
    broken = [
        [[0, 0], ["x", 1], [2, 2]],
        [[0, 0], [None, 1], [2, 2]],
        [[0, 0], [1, 1]],
        [[0, 0], [float("nan"), 1], [2, 2]],
    ]
    flat = [[0, 0], [5, 5], [9, 9], [0, 0]]
    data = {"type": "FeatureCollection", "features": [feature(r) for r in (bow, SQUARE[:-1], flat, *broken)]}
    found = read_geojson(written(tmp_path, data))
    assert [g.area for g in found.geometry] == [50.0, 400.0] and shapely.is_valid(found.geometry).all()
    told = " ".join(found.said)
    for words in ("4 with coordinates", "1 outline was not closed", "crosses themselves", "encloses no area"):
        assert words in told


def test_repeated_ids_get_a_number_and_are_told(tmp_path):
    found = read_geojson(written(tmp_path, [{**feature(SQUARE), "id": "a"}, {**feature(SQUARE), "id": "a"}]))
    assert found.ids == ("a", "a-1") and "repeated" in found.said[0]


@pytest.mark.parametrize(
    "data, words",
    [
        ('{"type": "FeatureCollection", "features": [{"type": "Fea', "cut short"),
        ('{"type": "FeatureCollection", "features": [x]}', "not JSON at character"),
        (b"\xff\xfe\x00\x01", "not"),
        ("[" * 200_000, "nested too deep"),
        ({"name": "a"}, "no collection of features"),
        ({"type": "FeatureCollection", "features": []}, "holds no region"),
        ({"type": "FeatureCollection", "features": [QUPATH["features"][2]]}, "1 point is no region"),
        ({"features": [1, None, {"geometry": 3}, {"geometry": {"type": "Polygon"}}]}, "no region"),
        ([feature([[0, 0], [1e400, 1], [2, 2]])], "no numbers"),
    ],
)  # fmt: skip
def test_what_is_damaged_or_hostile_is_refused_in_one_sentence(tmp_path, data, words):
    with pytest.raises(BadInput, match=words):
        read_geojson(written(tmp_path, data))


def test_a_gzip_bomb_and_a_torn_gzip_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_spatialml.io.geojson.bytes_of", lambda p: _small_limit(p))
    bomb = tmp_path / "a.geojson.gz"
    bomb.write_bytes(gzip.compress(b" " * 2_000_000))
    with pytest.raises(BadInput, match="holds more than"):
        read_geojson(bomb)
    bomb.write_bytes(gzip.compress(json.dumps(QUPATH).encode())[:-30])
    with pytest.raises(BadInput, match="damaged or cut short"):
        read_geojson(bomb)


def _small_limit(path):
    from napari_spatialml.io.regions_file import bytes_of

    return bytes_of(path, largest=1_000_000)


@st.composite
def regions(draw):
    n = draw(st.integers(1, 4))
    numbers = st.floats(-1e6, 1e6, allow_nan=False)
    made = []
    for _ in range(n):
        x, y, w, h = draw(numbers), draw(numbers), draw(st.floats(10, 1e4)), draw(st.floats(10, 1e4))
        box = shapely.box(x, y, x + w, y + h)
        hole = shapely.box(x + w / 3, y + h / 3, x + w / 2, y + h / 2)
        holed = shapely.Polygon(box.exterior.coords, [hole.exterior.coords])
        far = shapely.box(x + 2 * w, y, x + 3 * w, y + h)
        made.append(draw(st.sampled_from([box, holed, shapely.MultiPolygon([holed, far])])))
    text = st.text(st.characters(codec="utf-8"), max_size=9)
    words = [tuple(draw(text) for _ in range(n)) for _ in range(4)]
    ids = tuple(draw(st.lists(text.filter(bool), min_size=n, max_size=n, unique=True)))
    colours = {c: "#0a141e" for c in words[0] if c}
    return RegionsFile(np.array(made, dtype=object), ids, *words, ("annotation",) * n, "px", colours=colours)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(regions())
def test_what_is_written_is_read_again_exactly(tmp_path, made):
    path = tmp_path / "a.geojson"
    write_geojson(path, made)
    again = read_geojson(path)
    assert shapely.equals_exact(again.geometry, made.geometry, 0).all()
    for part in ("ids", "classes", "notes", "annotators", "created", "kinds", "unit", "colours"):
        assert getattr(again, part) == getattr(made, part), part
    assert not again.said


def test_cells_have_the_members_that_xenium_ranger_reads(tmp_path):
    cell, nucleus = shapely.box(0, 0, 8, 8), shapely.box(2, 2, 4, 4)
    made = RegionsFile(
        np.array([cell, cell], object), ("7", "x-1"), ("T", ""), *([("", "")] * 3), ("cell",) * 2, "px",
        np.array([nucleus, None], object),
    )  # fmt: skip
    write_geojson(tmp_path / "cells.geojson", made, cells=True)
    data = json.loads((tmp_path / "cells.geojson").read_text())
    first, second = data["features"]
    assert data["type"] == "FeatureCollection" and first["type"] == "Feature" and len(first["id"]) == 36
    assert first["geometry"]["type"] == "Polygon" and first["nucleusGeometry"]["type"] == "Polygon"
    assert first["properties"]["objectType"] == "cell" and first["properties"]["cell_id"] == 7
    assert second["properties"]["cell_id"] == "x-1" and "nucleusGeometry" not in second


def test_a_picture_and_its_regions_open_as_one_section(tmp_path):
    Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(tmp_path / "he.png")
    regions = written(tmp_path, QUPATH, "seen.geojson")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opened = open_files(regions, tmp_path / "he.png", pixel_size_um=0.5)
    frame = opened.shapes["seen"]
    assert list(frame["class"]) == ["Tumor", "Tumor: Positive"]
    assert frame.geometry.iloc[0].area == pytest.approx((400 - 12.5) * 0.25)
    ours = opened.attrs["spatialml"]
    assert ours["colours"]["class"]["Tumor"] == "#c80000" and any("point" in n for n in ours["notes"])
    assert opened.coordinate_systems == ["global"]


def test_regions_alone_ask_for_the_size_of_a_pixel(tmp_path):
    path = written(tmp_path, QUPATH)
    with pytest.raises(UnitNeeded):
        open_files(path)
    assert open_files(path, pixel_size_um=2.0).shapes["regions"].geometry.iloc[0].area == (400 - 12.5) * 4


@pytest.mark.slow
def test_a_hundred_thousand_cells_are_written_and_read_within_a_minute(tmp_path):
    import time

    turn = np.linspace(0, 2 * np.pi, 46)[:-1]
    ring = np.column_stack([10 * np.cos(turn), 10 * np.sin(turn)])
    n = 100_000
    cells = [shapely.Polygon(ring + np.array([k % 316, k // 316]) * 24.0) for k in range(n)]
    nothing = ("",) * n
    made = RegionsFile(np.array(cells, object), tuple(map(str, range(n))), *([nothing] * 4), ("cell",) * n, "px")
    start = time.process_time()
    write_geojson(tmp_path / "cells.geojson", made, cells=True)
    wrote = time.process_time()
    again = read_geojson(tmp_path / "cells.geojson")
    read = time.process_time()
    size = (tmp_path / "cells.geojson").stat().st_size / 1e6
    print(f"{n:,} cells, {size:.0f} MB: written in {wrote - start:.1f} s, read in {read - wrote:.1f} s of CPU")
    assert shapely.equals_exact(again.geometry, made.geometry, 0).all()
    assert read - start < 60
