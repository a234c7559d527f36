"""Options as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energysim.errors import EnergysimError, UnknownNameError, UsageError
from energysim.hardware import load_hardware
from energysim.mapping import Rules
from energysim.setting import read_setting
from energysim.widths import Bits, read_widths

NATIVE = (8, 8, 32)


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (None, (8, 8, 32)),
        (16, (16, 16, 32)),
        ("16", (16, 16, 32)),
        (" 4 ", (4, 4, 32)),
        ("w=4", (4, 8, 32)),
        ("w=4, a=6,acc=20", (4, 6, 20)),
        ({"w": 1, "acc": 64}, (1, 8, 64)),
        ("64", (64, 64, 64)),
        ("acc=8", (8, 8, 8)),
    ],
)
def test_widths(bits: Bits | None, expected: tuple[int, int, int]) -> None:
    assert read_widths(bits, NATIVE) == expected


@pytest.mark.parametrize(
    "bits",
    [
        "0",
        "65",
        "-1",
        "8.0",
        "",
        "w=8,a=",
        "w=",
        "x=8",
        "w=8,w=8",
        "8,8",
        "w",
        "1e1",
        "²",
        "008",
        "acc=7",
        True,
    ],
)
def test_wrong_widths(bits: Bits) -> None:
    with pytest.raises(UsageError, match=r"^bits: "):
        read_widths(bits, NATIVE)


@given(st.text(alphabet="wac=,0123456789 ", max_size=12))
def test_any_text_gives_widths_or_our_error(text: str) -> None:
    try:
        weight, activation, accumulator = read_widths(text, NATIVE)
    except UsageError:
        return
    assert 1 <= max(weight, activation) <= accumulator <= 64


def test_hardware_gives_what_is_not_given() -> None:
    eyeriss = load_hardware("eyeriss")
    setting = read_setting(eyeriss)
    assert (setting.weight_bits, setting.activation_bits) == (eyeriss.weight_bits, eyeriss.activation_bits)
    assert setting.objective == "energy"
    assert read_setting(eyeriss, rules=Rules()).rules == Rules()


def test_rules_are_laid_over_those_of_the_hardware() -> None:
    setting = read_setting(load_hardware("edge45"), rules="double_buffering=yes")
    assert setting.rules.double_buffering == "yes"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "enrgy"}, "unknown objective 'enrgy'; did you mean 'energy'?"),
        ({"rules": "overlapp=none"}, "overlap"),
        ({"weight_format": "crs"}, "unknown"),
        ({"activation_format": "nope"}, "unknown"),
    ],
)
def test_wrong_options(options: dict[str, str], message: str) -> None:
    with pytest.raises(EnergysimError) as caught:
        read_setting(load_hardware("edge45"), **options)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_unknown_format_is_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError):
        read_setting(load_hardware("edge45"), weight_format="csrr")
