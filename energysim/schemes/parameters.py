"""Reading ``key=value,key=value`` parameters of a scheme, with one clear message for each mistake."""

from __future__ import annotations

from collections.abc import Mapping

from energysim.errors import SchemeError, near_miss

__all__ = ["integer", "read_parameters"]


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
    SchemeError
        An unknown parameter (the nearest is offered), a repeated one, or one without a value.
    """
    found: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = (part.strip() for part in item.partition("="))
        if key not in accepted:
            takes = ", ".join(f"{k}={v}" for k, v in accepted.items()) or "no parameters"
            raise SchemeError(
                f"scheme {scheme!r} has no parameter {key!r}{near_miss(key, accepted)} (it takes {takes})"
            )
        if not equals or not value:
            raise SchemeError(f"parameter {key!r} of scheme {scheme!r} needs a value: {key}={accepted[key]}")
        if key in found:
            raise SchemeError(f"parameter {key!r} of scheme {scheme!r} is given twice")
        found[key] = value
    return found


def integer(scheme: str, key: str, text: str, lowest: int, highest: int) -> int:
    """Return an integer parameter; raise SchemeError outside ``lowest .. highest``."""
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 20):
        raise SchemeError(f"{key} of scheme {scheme!r} is a whole number, not {text!r}")
    value = int(text)
    if not lowest <= value <= highest:
        raise SchemeError(f"{key} of scheme {scheme!r} lies between {lowest} and {highest}, not {value}")
    return value
