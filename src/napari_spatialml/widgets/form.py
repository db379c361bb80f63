"""A method's form, made from its fields: nothing about a parameter is said a second time here."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from ..core.method import Method, Parameter, parameters
from ..errors import BadInput
from .fields import ChannelName, ChoiceField, FlagField, OptionalField, PathField, SliderField, TextField
from .number import NumberField
from .style import SPACING, Quiet, Rows, quiet_button, tooltip

__all__ = ["MethodForm", "field_for", "help_for"]

_FILE_WORDS = ("file", "path", "folder", "directory", "weights", "model")


def field_for(parameter: Parameter) -> Any:
    """Return the editor that a parameter's type and range ask for, showing its default.

    Raises
    ------
    TypeError
        When no editor fits the type; that is an error in the method.
    """
    inner, optional = _without_none(parameter.type)
    if parameter.channel:
        field: Any = ChannelName(parameter.means.word if parameter.means else "automatic")
    elif inner is Path or (inner is str and parameter.name.endswith(_FILE_WORDS)):
        folder = parameter.name.endswith(("folder", "directory"))
        field = PathField(as_text=inner is str, folder=folder, optional=optional)
        if parameter.means is not None:
            field.line.setPlaceholderText(parameter.means.word)
    elif inner is str:
        field = TextField(optional=optional)
    elif typing.get_origin(inner) is tuple:
        field = TextField(*_sequence(inner), optional=optional)
    else:
        plain = _plain_field(parameter, inner)
        field = OptionalField(plain) if optional else plain
    field.set_value(parameter.default)
    return field


def help_for(parameter: Parameter) -> str:
    """Return the tooltip of a parameter: its help, its range and its default."""
    unit = f" {parameter.unit}" if parameter.unit else ""
    default = "automatic" if parameter.default is None else f"{parameter.default}{unit}"
    allowed = f"Allowed: {parameter.range}{unit}. " if parameter.range else ""
    if parameter.means is not None and parameter.default == parameter.means.value:
        default = parameter.means.word
    return tooltip(f"{parameter.help}\n\n{allowed}Default: {default if str(default) else 'empty'}.")


class MethodForm(QWidget):
    """Edit the parameters of one method; the advanced ones are under "More".

    Parameters
    ----------
    cls
        The method's class.
    """

    changed = Signal()
    """A parameter was changed, by hand or by `set_value`; sent once the typing of it has ended."""

    def __init__(self, cls: type[Method], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cls = cls
        self.fields: dict[str, Any] = {}
        self._quiet = False
        self._rows, self._quick_rows, self._hidden_rows = Rows(), Rows(), Rows()
        self.more = QToolButton()
        self.reset_button = QToolButton()
        if any(p.decoding and not p.advanced for p in parameters(cls)):
            self._quick_rows.span(Quiet("Thresholds: they act at once, without the network."))
        for parameter in parameters(cls):
            self._add(parameter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for rows in (self._rows, self._quick_rows):
            layout.addWidget(rows)
            rows.setVisible(rows.findChild(QWidget) is not None)
        layout.addLayout(self._foot())
        layout.addWidget(self._hidden_rows)
        self._show_more(False)
        self._follow()

    def value(self) -> Method:
        """Return the method with the values shown.

        Raises
        ------
        BadInput
            When the values do not go together; the message says which and what to do.
        """
        return self.cls(**{name: field.value() for name, field in self.fields.items()})

    def set_value(self, method: Method) -> None:
        """Show the values of a method of this form's class."""
        if type(method) is not self.cls:
            raise BadInput(f"This form is for {self.cls.title}, not {type(method).title}.", "Choose that method first.")
        self._set_all({name: getattr(method, name) for name in self.fields})

    def reset(self) -> None:
        """Show the defaults."""
        self._set_all({p.name: p.default for p in parameters(self.cls)})

    def set_channels(self, names: tuple[str, ...]) -> None:
        """Offer the channels of an image where a parameter names one."""
        for field in self.fields.values():
            if isinstance(field, ChannelName):
                field.set_names(names)

    def stands_for(self, values: dict[str, Any], *, said: bool = True) -> None:
        """Say what the parameters that are left to the method come to; or only begin there, before it is known."""
        for parameter in parameters(self.cls):
            field = self.fields[parameter.name]
            if parameter.name not in values:
                continue
            if isinstance(field, OptionalField) and isinstance(field.inner, NumberField | SliderField):
                field.stands_for(values[parameter.name], said=said)
            elif said and isinstance(field, NumberField) and parameter.means is not None:
                unit = f" {parameter.unit}" if parameter.unit else ""
                field.set_word(f"{parameter.means.word}: {values[parameter.name]:.3g}{unit}")

    def is_default(self) -> bool:
        """Return whether every value is the default."""
        try:
            return all(self.fields[p.name].value() == p.default for p in parameters(self.cls))
        except BadInput:
            return False

    def _add(self, parameter: Parameter) -> None:
        field = field_for(parameter)
        open_rows = self._quick_rows if parameter.decoding else self._rows
        rows = self._hidden_rows if parameter.advanced else open_rows
        rows.add(parameter.title, field, help_for(parameter))
        field.setObjectName(parameter.name)
        field.changed.connect(self._changed)
        self.fields[parameter.name] = field

    def _foot(self) -> QHBoxLayout:
        self.more.setText("More")
        self.more.setCheckable(True)
        self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more.setToolTip(tooltip("Parameters that rarely need a change."))
        self.more.toggled.connect(self._show_more)
        self.more.setVisible(any(p.advanced for p in parameters(self.cls)))
        self.reset_button.setText("Reset")
        self.reset_button.setToolTip(tooltip("Put every parameter back to its default."))
        self.reset_button.clicked.connect(self.reset)
        self.reset_button.setVisible(bool(self.fields))
        foot = QHBoxLayout()
        for button, side in ((self.more, "left"), (self.reset_button, "right")):
            quiet_button(button)
            # the text, not the room around it, lines up with the edge of the rows
            flush = f"QToolButton {{ padding-{side}: 0px; margin-{side}: -4px; }}"
            button.setStyleSheet(button.styleSheet() + flush)
        foot.addWidget(self.more)
        foot.addStretch(1)
        foot.addWidget(self.reset_button)
        return foot

    def _show_more(self, shown: bool) -> None:
        self.more.setText("▾ More" if shown else "▸ More")
        self._hidden_rows.setVisible(shown)

    def _set_all(self, values: dict[str, Any]) -> None:
        before = self._quiet
        self._quiet = True
        try:
            for name, value in values.items():
                self.fields[name].set_value(value)
        finally:
            self._quiet = before
        self._changed()

    def _changed(self) -> None:
        if not self._quiet:
            self._follow()
            self.changed.emit()

    def _follow(self) -> None:
        self.reset_button.setEnabled(not self.is_default())


