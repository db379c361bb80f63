"""Runs: one path, recorded as executed, and replayed to the same bits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_spatialml.core.metrics import adjusted_rand_index
from napari_spatialml.errors import BadInput, Stale
from napari_spatialml.io.sample import sample_reference, sample_section, sample_truth
from napari_spatialml.methods import method
from napari_spatialml.session import (
    DeconvolutionSelection,
    DomainsSelection,
    RegistrationSelection,
    SegmentationSelection,
    Session,
    correct,
    finish,
    prepare,
    read_recipe,
    replay,
    run,
    scratch,
    write_recipe,
)

SMALL = {"size_um": 300.0}
WATERSHED, LANDMARKS = method("segmentation", "watershed"), method("registration", "landmarks")
MIXTURE, NNLS = method("domains", "low-pass-mixture"), method("deconvolution", "nnls")


@pytest.fixture
def sample() -> Iterator[Session]:
    session = Session.start(sample_section(0, **SMALL))
    yield session
    session.close()


def test_the_whole_way_is_replayed_to_the_same_bits(sample: Session, tmp_path: Path) -> None:
    sample_reference(0, **SMALL).write_h5ad(tmp_path / "reference.h5ad")
    sample.save(tmp_path / "section.zarr")
    run(sample, WATERSHED(), SegmentationSelection("dapi"))
    run(sample, LANDMARKS(model="similarity"), RegistrationSelection("msi"))
    run(sample, MIXTURE(n_domains=4), DomainsSelection("spot_counts"))
    run(sample, MIXTURE(n_domains=3), DomainsSelection("msi"))
    run(sample, NNLS(), DeconvolutionSelection("spot_counts", str(tmp_path / "reference.h5ad")))
    cells = sample.document.instances("nuclei_table")
    for name, arguments in (
        ("merge-cells", {"labels": "nuclei", "cells": [int(cells[0]), int(cells[1])]}),
        ("delete-cells", {"labels": "nuclei", "cells": [int(cells[5])]}),
        ("relabel", {"table": "spot_counts", "column": "domain", "rows": [0, 1, 2], "value": "tumour"}),
    ):
        sample.execute(correct(sample.document, name, **arguments))
    run(sample, MIXTURE(n_domains=4), DomainsSelection("spot_counts"))
    assert (sample.document.table("spot_counts").obs["domain"].iloc[:3] == "tumour").all()
    sample.save()
    path = write_recipe(sample, tmp_path / "recipe.json")
    kept = sample.document.fingerprints()
    sample.close()
    with scratch(tmp_path / "section.zarr") as again:
        steps = replay(read_recipe(path), again)
        assert [s for s in steps if not s.identical] == []
        assert len(steps) == 9
        assert again.document.fingerprints() == kept
    reopened = Session.open_store(tmp_path / "section.zarr")
    assert reopened.document.fingerprints() == kept, "the replay reached the store"
    reopened.close()


def test_a_recipe_whose_outputs_differ_is_said_to_differ(sample: Session, tmp_path: Path) -> None:
    sample.save(tmp_path / "section.zarr")
    run(sample, WATERSHED(), SegmentationSelection("dapi"))
    sample.save()
    recipe = read_recipe(write_recipe(sample, tmp_path / "recipe.json"))
    sample.close()
    recipe["steps"][0]["settings"]["diameter_um"] = 14.0
    with scratch(tmp_path / "section.zarr") as again:
        (step,) = replay(recipe, again)
    assert not step.identical
    assert "labels/nuclei" in step.different


def test_a_result_of_changed_inputs_is_not_kept_in_silence(sample: Session) -> None:
    run(sample, WATERSHED(), SegmentationSelection("dapi"))
    job = prepare(sample, LANDMARKS(), RegistrationSelection("msi"))
    done = job()
    sample.execute(correct(sample.document, "delete-landmark", landmarks="msi", number=1))
    before = sample.position
    with pytest.raises(Stale, match="changed while"):
        finish(sample, job, done)
    assert sample.position == before
    finish(sample, job, done, stale=True)
    assert sample.position == before + 1


def test_registration_lays_the_mirrored_grid_where_the_truth_has_it(sample: Session) -> None:
    truth = sample_truth(0, **SMALL)
    line = run(sample, LANDMARKS(), RegistrationSelection("msi"))
    assert "affine, mirrored" in line, "the truth is an affine transform"
    found = sample.document.affine("msi_pixels", "global").matrix @ np.linalg.inv(
        sample.document.affine("msi_pixels", "msi").matrix
    )
    points = np.c_[truth.ions.moving_um, np.ones(len(truth.ions.moving_um))]
    off = np.linalg.norm((points @ found.T - points @ truth.ions.matrix.T)[:, :2], axis=1)
    assert np.median(off) < 1.0
    sample.undo()
    assert "global" not in sample.document.placed("msi_pixels")


def test_a_spline_leaves_warped_copies_that_the_table_annotates(sample: Session) -> None:
    run(sample, LANDMARKS(model="spline"), RegistrationSelection("msi"))
    assert sample.document.tables_of("msi_pixels_warped") == ("msi",)
    straight = sample.document.affine("msi_pixels", "global")
    warped = sample.document.affine("msi_pixels_warped", "global")
    pixels, resampled = (sample.document.grid(n).read() for n in ("msi_pixels", "msi_pixels_warped"))
    cell = int(pixels[pixels.shape[0] // 2, pixels.shape[1] // 2])
    a = straight.apply(np.argwhere(pixels == cell) + 0.5).mean(0)
    b = warped.apply(np.argwhere(resampled == cell) + 0.5).mean(0)
    assert np.linalg.norm(a - b) < 12, "the affine part and the warped copy lie a pixel apart at most"


def test_domains_keep_their_names_when_run_again(sample: Session) -> None:
    run(sample, MIXTURE(n_domains=4, seed=0), DomainsSelection("spot_counts"))
    first = sample.document.table("spot_counts").obs["domain"].astype(str).to_numpy()
    run(sample, MIXTURE(n_domains=5, seed=1), DomainsSelection("spot_counts"))
    second = sample.document.table("spot_counts").obs["domain"].astype(str).to_numpy()
    assert adjusted_rand_index(first, second) > 0.2
    assert (first == second).mean() > 0.5


@pytest.mark.parametrize(
    ("selection", "match"),
    [
        (SegmentationSelection("nothing"), "has no element 'nothing'"),
        (SegmentationSelection("spots"), "is not an image"),
        (SegmentationSelection("dapi", channels=("red",)), "no channel 'red'"),
    ],
)
def test_a_wrong_image_is_told_in_words(sample: Session, selection: SegmentationSelection, match: str) -> None:
    with pytest.raises(Exception, match=match):
        prepare(sample, WATERSHED(), selection)


def test_wrong_inputs_are_told_in_words(sample: Session) -> None:
    with pytest.raises(BadInput, match="no landmarks 'ghost'"):
        prepare(sample, LANDMARKS(), RegistrationSelection("ghost"))
    with pytest.raises(BadInput, match="no features 'obsm/pca'"):
        prepare(sample, MIXTURE(), DomainsSelection("spot_counts", "obsm/pca"))
    with pytest.raises(BadInput, match="does domains, not segmentation"):
        prepare(sample, MIXTURE(), SegmentationSelection("dapi"))


def test_an_empty_mask_is_an_answer_not_a_crash(sample: Session) -> None:
    line = run(sample, WATERSHED(), SegmentationSelection("dapi", region=(0, 8, 0, 8)))
    assert "No cell was found" in line
    assert sample.document.table("nuclei_table").n_obs == 0
    with pytest.raises(BadInput, match="no cell"):
        correct(sample.document, "delete-cells", labels="nuclei", cells=[1])
