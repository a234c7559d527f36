"""Winograd F(4 x 4, 3 x 3), compiled (numba): same transforms, products by the innermost kernel."""

from __future__ import annotations

from energysim.inference.fast.winograd import Winograd4

__all__ = ["CompiledWinograd4"]


class CompiledWinograd4(Winograd4):
    """Placeholder until the compiled transform stands."""

    name = "compiled-winograd4"
