"""The reference of a run: found in all its forms, kept between runs, and the same whatever was kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from napari_spatialml.errors import BadInput
from napari_spatialml.methods import method
from napari_spatialml.session import (
    DeconvolutionSelection,
    Session,
    finish,
    prepare,
    read_recipe,
    replay,
    run,
    scratch,
    write_recipe,
)
from napari_spatialml.session import reference_cache as cache
from napari_spatialml.session import references as refs
from napari_spatialml.session.selection import plain, selection_from

from .conftest import small_section

GENERATOR = np.random.default_rng(5)
GENES = [f"Gene{i}" for i in range(60)]
PROFILES = GENERATOR.dirichlet(np.full(60, 0.3), 3)
TYPES = np.repeat(["B", "T", "tumour"], 30)
CELLS = sp.csr_matrix(GENERATOR.poisson(np.repeat(PROFILES, 30, axis=0) * 2000).astype(np.float32))
NNLS = method("deconvolution", "nnls")


def cells(counts: Any = CELLS, genes: Any = GENES, types: Any = TYPES) -> ad.AnnData:
    table = ad.AnnData(counts, obs=pd.DataFrame({"cell_type": types}, index=[f"c{i}" for i in range(counts.shape[0])]))
    table.var_names = genes
    return table


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Session]:
    """A section of 12 spots over the reference's genes."""
    refs._LAST.clear()
    made = small_section()
    old = made.tables["counts"]
    truth = GENERATOR.dirichlet(np.full(3, 0.5), old.n_obs)
    table = ad.AnnData(
        sp.csr_matrix(GENERATOR.poisson(truth @ PROFILES * 1500).astype(np.float32)), obs=old.obs, uns=old.uns
    )
    table.var_names = GENES
    del made.tables["counts"]
    made.tables["counts"] = table
    session = Session.start(made)
    yield session
    session.close()


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    cells().write_h5ad(tmp_path / "reference.h5ad")
    return tmp_path / "reference.h5ad"


def look(session: Session, reference: Any, **given: Any) -> refs.Prepared:
    return refs.prepared(session.document, DeconvolutionSelection("counts", str(reference), **given))


def same(one: refs.Prepared, other: refs.Prepared) -> bool:
    """Whether two preparations are equal to the last bit."""
    equal = (one.reference.counts != other.reference.counts).nnz == 0
    return (
        equal
        and one.reference.counts.dtype == other.reference.counts.dtype
        and list(one.reference.types) == list(other.reference.types)
        and list(one.reference.genes) == list(other.reference.genes)
        and one.reference.report.notes == other.reference.report.notes
        and np.array_equal(one.reference.report.alike, other.reference.report.alike, equal_nan=True)
    )


def test_a_reference_is_told_in_numbers_before_a_run(opened: Session, reference: Path) -> None:
    told = refs.check_reference(opened.document, "counts", str(reference))
    assert (told.n_cells, told.n_genes, told.n_shared, told.counts) == (90, 60, 60, "raw")
    assert told.types == ("B", "T", "tumour") and told.cells_per_type == (30, 30, 30)
    assert told.notes[0] == "60 genes are shared: 100 % of the spots' 60, 100 % of the reference's 60."
    assert told.column == "cell_type" and told.rare == () and told.merges == ()
    assert (np.diag(told.alike) > 0.95).all()


