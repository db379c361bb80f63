"""Which features define the domains of a map, and which tell two of them apart: what windows, notebooks and pages show.

As in `comparing`, the document is read on the thread of the window, and what is returned does the work on any.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.domain_markers import Markers, compared, markers
from ..core.report import Report
from ..errors import BadInput
from .document import Document
from .gather import features_of
from .labelling import Labelling, labelling
from .tissue_rows import sections_of

if TYPE_CHECKING:
    from .changes import Slot

__all__ = [
    "ComparedDomains",
    "DomainMarkers",
    "compared_domains",
    "domain_markers",
    "feature_names",
    "feature_parts",
    "feature_word",
    "kept_markers",
    "marker_token",
]

_COLUMNS = ("auroc", "log2_fold_change", "cohens_d", "mean_in", "mean_out", "share_in", "share_out")
_HALF, _TELLS = 0.5, 0.6
_KEPT: WeakKeyDictionary[Document, dict[tuple[str, str, str], DomainMarkers]] = WeakKeyDictionary()
"""The markers found last of each map and part: a window that is opened again has them at once."""


@dataclass(frozen=True, eq=False)
class DomainMarkers:
    """The features of each domain against all other rows.

    Parameters
    ----------
    domains
        The labelling: a missing name is tissue that is ignored, and counts nowhere.
    part
        What was compared: "X", "layers/<name>" or "obsm/<name>".
    found
        The figures.
    order
        (k, p) the features of each domain, best first.
    token
        Another one than `marker_token` returns now: the map or the table has changed since.
    """

    domains: Labelling
    part: str
    found: Markers
    order: npt.NDArray[np.int64]
    token: str

    def frame(self, domain: str = "") -> pd.DataFrame:
        """Return a row for each feature of a domain, best first; of all domains, one below the other, if empty.

        Raises
        ------
        BadInput
            When there is no such domain.
        """
        if domain and domain not in self.domains.names:
            raise BadInput(f"There is no domain '{domain}'.", f"There are: {', '.join(self.domains.names)}.")
        wanted = (
            [domain] if domain else [n for n, size in zip(self.domains.names, self.found.sizes, strict=True) if size]
        )
        return pd.concat([self._of(name) for name in wanted], ignore_index=True)

    def top(self, n: int) -> dict[str, tuple[int, ...]]:
        """Return by domain the columns of at most ``n`` of its best features, each feature at one domain.

        A feature stands at the domain that it tells best. A domain that is the best of too few gets others that
        tell it by an AUROC of 0.6 or more.
        """
        auroc = np.where(self.found.sizes[:, None] > 0, np.nan_to_num(self.found.auroc), 0.0)
        at_home, free = auroc.argmax(0), np.ones(auroc.shape[1], bool)
        best: dict[int, npt.NDArray[np.int64]] = {}
        for k in map(int, np.flatnonzero(self.found.sizes)):
            order = self.order[k]
            best[k] = order[(at_home[order] == k) & (auroc[k, order] > _HALF)][:n]
            free[best[k]] = False
        for k, own in best.items():
            order = self.order[k]
            more = order[free[order] & (auroc[k, order] >= _TELLS)][: n - len(own)]
            free[more] = False
            best[k] = np.concatenate([own, more])
        return {self.domains.names[k]: tuple(map(int, columns)) for k, columns in best.items()}

    def scaled(self) -> npt.NDArray[np.float64]:
        """Return (k, p) the mean of each feature: 0 in the domain where it is lowest, 1 where it is highest."""
        mean = self.found.mean_in
        if not self.found.sizes.any():
            return np.full(mean.shape, np.nan)
        there = mean[self.found.sizes > 0]
        low, span = there.min(0), np.ptp(there, 0)
        return np.divide(mean - low, span, out=np.zeros_like(mean), where=span > 0)

    def _of(self, name: str) -> pd.DataFrame:
        k = self.domains.names.index(name)
        order = self.order[k]
        named = {"domain": name, "feature": np.array(self.found.features, object)[order]}
        return pd.DataFrame({**named, **{c: getattr(self.found, c)[k, order] for c in _COLUMNS}})


@dataclass(frozen=True, eq=False)
class ComparedDomains:
    """Two domains, or sets of domains, feature by feature.

    Parameters
    ----------
    domains
        The labelling.
    one, other
        The names on either side.
    part
        As in `DomainMarkers`.
    found
        Of two: the first side against the other.
    token
        As in `DomainMarkers`.
    """

    domains: Labelling
    one: tuple[str, ...]
    other: tuple[str, ...]
    part: str
    found: Markers
    token: str

    def frame(self) -> pd.DataFrame:
        """Return a row for each feature: those higher in the first side come first; "in" is the first side."""
        order = self.found.order(0)
        made = {"feature": np.array(self.found.features, object)[order]}
        return pd.DataFrame({**made, **{c: getattr(self.found, c)[0, order] for c in _COLUMNS}})


def domain_markers(
    document: Document, table: str, column: str = "domain", part: str = "X"
) -> Callable[[Report], DomainMarkers]:
    """Prepare the search for the features that define each domain.

    Parameters
    ----------
    document, table, column
        The document, a table and its column of domains.
    part
        "X", "layers/<name>" or "obsm/<name>": see `feature_parts`.

    Notes
    -----
    These are effect sizes: see `napari_spatialml.core.domain_markers.markers`.

    Raises
    ------
    BadInput, DocumentError
        When there is no such column or part, or fewer than two domains have rows.
    """
    domains, values, names, sections = _gathered(document, table, column, part)
    if int((domains.sizes > 0).sum()) < 2:
        raise BadInput(
            f"'{column}' has {int((domains.sizes > 0).sum())} domain with rows: there is nothing to compare it with.",
            "Divide the tissue into two domains or more.",
        )
    token = marker_token(document, table, column, part)

    def find(report: Report) -> DomainMarkers:
        found = markers(values, domains.codes, names, len(domains.names), report, sections=sections)
        order = np.stack([found.order(k) for k in range(len(domains.names))])
        made = DomainMarkers(domains, part, found, order, token)
        _KEPT.setdefault(document, {})[table, column, part] = made
        return made

    return find


def kept_markers(document: Document, table: str, column: str, part: str) -> DomainMarkers | None:
    """Return the markers that were found last, if neither the map nor the table has changed since."""
    kept = _KEPT.get(document, {}).get((table, column, part))
    return kept if kept is not None and kept.token == marker_token(document, table, column, part) else None


def compared_domains(
    document: Document,
    table: str,
    column: str,
    one: Collection[str],
    other: Collection[str] = (),
    part: str = "X",
) -> Callable[[Report], ComparedDomains]:
    """Prepare the comparison of two domains, or sets of domains, feature by feature.

    Parameters
    ----------
    document, table, column, part
        As of `domain_markers`.
    one, other
        Names of domains; all others if ``other`` is empty.

    Raises
    ------
    BadInput, DocumentError
        When one of them is not there, has no rows, or a domain stands on both sides.
    """
    domains, values, names, sections = _gathered(document, table, column, part)
    if not one:
        raise BadInput("No domain is chosen.", "Choose one, or several that are taken as one.")
    other = tuple(other) or tuple(n for n in domains.used().names if n not in one)
    if not other:
        raise BadInput("There is no other domain to compare with.", "Divide the tissue into two domains or more.")
    both = [n for n in one if n in other]
    if both:
        raise BadInput(f"'{both[0]}' is on both sides.", "Compare different domains.")
    for side in (tuple(one), other):
        if not len(domains.rows(side)):
            said = ", ".join(f"'{n}'" for n in side)
            raise BadInput(f"No row is in {said}.", "Choose another domain.")
    numbers = [[domains.names.index(n) for n in side] for side in (one, other)]
    token = marker_token(document, table, column, part)

    def compare(report: Report) -> ComparedDomains:
        found = compared(values, domains.codes, numbers[0], numbers[1], names, report, sections=sections)
        return ComparedDomains(domains, tuple(one), other, part, found, token)

    return compare


def feature_parts(document: Document, table: str, column: str = "domain") -> dict[str, str]:
    """Return the features by which domains can be told apart, by what a person calls them; genes or m/z first."""
    held = document.table(table)
    found = {f"{held.n_vars:,} features of the table": "X"} if held.X is not None and held.n_vars else {}
    found |= {f"layer {name}": f"layers/{name}" for name in map(str, held.layers)}
    own = ("spatial", f"{column}_probabilities", f"{column}_computed")
    return found | {name: f"obsm/{name}" for name in map(str, held.obsm) if name not in own}


def feature_names(document: Document, table: str, part: str) -> tuple[str, ...]:
    """Return what the columns of a part are called; columns without names are counted from 1."""
    held = document.table(table)
    where, _, key = part.partition("/")
    if where != "obsm":
        return tuple(map(str, held.var_names))
    block = held.obsm[key]
    if isinstance(block, pd.DataFrame):
        return tuple(map(str, block.columns))
    return tuple(f"{key} {j + 1}" for j in range(block.shape[1]))


def feature_word(names: Collection[str], part: str = "X") -> str:
    """Return what features are called: "gene", "m/z", or "feature" where the names do not tell."""
    some = list(names)[:10]
    if part.startswith("obsm") or not some:
        return "feature"
    if all(_is_mass(n) for n in some):
        return "m/z"
    return "feature" if all(n.isdigit() for n in some) else "gene"


def _is_mass(name: str) -> bool:
    whole, point, rest = name.partition(".")
    return bool(point) and whole.isdigit() and rest.isdigit()


def marker_token(document: Document, table: str, column: str, part: str) -> str:
    """Return what changes whenever the map or the values do; an undone step gives the former one back."""
    where, _, key = part.partition("/")
    slot: Slot = ("tables", table, "obsm", key) if where == "obsm" else ("tables", table, "X")
    return f"{part} {document.revision(slot)} {labelling(document, table, column).token}"


def _gathered(document: Document, table: str, column: str, part: str) -> tuple[Labelling, Any, tuple[str, ...], Any]:
    domains, values = labelling(document, table, column), features_of(document, table, part)
    return domains, values, feature_names(document, table, part), sections_of(document, table)
