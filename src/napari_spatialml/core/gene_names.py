"""The names by which two tables call their genes, brought together: identifiers, symbols, spelling, case."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["OWN", "Matched", "match_genes", "names_of", "why_few"]

Names = npt.NDArray[Any]
OWN = "names"
"""What the names of a table's columns are called, beside its other ways to name a gene."""
FEWEST = 10
"""So many shared genes at least."""
_COLUMNS = frozenset(
    {
        "geneid", "geneids", "genename", "genenames", "genesymbol", "genesymbols", "symbol", "symbols", "ensembl",
        "ensemblid", "ensemblids", "ensemblgeneid", "featurename", "featureid", "featureids", "hgncsymbol",
        "mgisymbol", "geneshortname", "externalgenename", "gene", "genes", "originalgenesymbols", "index",
    }
)  # fmt: skip
_VERSION = re.compile(r"^(ENS[A-Z]*\d{11})\.\d+$", re.IGNORECASE)
_ENSEMBL = re.compile(r"^ENS([A-Z]*?)G\d{11}$", re.IGNORECASE)
_SPECIES = {"": "human", "MUS": "mouse", "RNO": "rat", "DAR": "zebrafish", "SSC": "pig", "MMU": "macaque"}
_NOTHING = ("", "nan", "NaN", "None", "NA", "<NA>")
_ALMOST = 0.95
_A_LOT = 1.2


@dataclass(frozen=True)
class Matched:
    """Both tables' genes under one name each: that of the spots' column.

    Parameters
    ----------
    spots
        (g,) names of the spots' columns; columns of one gene have one name.
    reference
        (h,) the spots' name of each column of the reference, "" where the spots have no such gene.
    n_shared
        How many genes both have.
    notes
        How they were matched where it is not name by name, one sentence each.
    """

    spots: Names
    reference: Names
    n_shared: int
    notes: tuple[str, ...]


def names_of(names: Sequence[Any], columns: Mapping[str, Sequence[Any]]) -> dict[str, Names]:
    """Return every way in which a table names its genes: its own, then the columns that hold names.

    Parameters
    ----------
    names
        (g,) the table's own.
    columns
        Further columns of its genes, by their titles; those whose title is known to stand for identifiers or
        symbols are taken.
    """
    found = {OWN: np.asarray(names).astype(str)}
    for title, values in columns.items():
        array = np.asarray(values)
        if "".join(filter(str.isalnum, title)).lower() in _COLUMNS and array.dtype.kind in "OSU":
            found[title] = array.astype(str)
    return found


def match_genes(spots: Mapping[str, Names], reference: Mapping[str, Names]) -> Matched:
    """Match the genes of two tables by whichever of their names agree best.

    Ensembl identifiers agree whatever their version. Names that differ in ``- _ .`` alone agree, since R
    changes them; names that differ in upper and lower case only agree where that gains a lot. A gene that
    agrees by the letter is never given to another that agrees loosely.
    """
    of_spots, of_reference = _best_pair(spots, reference)
    here, there = _unversioned(spots[of_spots]), _unversioned(reference[of_reference])
    partner = np.full(len(there), -1)
    notes = _pair_notes(of_spots, of_reference, spots, reference)
    for loosen, least, told in _RUNGS:
        found = _partners(here, there, partner, loosen)
        gained, held = _distinct(here, found[partner < 0]), _distinct(here, partner)
        if gained and held + gained >= held * least and (least == 1 or gained >= FEWEST):
            if told:
                one = int(np.flatnonzero((partner < 0) & (found >= 0))[0])
                notes.append(told.format(n=f"{gained:,}", a=here[found[one]], b=there[one]))
            partner = found
            if least > 1:
                notes += _species_note(here, there)
    names = _one_name(np.asarray(spots[OWN]).astype(str), here)
    matched = np.where(partner >= 0, names[np.maximum(partner, 0)], "")
    return Matched(names, matched, len(np.unique(matched[matched != ""])), tuple(notes))


def why_few(first: Names, second: Names, shared: int, needed: int) -> str:
    """Return the hint for spots and a reference that share too few genes."""
    folded = len(np.intersect1d(np.char.upper(first), np.char.upper(second)))
    if folded > shared:
        return (
            f"{folded} agree when upper and lower case are not told apart ('{first[0]}', '{second[0]}'): "
            "is one of another species? Give both the same names."
        )
    ensembl = [bool(np.char.startswith(np.char.upper(names), "ENS").mean() > 0.5) for names in (first, second)]
    if ensembl[0] != ensembl[1]:
        return f"One has Ensembl identifiers, the other symbols ('{first[0]}', '{second[0]}'): use the same for both."
    species = [_species(names) for names in (first, second)]
    if all(species) and species[0] != species[1]:
        return f"The spots' genes are written like {species[0]} ones, the reference's like {species[1]} ones."
    return f"At least {needed} are needed: choose a reference of the same species and panel."


