"""A reference is looked at before it is used: its genes, its counts, and its types."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core.count_rows import CountRows, picked, row_blocks
from napari_spatialml.core.count_state import as_counts, is_raw
from napari_spatialml.core.gene_names import match_genes, names_of
from napari_spatialml.core.reference_checks import ReferenceReport, check_cells, merged_types
from napari_spatialml.core.type_confusion import confusion, groups_alike
from napari_spatialml.errors import BadInput

SYMBOLS = np.array([f"{letters}{i}" for i in range(40) for letters in ("ABC", "DEF", "GHI")])
IDS = np.array([f"ENSG{i:011}" for i in range(120)])


def partners(spots, reference):
    """Which genes of the spots those of the reference became, as pairs of positions."""
    found = match_genes(spots, reference)
    return found, [(int(np.flatnonzero(found.spots == n)[0]), i) for i, n in enumerate(found.reference) if n]


@given(st.permutations(range(120)), st.integers(15, 119))
@settings(max_examples=20, deadline=None)
def test_genes_are_matched_by_whichever_names_agree_and_keep_the_spots_names(order, n):
    order = np.array(order[:n])
    right = list(zip(order.tolist(), range(n), strict=True))
    by_names, pairs = partners(names_of(SYMBOLS, {}), names_of(SYMBOLS[order], {"gene_ids": IDS[order]}))
    assert pairs == right and by_names.notes == () and by_names.n_shared == n
    by_ids, pairs = partners(names_of(SYMBOLS, {"gene_ids": IDS}), names_of(IDS[order], {"feature_name": ["?"] * n}))
    assert pairs == right and list(by_ids.spots) == list(SYMBOLS)
    assert by_ids.notes == ("Genes were matched by 'gene_ids' of the spots and the names of the reference.",)


def test_versions_of_identifiers_are_not_compared_and_that_is_said():
    found, pairs = partners({"names": IDS}, {"names": np.char.add(IDS, ".7")})
    assert len(pairs) == found.n_shared == 120
    assert "versions of Ensembl identifiers ('ENSG00000000000.7')" in found.notes[0]


def test_case_counts_unless_little_agrees_without_it_and_species_are_named():
    mouse = np.char.capitalize(np.char.lower(SYMBOLS))
    found, pairs = partners({"names": mouse}, {"names": SYMBOLS})
    assert pairs == [(i, i) for i in range(120)]
    assert "120 genes agree only when upper and lower case are not told apart ('Abc0', 'ABC0')" in found.notes[0]
    assert "like mouse ones, the reference's like human ones" in found.notes[1]
    few = SYMBOLS.copy()
    few[:5] = mouse[:5]
    found, _ = partners({"names": SYMBOLS}, {"names": few})
    assert found.n_shared == 115 and found.notes == ()


def test_names_that_r_changed_are_matched_but_never_take_the_place_of_the_right_one():
    spots = np.array([*SYMBOLS, "HLA.A", "NKX2-1"])
    found, _ = partners({"names": spots}, {"names": np.array([*SYMBOLS, "HLA-A", "NKX2.1", "NKX2-1"])})
    assert list(found.reference[-3:]) == ["HLA.A", "", "NKX2-1"]
    assert "1 genes agree but for '-', '_' and '.'" in found.notes[0]


def test_columns_of_one_gene_get_one_name():
    found, _ = partners({"names": SYMBOLS, "gene_ids": np.repeat(IDS[:60], 2)}, {"names": IDS[:60]})
    assert found.n_shared == 60
    assert list(found.spots) == list(np.repeat(SYMBOLS[::2], 2))


COUNTS = sp.csr_matrix(np.random.default_rng(1).poisson(np.random.default_rng(2).gamma(0.3, 3, (60, 80))))


def normalised(counts, total=1e4):
    made = sp.csr_matrix(counts, dtype=np.float64)
    made.data *= np.repeat(total / np.asarray(made.sum(1)).ravel(), np.diff(made.indptr))
    return made.astype(np.float32)


def test_raw_normalised_and_log_normalised_values_are_told_apart():
    assert as_counts(COUNTS, "it")[1:] == ("raw", ())
    assert is_raw(COUNTS.toarray().astype(float)) and not is_raw(normalised(COUNTS))
    found, state, notes = as_counts(normalised(COUNTS), "the values of 'x'")
    assert state == "raw" and (found != COUNTS).nnz == 0
    assert notes[0].startswith("The values of 'x' were normalised: the counts were found again")
    rates = normalised(sp.csr_matrix(np.random.default_rng(0).gamma(2, 1, (60, 80))))
    found, state, notes = as_counts(rates, "the values of 'x'")
    assert state == "normalised" and (found != rates).nnz == 0
    assert notes[0].startswith("The values of 'x' are no raw counts.")


@pytest.mark.parametrize("base", [np.e, 2, 10])
@pytest.mark.parametrize("genes", [80, 30])
def test_logarithms_are_taken_back_also_after_genes_were_left_out(base, genes):
    plain = normalised(COUNTS)
    logs = plain.copy()
    logs.data = np.log1p(plain.data) / np.float32(np.log(base))
    found, state, notes = as_counts(logs[:, :genes], "the values")
    assert state == "raw" and "logarithm was taken back" in notes[0] and "counts were found again" in notes[0]
    assert (found != COUNTS[:, :genes]).nnz == 0


def test_logarithms_of_values_that_are_no_counts_are_taken_back_alone():
    plain = normalised(sp.csr_matrix(np.random.default_rng(0).gamma(2, 1, (60, 80))))
    logs = plain.copy()
    logs.data = np.log1p(plain.data)
    found, state, notes = as_counts(logs, "the values")
    assert state == "log-normalised" and "found again" not in notes[0]
    assert np.allclose(found.toarray(), plain.toarray(), rtol=1e-4)


def test_values_of_no_known_kind_are_said_to_be_so():
    odd = COUNTS.astype(float)
    odd.data *= np.random.default_rng(0).uniform(0.5, 1.5, odd.nnz)
    found, state, notes = as_counts(odd * 100, "the values")
    assert state == "normalised" and "no known normalisation" in notes[0]
    assert (found != odd * 100).nnz == 0


def test_negative_and_missing_values_are_refused_in_words():
    with pytest.raises(BadInput, match=r"The values of 'x' hold 1 negative values \(least -1\)"):
        as_counts(np.array([[1.0, -1.0]]), "the values of 'x'")
    with pytest.raises(BadInput, match="2 values that are NaN or infinite"):
        as_counts(np.array([[np.inf, np.nan]]), "the values")


GENERATOR = np.random.default_rng(3)
PROFILES = GENERATOR.dirichlet(np.full(150, 0.3), 4)
PROFILES[3] = PROFILES[2] * GENERATOR.uniform(0.95, 1.05, 150)
NAMES = np.array(["B", "T", "twin 1", "twin 2"])


def cells(sizes=(60, 50, 40, 45), depth=3000):
    types = np.repeat(NAMES, sizes)
    return sp.csr_matrix(GENERATOR.poisson(np.repeat(PROFILES, sizes, axis=0) * depth)), types


def test_types_that_no_cell_can_be_told_by_are_found_and_grouped():
    counts, types = cells()
    found = check_cells(counts, types, 500.0, "raw")
    assert found.types == tuple(NAMES) and found.cells_per_type == (60, 50, 40, 45)
    assert np.allclose(found.alike.sum(1), 1)
    assert found.alike[0, 0] > 0.98 and found.alike[1, 1] > 0.98
    assert found.merges == (("twin 1", "twin 2"),)
    assert any("merge 'twin 1', 'twin 2'?" in warning for warning in found.warnings)


@pytest.mark.parametrize("raw", [True, False])
def test_what_is_told_apart_with_many_counts_is_confused_with_few(raw):
    counts, types = cells()
    counts = counts if raw else normalised(counts, 1.0)
    number = np.searchsorted(NAMES, types)
    diagonal = [np.diag(confusion(counts, number, 4, depth, raw=raw))[:2].mean() for depth in (1, 3000)]
    assert diagonal[0] < diagonal[1] - 0.1 and diagonal[1] > 0.99


def test_the_order_of_cells_and_genes_hardly_matters_to_the_confusion():
    counts, types = cells(depth=400)
    number = np.searchsorted(NAMES, types)
    here = confusion(counts, number, 4, 400.0)
    rows, columns = GENERATOR.permutation(len(number)), GENERATOR.permutation(150)
    there = confusion(counts[rows][:, columns], number[rows], 4, 400.0)
    assert np.abs(here - there)[:2].max() < 0.05
    assert groups_alike(here, 0.2) == groups_alike(there, 0.2) == [[2, 3]]


def test_signatures_that_are_nearly_one_are_found_without_any_cell():
    found = check_cells(sp.csr_matrix(PROFILES * 1e6), NAMES, 500.0, "signatures")
    assert found.merges == (("twin 1", "twin 2"),) and found.rare == ()
    assert np.allclose(found.alike.sum(1), 1) and found.alike[0, 0] > 0.98
    deep = check_cells(sp.csr_matrix(PROFILES * 1e6), NAMES, 5e6, "signatures")
    assert deep.merges == () and (np.diag(deep.alike) > 0.99).all()


def test_a_type_with_one_cell_is_kept_and_warned_of():
    counts, types = cells((60, 1, 40, 0))
    found = check_cells(counts, types, 2000.0, "raw")
    assert found.rare == ("T",) and found.cells_per_type == (60, 1, 40)
    assert np.isfinite(found.alike).all() and found.alike[1, 1] > 0.9
    assert any("'T' has 1 cell, too few for a sure signature" in warning for warning in found.warnings)


def test_a_rare_type_is_said_to_look_like_the_one_it_was_split_from():
    counts, types = cells((60, 50, 40, 4))
    found = check_cells(counts, types, 2000.0, "raw")
    assert found.rare == ("twin 2",) and found.rare_like == (("twin 2", "twin 1"),)


def test_a_type_without_counts_in_the_shared_genes_is_named_and_left_out():
    counts, types = cells()
    counts = sp.csr_matrix(counts.toarray() * (types != "B")[:, None])
    found = check_cells(counts, types, 500.0, "raw")
    assert found.types == tuple(NAMES[1:]) and (found.kept == (types != "B")).all()
    assert "type 'B' has a count in the shared genes: it was left out" in found.warnings[0]
    with pytest.raises(BadInput, match="0 of the reference's 4 cell types"):
        check_cells(sp.csr_matrix(counts.shape), types, 500.0, "raw")


def test_merging_renames_types_and_refuses_what_is_not_there():
    types = np.array(["a", "b", "c", "a"])
    assert list(merged_types(types, [("a", "a or b"), ("b", "a or b")])) == ["a or b", "a or b", "c", "a or b"]
    assert list(merged_types(types, ())) == list(types)
    with pytest.raises(BadInput, match=r"no type 'd' to merge.*'a', 'b', 'c'"):
        merged_types(types, [("d", "a")])
    with pytest.raises(BadInput, match="'a' is to be merged into two"):
        merged_types(types, [("a", "b"), ("a", "c")])


def test_following_the_suggestions_of_a_report_leaves_none():
    counts, types = cells()
    found = check_cells(counts, types, 500.0, "raw")
    told = ReferenceReport(
        len(types), found.types, found.cells_per_type, 150, 150, "raw", found.rare, found.rare_like, found.alike,
        found.merges, (),
    )  # fmt: skip
    assert told.suggested() == (("twin 1", "twin 1 or twin 2"), ("twin 2", "twin 1 or twin 2"))
    assert {pair[:2] for pair in told.confused()} <= {("twin 1", "twin 2"), ("twin 2", "twin 1")}
    assert check_cells(counts, merged_types(types, told.suggested()), 500.0, "raw").merges == ()


class Rows(CountRows):
    def __init__(self, counts):
        self.counts, self.shape = counts, counts.shape

    def rows(self, start, stop):
        return self.counts[start:stop]


@given(st.lists(st.integers(-1, 11), min_size=80, max_size=80), st.integers(1, 70))
@settings(max_examples=25, deadline=None)
def test_picked_columns_are_added_up_alike_in_memory_and_by_rows(places, size):
    places = np.array(places)
    wanted = np.zeros((60, 12))
    for gene, place in enumerate(places):
        if place >= 0:
            wanted[:, place] += COUNTS.toarray()[:, gene]
    assert (picked(COUNTS, places, 12).toarray() == wanted).all()
    rows = picked(Rows(COUNTS), places, 12)
    assert rows.shape == (60, 12)
    assert (np.vstack([block.toarray() for _, block in row_blocks(rows, size)]) == wanted).all()
