"""Rows by a line of text: ``domain == 'L4' and EPCAM > 2``. Parsed and computed here; nothing is ever evaluated.

Names are columns, genes and other features, columns of ``obsm`` and kept selections; those with spaces or
signs stand in backticks. Missing values compare as in NumPy: only ``!=`` is true of them.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .named_values import Words, named_values
from .selected import Selected

if TYPE_CHECKING:
    from .document import Document

__all__ = ["query_mask", "query_rows"]

LONGEST = 2000
"""Characters of a query."""
_BACKTICKS = re.compile(r"""('[^'\n]*'|"[^"\n]*")|`([^`\n]+)`""")
_HINT = "Write for example: domain == 'L4' and EPCAM > 2."
_COMPARE: dict[type[ast.cmpop], Any] = {
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
}
_COMPUTE: dict[type[ast.operator], Any] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.true_divide,
    ast.Mod: np.mod,
}
_SIGNS: dict[type[ast.AST], str] = {
    ast.Call: "a call",
    ast.Attribute: "a dot",
    ast.Subscript: "a bracket after a name",
    ast.Lambda: "a function",
    ast.IfExp: "an if",
    ast.Pow: "**",
    ast.FloorDiv: "//",
}
Mask = npt.NDArray[np.bool_]


def query_rows(document: Document, table: str, text: str) -> Selected:
    """Return the rows of a table of which a query is true.

    Raises
    ------
    BadInput, DocumentError
        As `query_mask`.
    """
    return Selected(table, np.flatnonzero(query_mask(document, table, text)), f"query {text.strip()}")


def query_mask(document: Document, table: str, text: str) -> Mask:
    """Return (n,) whether a query is true of each row of a table.

    Parameters
    ----------
    document
        The document.
    table
        The table.
    text
        Comparisons (``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``in``, ``not in``), joined by ``and``, ``or``,
        ``not`` and parentheses, of columns, genes, numbers, text in quotes and sums, products and quotients of them.

    Raises
    ------
    BadInput
        When the text is no query, or names what is not there: the nearest name is offered.
    """
    tree, names = _parsed(text)
    asked = _Query(document, table, names, document.table(table).n_obs)
    with np.errstate(all="ignore"):
        try:
            return asked.mask(tree.body)
        except RecursionError as error:
            raise BadInput("The query is nested too deeply.", "Ask for a part at a time.") from error


