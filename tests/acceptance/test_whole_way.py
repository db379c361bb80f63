"""The whole way on real files: open, overlay, segment, register, domains, deconvolve, correct, undo, save, replay.

Each test walks one data set through `napari-spatialml demo --headless --section …`, and then asks the saved section.
"""

from __future__ import annotations

import re
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from napari_spatialml.core.graph import knn_graph
from napari_spatialml.core.metrics import morans_i
from napari_spatialml.demo import Options, Walk, walk
from napari_spatialml.session import Document, Session
from napari_spatialml.session.gather import coordinates_of

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

HERE = Path(__file__).parent
SECONDS = 90
"""Of processor time, which other programs do not lengthen; about half a minute of a quiet clock."""
SPOT_PITCH_UM = 150.0
"""The olfactory bulb's files carry no unit: the distance between neighbouring spots, as stated for these tests."""
MSI_PIXEL_UM = 10.0
HE_PIXEL_UM = 2.86
"""The bladder's files carry none either: ions in steps of 10 µm; its H&E is about 3.5 times finer."""


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _walked(out: Path, **options) -> Walk:
    start = time.process_time()
    done = walk(Options(out=out, screenshots=False, **options))
    assert time.process_time() - start < SECONDS
    _is_proved(done)
    return done


def _is_proved(done: Walk) -> None:
    """Undo gives the start, redo and reopening the end, and every step replays to the bit."""
    assert done.facts["undo_is_start"] and done.facts["redo_is_end"] and done.facts["reopened_is_end"]
    steps = done.facts["replay"]
    assert steps and all(s.identical for s in steps), [s for s in steps if not s.identical]
    assert (done.options.out / "report.html").stat().st_size > 100_000


def _row(done: Walk, step: str, what: str = ""):
    return next(row for row in done.rows if row.step == step and what in row.what)


def _saved(done: Walk) -> Document:
    session = Session.open_store(done.store)
    session.close()
    return session.document


def test_olfactory_bulb_two_sections_are_registered_divided_and_corrected(data, tmp_path):
    done = _walked(
        tmp_path / "out",
        section=data / "olfactory_bulb_he",
        name="section1",
        second=data / "olfactory_bulb_he",
        second_name="section2",
        spot_pitch_um=SPOT_PITCH_UM,
        landmarks=HERE / "olfactory_bulb_landmarks.csv",
    )
    document = _saved(done)
    assert "too coarse to show nuclei" in _row(done, "segment").measured
    assert "no single-cell reference" in _row(done, "deconvolve").measured
    left_out = float(re.search(r"leaving one out \(affine\) ([\d.]+)", _row(done, "register").measured)[1])
    assert left_out < SPOT_PITCH_UM / 2  # neighbouring sections differ; a landmark is predicted to half a spot
    # the tissue of the second section comes to lie on that of the first
    first, second = (coordinates_of(document, t, "global") for t in ("counts", "section2_counts"))
    assert len(first) + len(second) == 786  # what the files list as under tissue
    near = np.array([np.min(np.linalg.norm(first - spot, axis=1)) for spot in second])
    assert np.median(near) < SPOT_PITCH_UM
    for table in ("counts", "section2_counts"):
        _domains_are_coherent(document, table, at_least=0.5)
    assert document.table("counts").obs["domain_by_hand"].sum() >= 1


def _domains_are_coherent(document: Document, table: str, at_least: float) -> None:
    """Neighbours share a domain far more often than by chance."""
    codes = document.table(table).obs["domain"].cat.codes.to_numpy()
    graph = knn_graph(coordinates_of(document, table), 6).tocoo()
    same = (codes[graph.row] == codes[graph.col]).mean()
    chance = float(((np.bincount(codes) / len(codes)) ** 2).sum())
    assert (same - chance) / (1 - chance) > at_least


