"""Options as people write them -> the :class:`~energysim.cost.Setting` of an estimate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from energysim.cost import OBJECTIVES, Setting
from energysim.errors import UsageError, near_miss
from energysim.formats import get_format
from energysim.hardware import Hardware
from energysim.mapping import Rules, parse_rules

__all__ = ["Bits", "one_of", "read_setting", "read_widths"]

#: Widths as they can be given: ``16``, ``"w=8,a=8,acc=32"``, or the same as a mapping.
Bits = str | int | Mapping[str, int]

_WIDTHS = ("w", "a", "acc")
_ACCEPTED = "a whole number from 1 to 64, or w=8,a=8,acc=32"


def one_of(what: str, name: str, accepted: Iterable[str]) -> str:
    """Return a name that is one of a few; raise UsageError with the nearest one otherwise."""
    names = tuple(accepted)
    if name not in names:
        raise UsageError(f"unknown {what} {name!r}{near_miss(str(name), names)} ({', '.join(names)})")
    return name


def read_setting(
    hardware: Hardware,
    objective: str = "energy",
    rules: str | Rules | None = None,
    bits: Bits | None = None,
    weight_format: str | None = None,
    activation_format: str | None = None,
) -> Setting:
    """Return what the cost of a workload depends on besides the workload.

    Parameters
    ----------
    hardware : Hardware
        Gives the rules and widths that are not given.
    objective, rules, bits, weight_format, activation_format
        See :func:`energysim.estimate`.

    Raises
    ------
    UsageError
        If an option cannot be used; says what would be.
    """
    for name in (weight_format, activation_format):
        if name is not None:
            get_format(name)
    return Setting(
        hardware,
        _rules(hardware, rules),
        one_of("objective", objective, OBJECTIVES),
        *read_widths(bits, (hardware.weight_bits, hardware.activation_bits, hardware.accumulator_bits)),
        weight_format,
        activation_format,
    )


def _rules(hardware: Hardware, rules: str | Rules | None) -> Rules:
    """The rules given, over those of the hardware."""
    if isinstance(rules, Rules):
        return rules
    base = Rules()
    if hardware.rules:
        base = parse_rules(",".join(f"{name}={value}" for name, value in hardware.rules))
    if hardware.buffer.double_buffered:
        base = replace(base, double_buffering="yes")
    return base if rules is None else parse_rules(rules, base)


def read_widths(bits: Bits | None, native: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the widths [bit] of weights, activations and accumulators.

    Widths that are not given are the native ones; an accumulator is then widened to its operands,
    but one that is given narrower than them is an error.
    """
    if bits is None:
        return native
    given = _pairs(bits)
    values = dict(zip(_WIDTHS, native, strict=True))
    for key, value in given.items():
        if key not in _WIDTHS:
            raise UsageError(f"bits: unknown key {key!r} ({', '.join(_WIDTHS)}): {_ACCEPTED}")
        if not (value.isascii() and value.isdigit() and len(value) <= 2 and 1 <= int(value) <= 64):
            raise UsageError(f"bits: {_ACCEPTED}, not {value!r}")
        values[key] = int(value)
    weight, activation, accumulator = (values[key] for key in _WIDTHS)
    if accumulator < max(weight, activation):
        if "acc" in given:
            raise UsageError(f"bits: an accumulator of {accumulator} bit is narrower than its operands")
        accumulator = max(weight, activation)
    return weight, activation, accumulator


def _pairs(bits: Bits) -> dict[str, str]:
    if isinstance(bits, Mapping):
        return {str(key): str(value) for key, value in bits.items()}
    text = str(bits).strip()
    if "=" not in text:
        return {"w": text, "a": text}
    items = [item.partition("=") for item in text.split(",")]
    found = {key.strip(): value.strip() for key, _, value in items}
    if len(found) != len(items):
        raise UsageError(f"bits: a width is given twice in {text!r}")
    return found
