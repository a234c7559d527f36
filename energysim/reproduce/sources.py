"""The sources by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from energysim.errors import UsageError, near_miss
from energysim.reproduce.tables import Table

__all__ = ["reproduce", "source_names"]

#: Name -> module and function.
_SOURCES = {
    "eyeriss-alexnet": ("eyeriss_alexnet", "eyeriss_alexnet"),
    "eyeriss-vgg16": ("eyeriss_vgg16", "eyeriss_vgg16"),
    "eyeriss-isca2016": ("isca2016", "isca2016"),
    "eyeriss-v2-pe": ("eyeriss_v2_pe", "eyeriss_v2_pe"),
    "eie": ("eie", "eie"),
    "dram-commands": ("dram_commands", "dram_commands"),
    "gpu-gemm": ("gpu_gemm", "gpu_gemm"),
    "ma2018": ("ma2018", "ma2018"),
}


def source_names() -> tuple[str, ...]:
    """Return the names of the sources, in the order of the report."""
    return tuple(_SOURCES)


def reproduce(name: str) -> Table:
    """Return our numbers for a source.

    Raises
    ------
    UsageError
        If there is no such source; offers the nearest one.
    """
    if name not in _SOURCES:
        hint = near_miss(name, _SOURCES) or f" (sources are {', '.join(_SOURCES)})"
        raise UsageError(f"unknown source {name!r}{hint}")
    module, function = _SOURCES[name]
    compute: Callable[[], Table] = getattr(import_module(f"energysim.reproduce.{module}"), function)
    return compute()