@pytest.mark.parametrize("kept", ["in memory", "on disk", "damaged", "gone"])
def test_what_was_kept_changes_nothing(opened: Session, reference: Path, kept: str, monkeypatch: Any) -> None:
    first = look(opened, reference)
    entry = next(cache.cache_folder().glob("*.npz"))
    if kept == "in memory":
        assert look(opened, reference) is first
        return
    refs._LAST.clear()
    cache._KNOWN.clear()
    if kept == "on disk":
        monkeypatch.setattr(refs, "read_reference", None)  # the file is not read again
    if kept == "damaged":
        content = bytearray(entry.read_bytes())
        content[len(content) // 2] ^= 0xFF
        entry.write_bytes(content)
    if kept == "gone":
        for path in cache.cache_folder().iterdir():
            path.unlink()
    again = look(opened, reference)
    assert again is not first and same(first, again)
    assert entry.exists()


def test_what_was_prepared_goes_with_its_section(reference: Path) -> None:
    import gc

    class Section:
        def __init__(self) -> None:
            self.held = cells()

        def table(self, name: str) -> Any:
            return self.held

        def revision(self, slot: Any) -> int:
            return 0

    section: Any = Section()
    refs.check_reference(section, "cells", str(reference))
    assert len(refs._LAST) == 1
    del section
    gc.collect()
    assert len(refs._LAST) == 0


def test_the_fingerprint_is_that_of_the_content(opened: Session, reference: Path, tmp_path: Path) -> None:
    first = refs.fingerprint_of(opened.document, str(reference))
    other = tmp_path / "moved.h5ad"
    other.write_bytes(reference.read_bytes())
    assert refs.fingerprint_of(opened.document, str(other)) == first
    assert look(opened, other).reference.report.fingerprint == first
    cells(types=TYPES[::-1]).write_h5ad(reference)
    assert refs.fingerprint_of(opened.document, str(reference)) != first
    assert list(look(opened, reference).reference.types) == list(TYPES[::-1])


def test_kept_references_never_outgrow_their_limit(opened: Session, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(cache, "LIMIT", 60_000)
    for number in range(5):
        cells(CELLS[number:], types=TYPES[number:]).write_h5ad(tmp_path / f"{number}.h5ad")
        look(opened, tmp_path / f"{number}.h5ad")
        held = [p.stat().st_size for p in cache.cache_folder().glob("*.npz")]
        assert held and sum(held) <= 60_000
    assert not list(cache.cache_folder().glob("*.partial"))


def test_every_form_of_a_reference_gives_the_same_proportions(opened: Session, reference: Path, tmp_path: Path) -> None:
    """An h5ad, the same in zarr, as a table of another store, and as a table of this section."""
    zarr, store = tmp_path / "cells.zarr", tmp_path / "other.zarr"
    cells().write_zarr(zarr)
    other = small_section()
    other.tables["cells"] = cells()
    other.write(store)
    opened.document.sdata.tables["cells"] = cells()
    first = look(opened, reference)
    for place in (zarr, f"{store}::cells", "table:cells"):
        found = look(opened, place, column="cell_type")
        assert (found.reference.counts != first.reference.counts).nnz == 0, place
        assert list(found.reference.types) == list(TYPES), place
    with pytest.raises(BadInput, match="no table 'nothing'"):
        look(opened, f"{store}::nothing")
    with pytest.raises(BadInput, match=r"several tables: 'cells', 'counts', 'nuclei_table'"):
        look(opened, store)


@pytest.mark.parametrize("form", ["genes.csv", "types.tsv", "genes.parquet"])
def test_signatures_are_read_whichever_way_they_lie(opened: Session, tmp_path: Path, form: str) -> None:
    frame = pd.DataFrame(
        PROFILES[:, :40].T * 1e4, index=pd.Index(GENES[:40], name="gene"), columns=["B", "T", "tumour"]
    )
    path = tmp_path / form
    made = frame.T if form.startswith("types") else frame
    if form.endswith("parquet"):
        made.to_parquet(path)
    else:
        made.to_csv(path, sep="\t" if form.endswith("tsv") else ",")
    found = look(opened, path)
    told = found.reference.report
    assert told.counts == "signatures" and told.types == ("B", "T", "tumour") and told.n_shared == 40
    assert told.rare == () and told.merges == () and (np.diag(told.alike) > 0.95).all()
    order = [GENES.index(g) for g in found.reference.genes]
    assert np.allclose(found.reference.counts.toarray(), PROFILES[:, order] * 1e4)


def test_a_table_that_is_no_signatures_is_refused_in_words(opened: Session, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    for text, words in (
        ("gene,B,T\nGene1,1,-2\n", "negative values"),
        ("gene,B,T\nGene1,1,\n", "missing or infinite"),
        ("gene,B\nGene1,x\n", "no columns of numbers"),
        ("\x00\x01", "no table that can be read|no columns of numbers"),
    ):
        path.write_text(text)
        with pytest.raises(BadInput, match=words):
            look(opened, path)
    (tmp_path / "notes.docx").write_bytes(b"?")
    with pytest.raises(BadInput, match="not an AnnData file"):
        look(opened, tmp_path / "notes.docx")


def test_raw_counts_are_taken_from_where_they_are(opened: Session, tmp_path: Path) -> None:
    logs = CELLS.copy()
    logs.data = np.log1p(logs.data * 3)
    layered = cells(logs)
    layered.layers["counts"] = CELLS
    layered.write_h5ad(tmp_path / "layered.h5ad")
    kept = cells()
    kept.raw = kept.copy()
    kept.X = logs
    kept[:, :50].copy().write_h5ad(tmp_path / "kept.h5ad")
    for name, where in (("layered", "the layer 'counts'"), ("kept", "its raw part")):
        found = look(opened, tmp_path / f"{name}.h5ad").reference
        assert found.report.counts == "raw" and found.report.n_shared == 60
        assert any(f"taken from {where}" in note for note in found.report.notes)
        assert found.counts.sum() == CELLS.sum()
    opened.document.sdata.tables["cells"] = layered
    assert look(opened, "table:cells").reference.counts.sum() == CELLS.sum()


def test_spots_whose_matrix_is_normalised_are_taken_raw_from_a_layer_or_turned_back(
    opened: Session, reference: Path
) -> None:
    table = opened.document.table("counts")
    first = run_on(opened, reference)
    counts = table.X.copy()
    logs = counts.copy()
    logs.data = np.log1p(logs.data / np.repeat(np.asarray(logs.sum(1)).ravel(), np.diff(logs.indptr)) * 1e4)
    table.X = logs
    refs._LAST.clear()  # it was changed past the document
    told = refs.check_reference(opened.document, "counts", str(reference))
    assert any("spots' values in 'counts' are natural logarithms" in warning for warning in told.warnings)
    assert np.abs(run_on(opened, reference) - first).max() < 0.05
    table.layers["counts"] = counts
    assert np.array_equal(run_on(opened, reference), first)
    table.X = -counts
    del table.layers["counts"]
    refs._LAST.clear()
    with pytest.raises(BadInput, match=r"spots' values in 'counts' hold .* negative values"):
        look(opened, reference)


def run_on(session: Session, reference: Path) -> Any:
    refs._LAST.clear()
    run(session, NNLS(), DeconvolutionSelection("counts", str(reference)))
    return session.document.table("counts").obsm["proportions"].to_numpy()


def test_no_file_outside_is_followed(opened: Session, reference: Path, tmp_path: Path) -> None:
    import h5py

    with h5py.File(reference, "a") as file:
        del file["X"]
        file["X"] = h5py.ExternalLink("elsewhere.h5", "/X")
    with pytest.raises(BadInput, match="lies in another file"):
        look(opened, reference)
    cells().write_zarr(tmp_path / "cells.zarr")
    (tmp_path / "cells.zarr" / "obs" / "leak").symlink_to("/etc")
    with pytest.raises(BadInput, match="link out of the store"):
        look(opened, tmp_path / "cells.zarr")
    with pytest.raises(BadInput, match="has no table"):
        look(opened, f"{tmp_path / 'cells.zarr'}::../..")


def test_a_broken_reference_is_refused_in_words(opened: Session, tmp_path: Path) -> None:
    path = tmp_path / "broken.h5ad"
    for made, words in (
        (cells(types=["T"] * 90), "1 cell type|not clear which column"),
        (cells(genes=[f"x{i}" for i in range(60)]), "share 0, too few for 3 cell types"),
        (cells(-CELLS), "negative values"),
        (cells(CELLS * np.nan), "NaN or infinite"),
    ):
        made.write_h5ad(path)
        with pytest.raises(BadInput, match=words):
            look(opened, path)
    barcodes = cells(sp.vstack([CELLS] * 6, format="csr"), types=[f"AAAC{i}" for i in range(540)])
    barcodes.write_h5ad(path)
    with pytest.raises(BadInput, match="540 different values, too many for cell types"):
        look(opened, path, column="cell_type")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(BadInput, match=r"damaged|not an AnnData"):
        look(opened, path)
    with pytest.raises(BadInput, match="There is no reference"):
        look(opened, tmp_path / "absent.h5ad")


def test_doubled_genes_are_added_up(opened: Session, tmp_path: Path) -> None:
    half = sp.csr_matrix(np.floor(CELLS.toarray() / 2))
    doubled = cells(sp.hstack([half, CELLS - half], format="csr"), genes=[*GENES, *GENES])
    doubled.write_h5ad(tmp_path / "doubled.h5ad")
    cells().write_h5ad(tmp_path / "single.h5ad")
    one, other = (look(opened, tmp_path / f"{name}.h5ad").reference for name in ("single", "doubled"))
    assert (one.counts != other.counts).nnz == 0


def test_a_merged_type_is_one_type_in_the_result_and_in_the_recipe(opened: Session, reference: Path) -> None:
    selection = DeconvolutionSelection("counts", str(reference), merged=(("B", "lymphocyte"), ("T", "lymphocyte")))
    run(opened, NNLS(), selection)
    frame = opened.document.table("counts").obsm["proportions"]
    assert list(frame.columns) == ["lymphocyte", "tumour"]
    as_written = {k: [list(p) for p in v] if k == "merged" else v for k, v in plain(selection).items()}
    assert selection_from("deconvolution", as_written) == selection
    with pytest.raises(BadInput, match="no type 'NK' to merge"):
        look(opened, reference, merged=(("NK", "T"),))


def test_a_replay_needs_nothing_kept_and_says_when_the_reference_changed(
    opened: Session, reference: Path, tmp_path: Path
) -> None:
    store = tmp_path / "section.zarr"
    opened.save(store)
    job = prepare(opened, NNLS(), DeconvolutionSelection("counts", str(reference)))
    finish(opened, job, job())
    opened.save()
    recipe = read_recipe(write_recipe(opened, tmp_path / "recipe.json"))
    assert recipe["steps"][0]["reference_fingerprint"] == refs.fingerprint_of(opened.document, str(reference))
    opened.close()
    for path in cache.cache_folder().iterdir():
        path.unlink()
    with scratch(store) as session:
        (step,) = replay(recipe, session)
    assert step.identical and step.note == ""
    cells(types=TYPES[::-1]).write_h5ad(reference)
    with scratch(store) as session:
        (step,) = replay(recipe, session)
    assert not step.identical and "has changed since this was run" in step.note


@pytest.mark.acceptance
def test_the_real_reference_is_looked_at(data: Path) -> None:
    """Pancreas: of 20 types, the two with fewer than 10 cells are rare, and the dendritic cells too alike."""

    class Held:
        def table(self, name: str) -> Any:
            return ad.read_h5ad(data / "pdac" / "spots.h5ad")

        def revision(self, slot: Any) -> int:
            return 0

    held: Any = Held()
    told = refs.check_reference(held, "spots", str(data / "pdac" / "reference.h5ad"))
    assert (told.n_cells, told.n_genes, told.n_shared, told.counts) == (1926, 7000, 2320, "raw")
    assert told.rare == ("Endocrine_cells", "Fibroblasts")
    assert told.confused()[0][:2] == ("mDCs_A", "mDCs_B")
    assert told.alike[told.types.index("Acinar_cells"), told.types.index("Acinar_cells")] > 0.9