def test_bladder_ions_are_registered_onto_histology_and_divided(data, tmp_path):
    done = _walked(
        tmp_path / "out",
        section=data / "bladder_msi" / "bladder_he.tif",
        second=data / "bladder_msi" / "bladder.h5ad",
        pixel_size_um=HE_PIXEL_UM,
        um_per_unit=MSI_PIXEL_UM,
        landmarks=HERE / "bladder_landmarks.csv",
    )
    document = _saved(done)
    table = document.table("bladder_intensities")
    assert table.shape == (34_840, 79)
    left_out = float(re.search(r"leaving one out \(affine\) ([\d.]+)", _row(done, "register").measured)[1])
    assert left_out < 2 * MSI_PIXEL_UM
    grid = next(n for n in document.names("labels") if "bladder" in document.placed(n))
    assert "global" in document.placed(grid)
    # m/z 741.53 marks lamina and muscle: its ion image has a pattern, and the domains part it
    ion = np.asarray(table[:, np.argmin(np.abs(table.var_names.astype(float) - 741.53))].X.todense()).ravel()
    where = coordinates_of(document, "bladder_intensities")
    assert morans_i(ion, knn_graph(where, 6))[0] > 0.5
    means = [ion[(table.obs["domain"] == d).to_numpy()].mean() for d in table.obs["domain"].cat.categories]
    assert max(means) > 5 * min(means)
    _domains_are_coherent(document, "bladder_intensities", at_least=0.9)


def test_slide_nuclei_are_segmented_in_a_region_and_corrected(data, tmp_path):
    region = (400, 1400, 600, 1600)
    done = _walked(tmp_path / "out", section=data / "slide" / "CMU-1-Small-Region.svs", region=region)
    document = _saved(done)
    assert document.affine(document.names("images")[0]).scale_factors[0] == pytest.approx(0.499)
    assert document.grid("nuclei").shape == (1000, 1000)
    table = document.table("nuclei_table")
    assert set(table.obs["instance_id"]) == set(np.unique(document.grid("nuclei").read())) - {0}
    assert 4 < table.obs["diameter_um"].median() < 9  # nuclei
    y0, y1, x0, x1 = (edge * 0.499 for edge in region)
    where = coordinates_of(document, "nuclei_table")
    assert (where.min(0) >= (y0, x0)).all() and (where.max(0) <= (y1, x1)).all()
    corrections = {row.what.split(":")[0] for row in done.rows if row.step == "correct" and not row.skipped}
    assert corrections == {"split cell", "merge cells", "paint labels", "delete cells"}


def test_pancreatic_spots_are_deconvolved_with_their_reference(data, tmp_path):
    done = _walked(
        tmp_path / "out",
        section=data / "pdac" / "spots.h5ad",
        reference=data / "pdac" / "reference.h5ad",
        spot_pitch_um=200.0,
    )
    document = _saved(done)
    found = document.table("counts").obsm["proportions"]
    assert found.shape == (428, 20)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    # cancer, duct and acini have regions of their own: their proportions follow the neighbours'
    graph = knn_graph(coordinates_of(document, "counts"), 6)
    of_type = dict(zip(found.columns, morans_i(found.to_numpy(), graph), strict=True))
    for name in ("Acinar_cells", "Cancer_clone_A", "Ductal_CRISP3_high-centroacinar_like"):
        assert of_type[name] > 0.2, of_type
    cancer = found[[c for c in found if c.startswith("Cancer")]].sum(axis=1)
    acinar = found["Acinar_cells"]
    assert np.corrcoef(cancer, acinar)[0, 1] < 0
    _domains_are_coherent(document, "counts", at_least=0.3)


def test_files_that_carry_no_unit_ask_for_the_spot_pitch(data, tmp_path, capsys):
    from napari_spatialml.cli import main

    out = tmp_path / "out"
    told = ["demo", "--headless", "--section", str(data / "olfactory_bulb_he"), "--name", "section1", "--out", str(out)]
    assert main(told) == 2
    said = capsys.readouterr().err.strip()
    assert "carries no physical unit" in said and "--spot-pitch-um" in said
    assert "\n" not in said
