"""The simulated section: deterministic, true to itself, and a picture of tissue."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_spatialml.core.expression import MARKERS
from napari_spatialml.core.histology import EOSIN, HAEMATOXYLIN
from napari_spatialml.core.ions import move
from napari_spatialml.core.metrics import average_precision
from napari_spatialml.core.tissue import Tissue, simulate_tissue
from napari_spatialml.errors import BadInput


@pytest.fixture(scope="module")
def tissue() -> Tissue:
    return simulate_tissue(3, 300.0)


def same(a, b) -> bool:
    if dataclasses.is_dataclass(a):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    if hasattr(a, "tocsr"):
        return a.shape == b.shape and (a != b).nnz == 0
    return np.array_equal(a, b)


def test_a_seed_gives_the_same_section_again(tissue):
    assert same(tissue, simulate_tissue(3, 300.0))


def test_another_seed_gives_another_section(tissue):
    other = simulate_tissue(4, 300.0)
    assert not np.array_equal(tissue.he, other.he)
    assert not np.array_equal(tissue.domain_raster, other.domain_raster)
    assert not np.array_equal(tissue.spots.counts.sum(), other.spots.counts.sum())


def test_a_parameter_of_one_part_leaves_the_others(tissue):
    other = simulate_tissue(3, 300.0, n_genes=150, msi_pixel_size_um=(20.0, 10.0), transcripts_per_cell=5.0)
    assert np.array_equal(tissue.he, other.he)
    assert np.array_equal(tissue.labels, other.labels)
    assert other.spots.counts.shape[1] == 150
    assert len(other.molecules.genes) < len(tissue.molecules.genes) / 5


def test_the_arrays_are_read_only(tissue):
    with pytest.raises(ValueError, match="read-only"):
        tissue.labels[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        tissue.ions.intensities[0, 0] = 1


def test_nuclei_agree_with_their_labels(tissue):
    n = len(tissue.types)
    assert np.array_equal(np.unique(tissue.labels), np.arange(n + 1))
    middle = ndimage.center_of_mass(tissue.labels > 0, tissue.labels, np.arange(1, n + 1))
    assert np.allclose((np.array(middle) + 0.5) * tissue.pixel_size_um, tissue.centroids_um)
    assert np.all(tissue.domain_raster[tissue.labels > 0] > 0), "a nucleus lies on glass"
    i, j = (tissue.centroids_um / tissue.pixel_size_um).astype(int).T
    assert np.array_equal(tissue.domain_raster[i, j], tissue.domains)


def test_nuclei_have_the_size_and_the_shape_of_nuclei(tissue):
    area = np.bincount(tissue.labels.ravel())[1:] * tissue.pixel_size_um**2
    assert 15 < np.median(area) < 40
    assert area.min() > 4 and area.max() < 120
    boxes = ndimage.find_objects(tissue.labels)
    pieces = [ndimage.label(tissue.labels[box] == k, np.ones((3, 3)))[1] for k, box in enumerate(boxes, 1)]
    assert np.mean(np.array(pieces) == 1) > 0.97


def test_the_domains_differ_in_their_cells(tissue):
    name = {d: k for k, d in enumerate(tissue.domain_names)}
    kind = {t: k for k, t in enumerate(tissue.type_names)}

    def share(domain, cell_type):
        return np.mean(tissue.types[tissue.domains == name[domain]] == kind[cell_type])

    assert set(np.unique(tissue.domain_raster)) == set(range(len(tissue.domain_names)))
    assert share("lymphoid follicle", "lymphocyte") > 0.85
    assert share("muscle", "smooth muscle") > 0.7
    assert share("mucosa", "epithelial") > 0.25
    assert share("submucosa", "fibroblast") > 0.4
    assert share("adipose", "adipocyte") > 0.2
    assert np.sum(tissue.types == kind["epithelial"]) == np.sum(
        (tissue.types == kind["epithelial"]) & (tissue.domains == name["mucosa"])
    )


def test_spots_lie_on_tissue_on_a_hexagonal_grid(tissue):
    spots = tissue.spots
    i, j = (spots.coordinates_um / tissue.pixel_size_um).astype(int).T
    assert np.all(tissue.domain_raster[i, j] > 0)
    nearest, _ = cKDTree(spots.coordinates_um).query(spots.coordinates_um, k=2)
    assert np.allclose(np.median(nearest[:, 1]), 29.0)
    assert nearest[:, 1].min() > spots.diameter_um
    assert np.allclose(spots.proportions.sum(1), 1) and spots.proportions.min() >= 0


def test_proportions_are_the_shares_of_cells_under_the_spot(tissue):
    """Counted again by hand: each cell counts with the part of its territory that the spot covers."""
    size, spots = tissue.pixel_size_um, tissue.spots
    _, nearest = ndimage.distance_transform_edt(tissue.labels == 0, return_indices=True)
    territory = np.where(tissue.domain_raster > 0, tissue.labels[tuple(nearest)], 0)
    whole = np.bincount(territory.ravel())
    grid = np.indices(territory.shape)
    for k in (0, len(spots.n_cells) // 2, len(spots.n_cells) - 1):
        middle = np.floor(spots.coordinates_um[k] / size)
        disc = np.hypot(grid[0] - middle[0], grid[1] - middle[1]) * size <= spots.diameter_um / 2
        part = np.bincount(territory[disc], minlength=len(whole))[1:] / whole[1:]
        expected = np.bincount(tissue.types, part, len(tissue.type_names))
        assert np.isclose(part.sum(), spots.n_cells[k])
        assert np.allclose(expected / expected.sum(), spots.proportions[k])


def test_markers_follow_their_type(tissue):
    spots, reference = tissue.spots, tissue.reference
    by_spot = np.asarray(spots.counts.sum(1)).ravel()
    by_cell = np.asarray(reference.counts.sum(1)).ravel()
    for t, name in enumerate(tissue.type_names):
        genes = np.isin(tissue.genes, MARKERS[name].split())
        in_spots = np.asarray(spots.counts[:, genes].sum(1)).ravel() / np.maximum(by_spot, 1)
        assert np.corrcoef(in_spots, spots.proportions[:, t])[0, 1] > 0.7
        in_cells = np.asarray(reference.counts[:, genes].sum(1)).ravel() / by_cell
        mine = reference.types == t
        assert in_cells[mine].mean() > 4 * in_cells[~mine].mean()


def test_counts_are_sparse_whole_numbers_with_varying_libraries(tissue):
    counts = tissue.spots.counts
    assert np.all(counts.data > 0) and np.all(counts.data == np.round(counts.data))
    assert counts.nnz < 0.8 * np.prod(counts.shape)
    library = np.asarray(counts.sum(1)).ravel()
    assert 0.2 < library.std() / library.mean() < 1.0


def test_molecules_lie_in_the_cells_they_came_from(tissue):
    molecules = tissue.molecules
    away, nearest = ndimage.distance_transform_edt(tissue.labels == 0, return_indices=True)
    i, j = (molecules.coordinates_um / tissue.pixel_size_um).astype(int).T
    mine = molecules.cells > 0
    assert np.array_equal(tissue.labels[tuple(nearest)][i, j][mine], molecules.cells[mine])
    assert np.all(away[i, j][mine] * tissue.pixel_size_um < 4)
    assert 0.01 < np.mean(~mine) < 0.06
    assert 30 < mine.sum() / len(tissue.types) < 55


def test_the_affine_moves_landmarks_onto_their_partners(tissue):
    ions = tissue.ions
    assert np.allclose(move(ions.matrix, ions.moving_um), ions.fixed_um, atol=1e-9)
    assert np.linalg.det(ions.matrix) < 0, "the section is mirrored on its stage"
    assert len(ions.fixed_um) == 10
    assert cKDTree(ions.fixed_um).query(ions.fixed_um, k=2)[0][:, 1].min() > 20
    straight = simulate_tissue(3, 300.0, msi_mirrored=False, msi_degrees=0.0).ions
    assert np.linalg.det(straight.matrix) > 0


def test_the_ion_image_shows_the_section_through_the_affine(tissue):
    ions = tissue.ions
    i, j = np.divmod(np.arange(len(ions.intensities)), ions.shape[1])
    middle = np.stack([(i + 0.5) * ions.pixel_size_um[0], (j + 0.5) * ions.pixel_size_um[1]], 1)
    on = np.floor(move(ions.matrix, middle) / tissue.pixel_size_um).astype(int)
    seen = ((on >= 0) & (on < tissue.labels.shape[0])).all(1)
    domain = np.where(seen, tissue.domain_raster[tuple(np.where(seen[:, None], on, 0).T)], 0)
    assert np.all(domain[ions.tissue == 1] > 0)
    assert np.all(domain[ions.tissue == 0] == 0)
    assert np.mean(domain == ions.domains) > 0.95
    muscle = ions.intensities[:, list(ions.mz).index(741.5306)]
    inside = ions.domains == tissue.domain_names.index("muscle")
    assert np.median(muscle[inside]) > 5 * np.median(muscle[~inside])


def test_the_histology_looks_like_tissue(tissue):
    density = -np.log(np.maximum(tissue.he, 1) / 245.0).mean(0)
    glass, nuclei = tissue.domain_raster == 0, tissue.labels > 0
    fat = tissue.domain_raster == tissue.domain_names.index("adipose")
    stroma = ~glass & ~nuclei & ~fat
    assert np.median(density[glass]) < 0.1
    assert 0.1 < np.median(density[stroma]) < 0.7
    assert 0.7 < np.median(density[nuclei]) < 1.5
    red, green, blue = (np.median(c[stroma]) for c in tissue.he)
    assert red > blue > green, "stroma is pink"
    red, green, blue = (np.median(c[nuclei]) for c in tissue.he)
    assert blue > red > green, "nuclei are blue to purple"


def watershed_nuclei(stain: np.ndarray) -> np.ndarray:
    from skimage.feature import peak_local_max
    from skimage.filters import threshold_otsu
    from skimage.segmentation import watershed

    smooth = ndimage.gaussian_filter(stain, 1.0)
    mask = ndimage.binary_opening(smooth > threshold_otsu(smooth))
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 1.0)
    peaks = peak_local_max(depth, min_distance=4, labels=ndimage.label(mask)[0])
    seeds = np.zeros(stain.shape, int)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return watershed(-depth, seeds, mask=mask)


def test_a_plain_watershed_finds_most_but_not_all_nuclei(tissue):
    """As on real images: fluorescence is easy, H&E is harder, neither is trivial."""
    density = -np.log(np.maximum(tissue.he, 1) / 245.0).reshape(3, -1)
    stains = np.linalg.lstsq(np.stack([HAEMATOXYLIN, EOSIN], 1), density, rcond=None)[0]
    haematoxylin = stains[0].reshape(tissue.labels.shape)
    on_he = average_precision(tissue.labels, watershed_nuclei(haematoxylin), 0.5)[0]
    on_dapi = average_precision(tissue.labels, watershed_nuclei(tissue.dapi[0].astype(float)), 0.5)[0]
    assert 0.4 < on_he < 0.97, on_he
    assert 0.45 < on_dapi < 0.98, on_dapi


def test_the_default_carries_enough_spots_and_molecules():
    tissue = simulate_tissue(0)
    assert tissue.he.shape == (3, 1200, 1200) and tissue.he.dtype == np.uint8
    assert tissue.dapi.shape == (1, 1200, 1200) and tissue.dapi.dtype == np.uint16
    assert len(tissue.spots.n_cells) >= 300
    assert tissue.spots.counts.shape[1] == len(tissue.genes) == 300
    assert 60_000 < len(tissue.molecules.genes) < 100_000
    assert len(tissue.ions.mz) == tissue.ions.intensities.shape[1] == 40
    assert np.bincount(tissue.reference.types).min() >= 30


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"size_um": 50.0}, "50"),
        ({"pixel_size_um": 9.0}, "9"),
        ({"n_genes": 3}, "3"),
        ({"spot_pitch_um": 5.0}, "overlap"),
    ],
)
def test_impossible_sections_are_refused_with_the_value(wrong, word):
    with pytest.raises(BadInput, match=word):
        simulate_tissue(0, **wrong)
