"""Reading ``key=value,key=value`` parameters of a scheme, with one clear message for each mistake."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from energysim.errors import SchemeError, near_miss
from energysim.hardware.quantities import show

__all__ = [
    "UnknownParameterError",
    "check_range",
    "check_windows",
    "fraction",
    "fraction_text",
    "integer",
    "read_parameters",
]

_WINDOWS = ("3x3", "all")


class UnknownParameterError(SchemeError):
    """A parameter that a scheme has not.

    Attributes
    ----------
    accepted : dict of str to str
        Those it has -> what they take.
    """

    def __init__(self, message: str, accepted: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.accepted = dict(accepted or {})


def read_parameters(scheme: str, text: str, accepted: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of a scheme as text.

    Parameters
    ----------
    scheme : str
        For messages.
    text : str
        What stands behind the colon; may be empty.
    accepted : mapping of str to str
        Parameter -> what it takes, for messages.

    Raises
    ------
    UnknownParameterError
        An unknown parameter (the nearest is offered).
    SchemeError
        A repeated one, or one without a value.
    """
    found: dict[str, str] = {}
    for item in text.split(",") if text.strip() else ():
        key, equals, value = (part.strip() for part in item.partition("="))
        if key not in accepted:
            takes = ", ".join(f"{k}={v}" for k, v in accepted.items()) or "no parameters"
            raise UnknownParameterError(
                f"scheme {scheme!r} has no parameter {show(key)}{near_miss(key, accepted)} "
                f"(it takes {takes})",
                accepted,
            )
        if not equals or not value:
            raise SchemeError(f"parameter {key!r} of scheme {scheme!r} needs a value: {key}={accepted[key]}")
        if key in found:
            raise SchemeError(f"parameter {key!r} of scheme {scheme!r} is given twice")
        found[key] = value
    return found


def integer(scheme: str, key: str, text: str) -> int:
    """Return an integer parameter; raise SchemeError unless it is one of at most 20 digits."""
    if not re.fullmatch("-?[0-9]{1,20}", text):
        what = f"{key} of scheme {scheme!r} is a whole number of up to 20 digits"
        raise SchemeError(f"{what}, not {show(text)}")
    return int(text)


def check_range(scheme: str, key: str, value: int, lowest: int, highest: int) -> None:
    """Raise SchemeError unless ``value`` is an integer of ``lowest .. highest``."""
    if type(value) is not int or not lowest <= value <= highest:
        raise SchemeError(
            f"{key} of scheme {scheme!r} is a whole number from {lowest} to {highest}, not {show(value)}"
        )


def check_windows(scheme: str, value: str) -> None:
    """Raise SchemeError unless ``value`` says which windows become sparse: 3x3 or all."""
    if value not in _WINDOWS:
        raise SchemeError(
            f"windows of scheme {scheme!r} is {' or '.join(_WINDOWS)}, not {show(value)}"
            f"{near_miss(str(value), _WINDOWS)}"
        )


def fraction(scheme: str, key: str, text: str) -> Fraction:
    """Return an exact number written as a decimal or as n/d; raise SchemeError for anything else."""
    if re.fullmatch(r"[0-9]{1,9}/[0-9]{1,9}", text) and int(text.partition("/")[2]):
        return Fraction(text)
    if re.fullmatch(r"[0-9]{0,9}\.?[0-9]{0,12}", text) and text not in ("", "."):
        return Fraction(Decimal(text))
    raise SchemeError(f"{key} of scheme {scheme!r} is a number such as 0.25 or 1/4, not {show(text)}")


def fraction_text(value: Fraction) -> str:
    """Return a number as :func:`fraction` reads it back: a decimal if it has one of few places."""
    for places in range(13):
        if (value * 10**places).denominator == 1:
            digits = str(int(value * 10**places)).rjust(places + 1, "0")
            return f"{digits[:-places]}.{digits[-places:]}" if places else digits
    return f"{value.numerator}/{value.denominator}"