def _plain_field(parameter: Parameter, inner: Any) -> Any:
    if typing.get_origin(inner) is Literal:
        return ChoiceField(typing.get_args(inner))
    if inner is bool:
        return FlagField()
    if inner in (int, float) or set(typing.get_args(inner)) == {int, float}:
        number = NumberField(parameter, whole=inner is int)
        bounded = parameter.minimum is not None and parameter.maximum is not None
        if parameter.decoding and bounded and inner is float:
            return SliderField(number, parameter.minimum, parameter.maximum)
        return number
    raise TypeError(f"No editor fits the type {parameter.type} of the parameter '{parameter.name}'.")


def _without_none(hint: Any) -> tuple[Any, bool]:
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint, False
    members = [member for member in typing.get_args(hint) if member is not type(None)]
    optional = len(members) < len(typing.get_args(hint))
    return (members[0] if len(members) == 1 else typing.Union[tuple(members)]), optional  # noqa: UP007


def _sequence(hint: Any) -> tuple[Callable[[str], Any], Callable[[Any], str]]:
    """Return how a tuple of values is read from, and shown as, words between commas."""
    of = typing.get_args(hint)[0]

    def parse(text: str) -> tuple[Any, ...]:
        return tuple(of(word.strip()) for word in text.split(",") if word.strip())

    def show(values: Any) -> str:
        return ", ".join(str(value) for value in values)

    return parse, show
