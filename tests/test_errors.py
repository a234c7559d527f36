"""The error family: messages, near misses, pickling."""

from __future__ import annotations

import pickle

import pytest

from energysim import errors
from energysim.errors import CheckFailedError, EnergysimError, UnknownNameError, near_miss

FAMILY = [getattr(errors, name) for name in errors.__all__ if name != "near_miss"]


@pytest.mark.parametrize("kind", [e for e in FAMILY if e is not UnknownNameError])
def test_errors_survive_pickling(kind: type[EnergysimError]) -> None:
    error = pickle.loads(pickle.dumps(kind("it is so")))
    assert type(error) is kind
    assert str(error) == error.message == "it is so"
    assert error.exit_code == (1 if kind is CheckFailedError else 2)
    assert isinstance(error, EnergysimError)


def test_unknown_name_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(UnknownNameError("model", "vgg61", ["vgg16", "alexnet"])))
    assert (error.kind, error.name, error.known) == ("model", "vgg61", ["alexnet", "vgg16"])
    assert str(error) == "unknown model 'vgg61'; did you mean 'vgg16'?"


def test_without_a_near_name_all_are_listed() -> None:
    assert str(UnknownNameError("thing", "zzz", ["b", "a"])) == "unknown thing 'zzz' (known: a, b)"
    assert str(UnknownNameError("thing", "zzz")) == "unknown thing 'zzz'"


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("VGG16", ["vgg16"], "; did you mean 'vgg16'?"),
        ("vgg61", ["vgg11", "vgg13", "vgg16", "vgg19"], "; did you mean 'vgg16'?"),
        ("psconf", ["dense", "psconv", "psc"], "; did you mean 'psconv'?"),
        ("q", ["dense"], ""),
        ("dense", [], ""),
        ("", ["dense"], ""),
    ],
)
def test_near_miss(name: str, known: list[str], hint: str) -> None:
    assert near_miss(name, known) == hint
