"""Energy of a memory by capacity: exact rows, the next larger row between them, else refused.

Taking the next larger row is an upper bound, and says so; nothing is extrapolated.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["capacity_text", "chosen_row", "refusal"]


def capacity_text(bits: int) -> str:
    """Return a capacity for people: in binary units where they are exact."""
    for unit, size in (("GiB", 2**33), ("MiB", 2**23), ("KiB", 2**13), ("B", 8)):
        if bits % size == 0:
            return f"{bits // size} {unit}"
    if bits > 2**13:
        return f"{bits / 2**13:.6g} KiB"
    return f"{bits} bit"


def refusal(capacity_bits: int, row_bits: Sequence[int]) -> str | None:
    """Return why a table does not cover a capacity, or None if it does."""
    least, most = min(row_bits), max(row_bits)
    if least <= capacity_bits <= most:
        return None
    side = "smaller than the smallest" if capacity_bits < least else "larger than the largest"
    return (
        f"{capacity_text(capacity_bits)} is {side} row of the energy_table, which covers "
        f"{capacity_text(least)} to {capacity_text(most)}; choose a capacity within it, add a row, "
        "or give 'read' and 'write' directly"
    )


def chosen_row(capacity_bits: int, row_bits: Sequence[int]) -> int:
    """Return the index of the smallest row that is not below the capacity.

    Raises
    ------
    ValueError
        If no row is large enough.
    """
    fitting = [(bits, index) for index, bits in enumerate(row_bits) if bits >= capacity_bits]
    if not fitting:
        raise ValueError(f"no row of at least {capacity_bits} bit")
    return min(fitting)[1]
