"""The seam: a method is a frozen dataclass that can be called, and its fields say everything once.

From the fields alone come the dock's form, the command line, the docs page, the record in the
history and the contract tests.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import itertools
import re
import textwrap
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, dataclass_transform

from annotated_types import Interval

from ..errors import BadInput, MissingDependency
from .report import Report, silent

__all__ = [
    "Advanced",
    "Channel",
    "Decoding",
    "Interval",
    "Means",
    "Method",
    "Offered",
    "Parameter",
    "Unit",
    "method",
    "parameters",
]


@dataclass(frozen=True)
class Unit:
    """The unit of a parameter, as shown behind its number: ``Unit("µm")``."""

    symbol: str


@dataclass(frozen=True)
class Advanced:
    """Marks a parameter that a form keeps under "More"."""


@dataclass(frozen=True)
class Offered:
    """Texts that a form offers for a parameter, beside any other: a function that returns (value, title) pairs."""

    choices: Callable[[], Sequence[tuple[str, str]]]


@dataclass(frozen=True)
class Decoding:
    """Marks a parameter that acts on what a network has said: a change of it does not run the network again."""


@dataclass(frozen=True)
class Channel:
    """Marks the name of a channel of the image; a form offers those that the image has."""


@dataclass(frozen=True)
class Means:
    """Says in a word what one value stands for: ``Means(0, "estimate", 10)``.

    Parameters
    ----------
    value
        The value: 0, or empty text.
    word
        What it means, as a form shows it in its place.
    start
        The number from which a person begins who wants another.
    """

    value: float | str
    word: str
    start: float | None = None


@dataclass(frozen=True)
class Parameter:
    """One parameter of a method, as a form, a command line or a docs page needs it."""

    name: str
    type: Any
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    unit: str = ""
    choices: tuple[Any, ...] = ()
    advanced: bool = False
    offered: Callable[[], Sequence[tuple[str, str]]] | None = None
    decoding: bool = False
    channel: bool = False
    means: Means | None = None

    @property
    def title(self) -> str:
        """The name as a label: ``n_domains`` becomes "Number of domains"."""
        words = re.sub(r"_um2?$", "", self.name).replace("_", " ")
        if words.startswith("n "):
            words = "number of " + words[2:]
        return words[:1].upper() + words[1:]

    @property
    def range(self) -> str:
        """The allowed range in words, or an empty string."""
        low = "" if self.minimum is None else f"{'>' if self.exclusive_minimum else '≥'} {self.minimum:g}"
        high = "" if self.maximum is None else f"{'<' if self.exclusive_maximum else '≤'} {self.maximum:g}"
        return " and ".join(part for part in (low, high) if part)

    def check(self, value: Any, owner: str) -> None:
        """Raise `BadInput` unless ``value`` has the right type and lies in the range."""
        if value is None and type(None) in typing.get_args(self.type):
            return
        where = f"{owner}: '{self.name}'"
        if self.choices:
            if value not in self.choices:
                allowed = ", ".join(repr(choice) for choice in self.choices)
                raise BadInput(f"{where} is {value!r}.", f"Choose one of {allowed}.")
            return
        if self._number and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise BadInput(f"{where} is {value!r}, which is not a number.", f"Give a number {self.range}.")
        if not self._number:
            return
        if value != value or not self._inside(value):
            raise BadInput(f"{where} is {value:g}.", f"Give a number {self.range}{self._suffix}.")

    @property
    def _number(self) -> bool:
        return bool({int, float} & set(_members(self.type)))

    @property
    def _suffix(self) -> str:
        return f" (in {self.unit})" if self.unit else ""

    def _inside(self, value: float) -> bool:
        if self.minimum is not None and (value <= self.minimum if self.exclusive_minimum else value < self.minimum):
            return False
        if self.maximum is None:
            return True
        return value < self.maximum if self.exclusive_maximum else value <= self.maximum


class Method:
    """What every method of every kind shares. Subclass a kind's base class instead of this."""

    kind: ClassVar[str]
    """The kind, as on the command line: ``"segmentation"``."""
    name: ClassVar[str]
    """The method's name in kebab-case: ``"low-pass-mixture"``."""
    title: ClassVar[str]
    """The name a person reads: "Low-pass mixture"."""
    citation: ClassVar[str] = ""
    """The paper, with its DOI."""
    requires: ClassVar[tuple[str, ...]] = ()
    """Modules that must be importable."""
    extra: ClassVar[str] = ""
    """The extra of this package that brings what ``requires`` names."""
    preferred: ClassVar[bool] = False
    """Whether its kind begins with it, in lists and forms."""

    @classmethod
    def missing(cls) -> str:
        """Return the first required module that is not installed, or an empty string."""
        return next((name for name in cls.requires if importlib.util.find_spec(name) is None), "")

    @classmethod
    def check_installed(cls) -> None:
        """Raise `MissingDependency` when a required module is not installed."""
        absent = cls.missing()
        if absent:
            how = f"napari-spatialml[{cls.extra}]" if cls.extra else absent
            raise MissingDependency(f"{cls.title} needs the package '{absent}'.", f'Run: pip install "{how}".')

    @classmethod
    def summary(cls) -> str:
        """Return the first line of the docstring."""
        return (inspect.getdoc(cls) or "").split("\n", 1)[0]

    def caution(self) -> str:
        """Return what a person should know before this runs, such as the licence of its weights; "" for nothing."""
        return ""

    def warm(self, report: Report = silent) -> None:
        """Make ready what a first run would wait for, once in a process: imports, compiled loops, weights.

        A window calls this beside itself when the method is chosen, and asks no more of it: no result may
        depend on it, nothing is fetched, and what goes wrong is told by the run that meets it again.

        Parameters
        ----------
        report
            Raises ``Cancelled`` when it is no longer wanted.
        """

    def settings(self) -> dict[str, Any]:
        """Return the parameters by name, as plain values that JSON can hold."""
        values = {p.name: getattr(self, p.name) for p in parameters(type(self))}
        return {name: str(v) if isinstance(v, Path) else v for name, v in values.items()}

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> typing.Self:
        """Make the method again from what `settings` returned."""
        known = {p.name: p for p in parameters(cls)}
        unknown = sorted(set(settings) - set(known))
        if unknown:
            raise BadInput(f"{cls.title} has no parameter '{unknown[0]}'.", f"It has: {', '.join(known)}.")
        return cls(**{name: _typed(value, known[name].type) for name, value in settings.items()})