def _parsed(text: str) -> tuple[ast.Expression, dict[str, str]]:
    """Return the tree, and the names that stood in backticks by what stands in their place."""
    if not text.strip():
        raise BadInput("The query is empty.", _HINT)
    if len(text) > LONGEST:
        raise BadInput(f"The query has {len(text):,} characters.", f"Ask with at most {LONGEST:,}.")
    names: dict[str, str] = {}

    def placed(found: re.Match[str]) -> str:
        if found[2] is None:
            return found[0]
        key = f"_name_{len(names)}_"
        names[key] = found[2]
        return key

    try:
        tree = ast.parse(_BACKTICKS.sub(placed, text).strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        single = re.search(r"(?<![=!<>])=(?!=)", _BACKTICKS.sub("", text))
        hint = "Write == to compare." if single else _HINT
        raise BadInput(f"'{text.strip()[:80]}' is no query.", hint) from error
    return tree, names


@dataclass(frozen=True)
class _Query:
    """What a tree is computed on."""

    document: Document
    table: str
    names: dict[str, str]
    n: int

    def mask(self, node: ast.expr) -> Mask:
        """Return whether a part of the query is true of each row."""
        if isinstance(node, ast.BoolOp):
            parts = [self.mask(value) for value in node.values]
            join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return np.asarray(join.reduce(parts), dtype=bool)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr):
            raise BadInput("'&' and '|' do not join here.", "Write 'and' and 'or'.")
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ~self.mask(node.operand)
        if isinstance(node, ast.Compare):
            return self._compared(node)
        found = self.value(node)
        if isinstance(found, np.ndarray) and found.dtype == bool:
            return found
        if isinstance(found, bool):
            return np.full(self.n, found)
        raise BadInput(f"'{self._said(node)}' is neither true nor false.", f"Compare it. {_HINT}")

    def value(self, node: ast.expr) -> Any:
        """Return numbers or words a row, or one number or text for all."""
        if isinstance(node, ast.Name):
            return self._named(self.names.get(node.id, node.id))
        if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float | str):
            return node.value if isinstance(node.value, bool | str) else _number(node.value)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            value = self._numbers(node.operand)
            return -value if isinstance(node.op, ast.USub) else value
        if isinstance(node, ast.BinOp) and type(node.op) in _COMPUTE:
            return _COMPUTE[type(node.op)](self._numbers(node.left), self._numbers(node.right))
        if isinstance(node, ast.Compare | ast.BoolOp) or (
            isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
        ):
            return self.mask(node)
        kind: Any = type(node.op) if isinstance(node, ast.BinOp) else type(node)
        sign = _SIGNS.get(kind, f"'{self._said(node)}'")
        raise BadInput(f"A query cannot hold {sign}.", f"Names with signs stand in backticks. {_HINT}")

    def _named(self, name: str) -> Any:
        return named_values(self.document, self.table, name)

    def _numbers(self, node: ast.expr) -> Any:
        value = self.value(node)
        if isinstance(value, str | Words):
            raise BadInput(f"'{self._said(node)}' is text, with which nothing is computed.", "Use numbers there.")
        return value.astype(float) if isinstance(value, np.ndarray) else float(value)

    def _compared(self, node: ast.Compare) -> Mask:
        """Return a chain of comparisons: ``20 < area <= 80``."""
        sides = [node.left, *node.comparators]
        alone = all(_is_constant(side) for side in node.comparators)
        if isinstance(node.left, ast.Constant) and isinstance(node.left.value, str) and alone:
            sides[0] = ast.Name(node.left.value)  # a name that was put in quotes: nothing else makes sense
        out = np.ones(self.n, dtype=bool)
        for left, op, right in zip(sides, node.ops, sides[1:], strict=False):
            if isinstance(op, ast.In | ast.NotIn):
                found = self._among(left, right)
                out &= ~found if isinstance(op, ast.NotIn) else found
            elif type(op) in _COMPARE:
                out &= np.broadcast_to(self._pair(left, op, right), self.n)
            else:
                raise BadInput("'is' does not compare here.", "Write == or !=.")
        return out

    def _among(self, left: ast.expr, right: ast.expr) -> Mask:
        if not isinstance(right, ast.List | ast.Tuple | ast.Set):
            raise BadInput("After 'in' stands a list.", "Write for example: domain in ['L1', 'L2'].")
        found = [np.broadcast_to(self._pair(left, ast.Eq(), item), self.n) for item in right.elts]
        return np.asarray(np.logical_or.reduce(found), dtype=bool) if found else np.zeros(self.n, dtype=bool)

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Any:
        a, b = self.value(left), self.value(right)
        if isinstance(b, Words) and not isinstance(a, Words):
            turned = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}.get(type(op), type(op))
            return self._words(b, turned, a)
        if isinstance(a, Words):
            return self._words(a, type(op), b)
        if isinstance(a, str) or isinstance(b, str):
            if isinstance(a, str) and isinstance(b, str):
                return _COMPARE[type(op)](a, b)
            name, text = (right, a) if isinstance(a, str) else (left, b)
            raise BadInput(f"'{self._said(name)}' holds numbers, not '{text}'.", "Compare it with a number.")
        return _COMPARE[type(op)](a, b)

    def _words(self, words: Words, op: type[ast.cmpop], other: Any) -> Mask:
        if op not in (ast.Eq, ast.NotEq) and not words.ordered:
            raise BadInput(f"The categories of '{words.name}' have no order.", "Use ==, != or in.")
        if isinstance(other, np.ndarray):
            raise BadInput(f"'{words.name}' holds text, which is not compared with numbers.", "Use text in quotes.")
        if isinstance(other, Words):
            if op not in (ast.Eq, ast.NotEq):
                raise BadInput(f"'{words.name}' and '{other.name}' have no common order.", "Use == or !=.")
            same = words.same_as(other)
            return same if op is ast.Eq else ~same
        code = words.code_of(other)
        if op in (ast.Eq, ast.NotEq):
            return np.asarray(_COMPARE[op](words.codes, code), dtype=bool)
        return np.asarray(_COMPARE[op](words.codes, code) & (words.codes >= 0), dtype=bool)

    def _said(self, node: ast.expr) -> str:
        said = ast.unparse(node)
        for key, name in self.names.items():
            said = said.replace(key, name)
        return said[:80]


def _number(value: float) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise BadInput("A number of the query is too large.", "Write a smaller one.") from error


def _is_constant(node: ast.expr) -> bool:
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return all(_is_constant(item) for item in node.elts)
    if isinstance(node, ast.UnaryOp):
        return _is_constant(node.operand)
    return isinstance(node, ast.Constant)
