"""Names for cell types that were learnt without a reference: one name in all that keeps them."""

from __future__ import annotations

from ...errors import BadInput
from ..changes import Change
from ..constraints import ATTRIBUTE as CONSTRAINTS
from ..constraints import held_constraints, key_of
from ..document import Document
from ..proportions import ATTRIBUTE, frames_of, proportions_frame
from ..spot_proportions import of_reference, proportion_outputs
from ..store import put, put_entry

__all__ = ["output_of", "renamed_type"]

_DOMINANT = "_dominant"


def output_of(document: Document, table: str, column: str) -> str:
    """Return the output of a deconvolution whose types are a column's categories; "" where it is none."""
    output = column.removesuffix(_DOMINANT)
    return output if column != output and (table, output) in proportion_outputs(document) else ""


def renamed_type(document: Document, table: str, output: str, old: str, new: str) -> list[Change]:
    """Return the changes that give a learnt cell type another name, in all that keeps it.

    Parameters
    ----------
    document, table, output
        The result.
    old, new
        Names. What the hand has laid down about the type, and its colour, go with it.

    Raises
    ------
    BadInput
        When the type is one of a reference, or the name is taken or cannot be stored.
    """
    key, into = key_of(table, output), {old: new}
    about = document.attribute(ATTRIBUTE, {}).get(key)
    if of_reference(document, table, output):
        raise BadInput(
            f"'{old}' is a cell type of the reference.", "Rename or merge it there, or in the form, and run again."
        )
    if new in proportions_frame(document, table, output).columns:
        raise BadInput(f"There is a cell type '{new}' already.", "Choose another name; learnt types are not merged.")
    if "/" in new:
        raise BadInput(f"'{new}' cannot be the name of a cell type.", "Write it without a slash.")
    changes = [_renamed(document, slot, into) for slot in frames_of(document, table, output)]
    said = held_constraints(document, table, output)
    if said:
        entries = [{**e, "cell_type": into.get(e["cell_type"], e["cell_type"])} for e in said]
        changes.append(put_entry(document, CONSTRAINTS, key, entries))
    if isinstance(about, dict):
        types = [into.get(t, t) for t in about.get("types", ())]
        changes.append(put_entry(document, ATTRIBUTE, key, {**about, "types": types}))
    return changes


def _renamed(document: Document, slot: tuple[str, ...], into: dict[str, str]) -> Change:
    return put(document, slot, document.get(slot).rename(columns=into))