def _best_pair(spots: Mapping[str, Names], reference: Mapping[str, Names]) -> tuple[str, str]:
    """Return the ways of naming that agree most; the tables' own where these do almost as well."""
    of_spots, of_reference = ({way: _keys(names) for way, names in side.items()} for side in (spots, reference))
    agree = {
        (a, b): [len(one & other) for one, other in zip(first, second, strict=True)]
        for a, first in of_spots.items()
        for b, second in of_reference.items()
    }
    most = max(folded for _, folded in agree.values())
    good = {pair: exact for pair, (exact, folded) in agree.items() if folded >= _ALMOST * most}
    best = max(good.values())
    return next(pair for pair, n in good.items() if n >= _ALMOST * best)


def _keys(names: Names) -> tuple[set[str], set[str]]:
    """Return the names as they are, and loosened as far as they may be."""
    plain = set(_unversioned(names).tolist()) - set(_NOTHING)
    return plain, {_folded(name) for name in plain}


def _partners(here: Names, there: Names, partner: npt.NDArray[Any], loosen: Callable[[str], str]) -> npt.NDArray[Any]:
    """Return ``partner`` with those of the reference's genes added that agree once names are loosened."""
    taken = np.zeros(len(here), bool)
    taken[partner[partner >= 0]] = True
    free = np.flatnonzero(~(taken | np.isin(here, _NOTHING)))
    first = {loosen(here[at]): int(at) for at in free[::-1].tolist()}
    found = np.array([first.get(loosen(name), -1) for name in there], np.int64)
    return np.where(partner >= 0, partner, found)


def _distinct(here: Names, partner: npt.NDArray[Any]) -> int:
    return len(np.unique(here[partner[partner >= 0]]))


def _one_name(names: Names, keys: Names) -> Names:
    """Return the columns' own names; columns of one gene get the first one's."""
    named = ~np.isin(keys, _NOTHING)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return np.where(named, names[first[inverse.ravel()]], names)


def _unversioned(names: Names) -> Names:
    return np.array([_VERSION.sub(r"\1", name.strip()) for name in names], dtype=str)


def _as_is(name: str) -> str:
    return name


def _unpunctuated(name: str) -> str:
    return name.replace("_", "-").replace(".", "-").replace(" ", "-")


def _folded(name: str) -> str:
    return _unpunctuated(name).upper()


_RUNGS: tuple[tuple[Callable[[str], str], float, str], ...] = (
    (_as_is, 1.0, ""),
    (_unpunctuated, 1.0, "{n} genes agree but for '-', '_' and '.', as R writes them ('{a}', '{b}')."),
    (_folded, _A_LOT, "{n} genes agree only when upper and lower case are not told apart ('{a}', '{b}')."),
)
"""How names are compared, by how many times the shared genes must grow, and what is then said."""


def _pair_notes(a: str, b: str, spots: Mapping[str, Names], reference: Mapping[str, Names]) -> list[str]:
    notes = []
    if (a, b) != (OWN, OWN):
        called = [f"'{way}'" if way != OWN else "the names" for way in (a, b)]
        notes.append(f"Genes were matched by {called[0]} of the spots and {called[1]} of the reference.")
    for names in (spots[a], reference[b]):
        versioned = next((name for name in names if _VERSION.match(name)), "")
        if versioned:
            notes.append(f"The versions of Ensembl identifiers ('{versioned}') were not compared.")
            break
    return notes


def _species_note(here: Names, there: Names) -> list[str]:
    species = [_species(names) for names in (here, there)]
    if not all(species) or species[0] == species[1]:
        return []
    return [
        f"The spots' genes are written like {species[0]} ones, the reference's like {species[1]} ones: genes that "
        "the two species call differently are lost. Better take a reference of the same species."
    ]


def _species(names: Names) -> str:
    """Return the species that most names look like, or ""."""
    said = [m.group(1).upper() for m in (_ENSEMBL.match(name) for name in names) if m]
    if len(said) > len(names) / 2:
        return _SPECIES.get(max(set(said), key=said.count), "other")
    letters = [name for name in names if sum(c.isalpha() for c in name) >= 2]
    if not letters:
        return ""
    upper = sum(name.upper() == name for name in letters) / len(letters)
    titled = sum(name[1:].lower() == name[1:] and name[0].isupper() for name in letters) / len(letters)
    return "human" if upper > 0.7 else "mouse" if titled > 0.7 else ""
