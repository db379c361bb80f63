"""What is said to be in view is what is stored there: counted, placed and binned, whatever is asked for."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_spatialml.core.report import silent
from napari_spatialml.errors import BadInput
from napari_spatialml.session import transcripts
from napari_spatialml.session.document import Document
from napari_spatialml.session.growing import Growing
from napari_spatialml.session.index_files import FOLDER
from napari_spatialml.session.transcript_index import TranscriptIndex
from napari_spatialml.session.transcript_source import ALL
from napari_spatialml.session.transcript_view import Asked, counts_in, density_in, places_in, whole_density
from napari_spatialml.session.transcripts import glimpse_of, growing_of, index_of

from .test_transcripts import document_of, molecules, on_disk

warnings.simplefilter("ignore")
few = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


def measured(n: int = 4_000, seed: int = 0) -> pd.DataFrame:
    """Return transcripts with quality and height, some of which are not known."""
    rng = np.random.default_rng(seed)
    frame = molecules(n, seed)
    frame["qv"], frame["z"] = np.round(rng.uniform(0, 40, n), 1).astype(np.float32), rng.integers(0, 6, n)
    frame.loc[5::40, "qv"] = np.nan
    return frame


@pytest.fixture(scope="module", params=["memory", "disk"])
def known(request: Any, tmp_path_factory: Any) -> tuple[pd.DataFrame, TranscriptIndex]:
    """Return placed transcripts in µm with their genes, and the index of all of them."""
    frame, folder = measured(), tmp_path_factory.mktemp("points")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_spatialml.session.tiling._STEP", 700)
        document = document_of(frame) if request.param == "memory" else on_disk(frame, folder)
        index = TranscriptIndex.open_or_build(document, "rna", folder / "home")
    frame = frame[np.isfinite(frame["x"]) & frame["gene"].notna()].reset_index(drop=True)
    own, m = frame[["y", "x"]].to_numpy(float), document.affine("rna").matrix
    for row, name in enumerate(("v", "u")):
        frame[name] = (m[row, 0] * own[:, 0] + m[row, 1] * own[:, 1]) + m[row, 2]
    return frame, index


def meant(frame: pd.DataFrame, asked: Asked, index: TranscriptIndex) -> list[pd.DataFrame]:
    """Return the rows of each gene that is asked for, by looking at every one."""
    if asked.quality is not None:
        frame = frame[frame["qv"] >= np.float32(asked.quality)]
    if asked.z is not None:
        frame = frame[(frame["z"] >= asked.z[0]) & (frame["z"] < asked.z[1])]
    return [frame] if asked.genes is None else [frame[frame["gene"] == index.genes[gene]] for gene in asked.genes]


def inside(frame: pd.DataFrame, box: tuple[float, ...]) -> pd.DataFrame:
    v, u = frame["v"], frame["u"]
    return frame[(v >= box[0]) & (v < box[1]) & (u >= box[2]) & (u < box[3])]


asked_for = st.builds(
    Asked,
    st.one_of(st.none(), st.lists(st.integers(0, 2), unique=True, max_size=3).map(tuple)),
    st.one_of(st.none(), st.sampled_from([0.0, 20.1, 39.9, 41.0])),
    st.one_of(st.none(), st.sampled_from([(0.0, 3.0), (2.0, 2.5), (2.5, 2.9), (-1.0, 99.0)])),
)
edges = st.tuples(st.floats(-600, 700), st.floats(0, 900))


@given(asked=asked_for, y=edges, x=edges)
@few
def test_the_counts_and_places_of_a_window_are_those_that_are_stored(known, asked, y, x):
    frame, index = known
    box = (y[0], y[0] + y[1], x[0], x[0] + x[1])
    rows = [inside(part, box) for part in meant(frame, asked, index)]
    counts = counts_in(index, index.to_um, asked, box)
    assert counts.tolist() == [len(part) for part in rows]
    n = int(counts.sum())
    places, kinds = places_in(index, index.to_um, asked, box, n, n)
    for slot, part in enumerate(rows):
        expected = sorted(map(tuple, part[["v", "u"]].to_numpy()))
        assert sorted(map(tuple, places[kinds == slot])) == expected


@given(asked=asked_for, edge=st.sampled_from([1.0, 7.5, 64.0, 1000.0]), y=st.floats(-500, 500), x=st.floats(-300, 500))
@few
def test_every_transcript_lies_in_the_bin_that_counts_it(known, asked, edge, y, x):
    frame, index = known
    shape = (min(int(600 / edge) + 1, 90), min(int(900 / edge) + 2, 120))
    found = density_in(index, index.to_um, asked, (y, x), edge, shape)
    for slot, part in enumerate(meant(frame, asked, index)):
        expected = np.zeros(shape, int)
        at = np.floor((part[["v", "u"]].to_numpy() - (y, x)) / edge).astype(int)
        at = at[((at >= 0) & (at < shape)).all(1)]
        np.add.at(expected, tuple(at.T), 1)
        assert np.array_equal(found[slot], expected)


def test_a_cap_draws_as_many_as_it_says_from_everywhere(known):
    frame, index = known
    box = (-1e6, 1e6, -1e6, 1e6)
    n = int(counts_in(index, index.to_um, Asked(), box)[0])
    assert n == len(frame)
    places, _ = places_in(index, index.to_um, Asked(), box, n, 400)
    assert len(places) == 400 and len(np.unique(places, axis=0)) == 400
    middle = np.median(frame["u"])
    assert abs((places[:, 1] < middle).mean() - 0.5) < 0.05, "the points of one side were preferred"


def test_the_picture_from_afar_holds_all_at_every_level(known):
    frame, index = known
    for edge in (0.01, 1.0, 8.0, 64.0, 1e6):
        counts, corner, size = whole_density(index, index.to_um, (-1e6, 1e6, -1e6, 1e6), edge)
        assert counts.sum() == len(frame)
        top = np.array(corner) + np.array(counts.shape) * size
        own = frame[["y", "x"]].to_numpy(float)
        assert (own >= corner).all() and (own <= top).all()


def test_a_gene_without_quality_or_height_is_told_in_words(tmp_path: Path):
    index = TranscriptIndex.open_or_build(document_of(molecules(300)), "rna", tmp_path)
    assert index.measures == () and index.range_of("quality") is None
    with pytest.raises(BadInput, match="how sure"):
        counts_in(index, index.to_um, Asked(quality=20.0), (0, 1, 0, 1000))


def test_the_ranges_of_quality_and_height_are_known(known):
    frame, index = known
    assert index.measures == ("quality", "z")
    assert index.range_of("quality") == pytest.approx((frame["qv"].min(), frame["qv"].max()))
    assert index.range_of("z") == (0.0, 5.0)


def test_a_height_has_a_unit_where_it_is_a_length_and_none_where_it_numbers_planes(known, tmp_path: Path):
    assert known[1].height_unit == "", "0 to 5: six planes"
    high = measured(300)
    high["z"] = np.linspace(21.8, 30.8, len(high))
    for um, unit in ((1.0, "µm"), (0.2125, "")):
        index = TranscriptIndex.open_or_build(
            document_of(high, matrix=np.diag([um, um, 1.0])), "rna", tmp_path / str(um)
        )
        assert index.height_unit == unit, "of points whose own unit is none of length, nothing is known"


def test_nothing_is_in_view_of_an_empty_index(tmp_path: Path):
    index = TranscriptIndex.open_or_build(document_of(measured(40).assign(x=np.nan), 1), "rna", tmp_path)
    assert counts_in(index, index.to_um, Asked(), (-1e9, 1e9, -1e9, 1e9)).tolist() == [0]
    assert whole_density(index, index.to_um, (-1e9, 1e9, -1e9, 1e9), 8.0)[0].sum() == 0


def head_of(folder: Path) -> Path:
    return folder / "home" / FOLDER / "rna"


@pytest.fixture
def opened(tmp_path: Path) -> Document:
    document = on_disk(measured(3_000), tmp_path)
    document.home = tmp_path / "home"
    return document


@pytest.mark.parametrize("part", ["quality", "gene_coordinates", "gene_starts", "gene_z", "density"])
def test_damage_to_any_part_is_found_and_mended(opened: Document, tmp_path: Path, part: str):
    placed = index_of(opened, "rna", silent).placed
    file = head_of(tmp_path) / f"{part}.npy"
    whole = file.read_bytes()
    for harm in (whole[:-8], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
        file.write_bytes(harm)
        again = TranscriptIndex.open_or_build(opened, "rna", opened.home)
        assert file.read_bytes() == whole and again.placed == placed
    file.unlink()
    TranscriptIndex.open_or_build(opened, "rna", opened.home)
    assert file.read_bytes() == whole


def test_an_index_that_was_killed_while_it_was_made_is_made_anew(opened: Document, tmp_path: Path):
    left = head_of(tmp_path).parent / ".making-killed" / "index"
    left.mkdir(parents=True)
    (left / "coordinates.raw").write_bytes(b"half of it")
    assert glimpse_of(opened, "rna") is None
    index_of(opened, "rna", silent)
    assert sorted(p.name for p in head_of(tmp_path).parent.iterdir()) == [".making.lock", "rna"]


def test_an_index_without_what_is_looked_at_is_made_again(opened: Document, tmp_path: Path):
    """One that an older version left, or whose head was changed to name fewer files."""
    import json

    index_of(opened, "rna", silent)
    head = head_of(tmp_path) / "head.json"
    said = json.loads(head.read_text())
    for name in [n for n in said["files"] if n.startswith("gene_") or n == "density"]:
        del said["files"][name]
    head.write_text(json.dumps(said))
    assert TranscriptIndex.open_or_build(opened, "rna", opened.home).by_gene


def test_a_glimpse_shows_what_is_on_disk_and_nothing_that_is_stale(opened: Document, tmp_path: Path):
    assert glimpse_of(opened, "rna") is None
    TranscriptIndex.open_or_build(opened, "rna", opened.home)
    found = glimpse_of(opened, "rna")
    assert found is not None and found.density.sum() > 0
    data = bytearray((head_of(tmp_path) / "density.npy").read_bytes())
    data[-1] ^= 1
    (head_of(tmp_path) / "density.npy").write_bytes(bytes(data))
    assert glimpse_of(opened, "rna") is None, "a damaged picture was shown"
    other = on_disk(measured(3_000, seed=1), tmp_path / "other")
    other.home = opened.home
    assert glimpse_of(other, "rna") is None, "the picture of other points was shown"


def test_what_was_read_so_far_can_be_looked_at(opened: Document, monkeypatch: pytest.MonkeyPatch):
    seen: list[int] = []
    real = Growing.add

    def add(self: Growing, where: Any) -> None:
        real(self, where)
        assert growing_of(opened, "rna") is self
        seen.append(int(self.now()[0].sum()))

    monkeypatch.setattr(Growing, "add", add)
    index = index_of(opened, "rna", silent)
    assert seen == sorted(seen) and seen[-1] == index.placed and growing_of(opened, "rna") is None


@given(st.lists(st.tuples(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5), st.integers(1, 60)), min_size=1, max_size=6))
@few
def test_growing_counts_every_point_in_its_bin_wherever_it_comes_from(pieces):
    growing, all_of_them = Growing(), []
    for y, x, n in pieces:
        where = np.random.default_rng(n).normal((y, x), n, (n, 2))
        growing.add(where)
        all_of_them.append(where)
    counts, corner, edge = growing.now()
    where = np.concatenate(all_of_them)
    at = np.floor((where - corner) / edge).astype(int)
    expected = np.zeros(counts.shape, int)
    np.add.at(expected, tuple(at.T), 1)
    assert max(counts.shape) <= 1024 and np.array_equal(counts, expected)


def test_the_index_of_chosen_transcripts_holds_no_more_than_it_needs(opened: Document, tmp_path: Path):
    chosen = transcripts.Choice(quality=20.0)
    index = TranscriptIndex.open_or_build(opened, "rna", opened.home, choice=chosen)
    assert not index.by_gene and index.measures == () and chosen != ALL
