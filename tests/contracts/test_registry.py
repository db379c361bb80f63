"""What every method promises by its fields alone: a form, a command line and a record can be made of it."""

import dataclasses
import json
import re

import pytest

from napari_spatialml.core import Parameter, parameters
from napari_spatialml.core.method import Method
from napari_spatialml.errors import BadInput, Cancelled
from napari_spatialml.methods import kinds, method, methods

ALL = [cls for kind in kinds() for cls in methods(kind).values()]
each_method = pytest.mark.parametrize("cls", ALL, ids=lambda cls: f"{cls.kind}:{cls.name}")

READIED = [cls for cls in ALL if cls.warm is not Method.warm and not cls.missing()]
each_made_ready = pytest.mark.parametrize("cls", READIED, ids=lambda cls: f"{cls.kind}:{cls.name}")


def test_the_first_methods_are_there():
    there = {(cls.kind, cls.name) for cls in ALL}
    assert {("registration", "landmarks"), ("domains", "low-pass-mixture"), ("deconvolution", "nnls")} <= there


def test_names_are_unique_and_find_their_class():
    for kind in kinds():
        assert len({cls.title for cls in methods(kind).values()}) == len(methods(kind))
        for name, cls in methods(kind).items():
            assert cls.name == name
            assert method(kind, name) is cls


def test_an_unknown_kind_or_method_is_answered_with_those_there_are():
    with pytest.raises(BadInput, match="registration"):
        methods("alchemy")
    with pytest.raises(BadInput, match="landmarks"):
        method("registration", "by-magic")


@each_method
def test_a_method_names_and_explains_itself(cls):
    assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", cls.name)
    assert cls.title[0].isupper()
    assert cls.summary().endswith(".")
    assert len(cls.summary()) <= 120, "the first line has to fit one line of a dock"
    assert dataclasses.is_dataclass(cls)
    with pytest.raises(dataclasses.FrozenInstanceError):
        cls().seed = 1


@each_method
def test_each_parameter_has_help_and_a_default_in_its_range(cls):
    made = cls()
    for parameter in parameters(cls):
        assert parameter.help.endswith("."), f"{parameter.name} has no help"
        assert getattr(made, parameter.name) == parameter.default
        parameter.check(parameter.default, cls.title)


@each_made_ready
def test_making_ready_fetches_nothing_and_may_be_asked_for_twice(cls, monkeypatch):
    def refuse(*_args, **_more):
        raise AssertionError("the network was asked")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(f"socket.socket.{name}", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    chosen = cls()
    for _ in range(2):
        chosen.warm()
    assert chosen == cls()


@each_made_ready
def test_making_ready_ends_when_it_is_no_longer_wanted(cls):
    def unwanted(fraction, message=""):
        raise Cancelled

    with pytest.raises(Cancelled):
        cls().warm(unwanted)


@each_method
def test_settings_survive_json(cls):
    made = cls()
    again = cls.from_settings(json.loads(json.dumps(made.settings())))
    assert again == made
    assert set(made.settings()) == {parameter.name for parameter in parameters(cls)}


@each_method
def test_an_unknown_parameter_is_refused(cls):
    with pytest.raises(BadInput, match="no parameter 'frobnication'"):
        cls.from_settings({"frobnication": 1})


def outside(parameter: Parameter) -> list:
    if parameter.choices:
        return ["no such choice"]
    found = []
    if parameter.minimum is not None:
        found += [parameter.minimum - 1] + [parameter.minimum] * parameter.exclusive_minimum + [float("nan")]
    if parameter.maximum is not None:
        found += [parameter.maximum + 1] + [parameter.maximum] * parameter.exclusive_maximum
    return found


@each_method
def test_a_value_out_of_range_is_refused_by_name(cls):
    for parameter in parameters(cls):
        for value in outside(parameter):
            with pytest.raises(BadInput, match=f"'{parameter.name}'"):
                cls(**{parameter.name: value})


def test_every_numeric_parameter_has_a_range():
    """A form needs an end for its slider, and a command line for its check."""
    for cls in ALL:
        for parameter in parameters(cls):
            if parameter.type in (int, float):
                assert parameter.range, f"{cls.name}: {parameter.name}"