T = TypeVar("T", bound=type[Method])


@dataclass_transform(frozen_default=True, kw_only_default=True)
def method(*, title: str, citation: str = "", requires: tuple[str, ...] = (), extra: str = "") -> Callable[[T], T]:
    """Make a class a method: frozen, keyword-only, checked on construction, named in kebab-case."""

    def decorate(cls: T) -> T:
        cls.title, cls.citation, cls.requires, cls.extra = title, citation, requires, extra
        cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()
        own_check = cls.__dict__.get("__post_init__")

        def __post_init__(self: Method) -> None:
            for parameter in parameters(type(self)):
                value = getattr(self, parameter.name)
                parameter.check(value, title)
                if parameter.type is float and isinstance(value, int):
                    object.__setattr__(self, parameter.name, float(value))
            if own_check is not None:
                own_check(self)

        cls.__post_init__ = __post_init__  # type: ignore[attr-defined]
        return typing.cast(T, dataclass(frozen=True, kw_only=True)(cls))

    return decorate


def parameters(cls: type[Method]) -> tuple[Parameter, ...]:
    """Return the parameters of a method class, in the order of its fields."""
    return _parameters(cls)  # type: ignore[arg-type]  # a class is hashable, whatever its instances are


@cache
def _parameters(cls: Any) -> tuple[Parameter, ...]:
    hints = typing.get_type_hints(cls, include_extras=True)
    helps = _field_docs(cls)
    return tuple(_parameter(f.name, hints[f.name], f.default, helps.get(f.name, "")) for f in fields(cls))


def _parameter(name: str, hint: Any, default: Any, text: str) -> Parameter:
    if default is MISSING:
        raise TypeError(f"parameter '{name}' needs a default")
    marks: tuple[Any, ...] = ()
    if typing.get_origin(hint) is typing.Annotated:
        hint, *rest = typing.get_args(hint)
        marks = tuple(rest)
    interval = next((m for m in marks if isinstance(m, Interval)), Interval())
    low = interval.gt if interval.gt is not None else interval.ge
    high = interval.lt if interval.lt is not None else interval.le
    return Parameter(
        name=name,
        type=hint,
        default=default,
        help=text,
        minimum=None if low is None else float(typing.cast(float, low)),
        maximum=None if high is None else float(typing.cast(float, high)),
        exclusive_minimum=interval.gt is not None,
        exclusive_maximum=interval.lt is not None,
        unit=next((m.symbol for m in marks if isinstance(m, Unit)), ""),
        choices=typing.get_args(hint) if typing.get_origin(hint) is Literal else (),
        advanced=any(isinstance(m, Advanced) for m in marks),
        offered=next((m.choices for m in marks if isinstance(m, Offered)), None),
        decoding=any(isinstance(m, Decoding) for m in marks),
        channel=any(isinstance(m, Channel) for m in marks),
        means=next((m for m in marks if isinstance(m, Means)), None),
    )


def _typed(value: Any, hint: Any) -> Any:
    """Give a value that went through JSON the type that its parameter has."""
    members = _members(hint)
    if isinstance(value, str) and Path in members and str not in members:
        return Path(value)
    if isinstance(value, list) and any(typing.get_origin(m) is tuple for m in members):
        return tuple(value)
    return value


def _members(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def _field_docs(cls: type) -> dict[str, str]:
    """Read the string literal under each field, in the class and its bases."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base is object or base is Method:
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError, IndentationError):
            continue  # a class made at run time has no source, and so no field docs
        body = typing.cast(ast.ClassDef, tree.body[0]).body
        for field_node, text_node in itertools.pairwise(body):
            if (
                isinstance(field_node, ast.AnnAssign)
                and isinstance(field_node.target, ast.Name)
                and isinstance(text_node, ast.Expr)
                and isinstance(text_node.value, ast.Constant)
                and isinstance(text_node.value.value, str)
            ):
                found[field_node.target.id] = inspect.cleandoc(text_node.value.value)
    return found
