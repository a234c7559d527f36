"""Which way each channel is moved: the rule of ``shift``, alone and in blocks (source there)."""

from __future__ import annotations

__all__ = ["channel_taps"]


def channel_taps(channels: int, window: tuple[int, int]) -> tuple[int, ...]:
    """Return the tap r * S + s of each channel: n equal groups in row-major order, the rest in the middle."""
    taps = window[0] * window[1]
    each = channels // taps
    middle = window[0] // 2 * window[1] + window[1] // 2
    return tuple(c // each if c < each * taps else middle for c in range(channels))
