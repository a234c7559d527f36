"""Sizes of buffers as several commands read them."""

from __future__ import annotations

__all__ = ["read_capacities"]


def read_capacities(text: str) -> list[int]:
    """Return the capacities [bit] of ``16KiB,108KiB``; ``all`` are powers of two.

    Raises
    ------
    UsageError
        For anything else.
    """
    from energysim.curves import DEFAULT_SIZES
    from energysim.errors import UsageError
    from energysim.hardware.quantities import CAPACITY, parse_quantity

    if text == "all":
        return list(DEFAULT_SIZES)
    try:
        return [int(parse_quantity(part.strip(), CAPACITY).value) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(f"--capacities: {error}") from None
