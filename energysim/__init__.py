"""energysim: energy and DRAM accesses of neural networks, dense against sparse.

>>> import energysim as es
>>> report = es.estimate("vgg16", sparsity="psconv", hardware="edge45")
>>> frame = report.to_frame()

Names are loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from energysim.graph import GraphBuilder, LayerGraph
    from energysim.hardware import Hardware, load_hardware
    from energysim.report import Report
    from energysim.report.across import compare
    from energysim.report.exchange import read_frame, write_frame
    from energysim.walker import estimate
    from energysim.zoo import load_model

__version__ = "0.1.0"

_WHERE = {
    "GraphBuilder": "energysim.graph",
    "Hardware": "energysim.hardware",
    "LayerGraph": "energysim.graph",
    "Report": "energysim.report",
    "compare": "energysim.report.across",
    "estimate": "energysim.walker",
    "load_hardware": "energysim.hardware",
    "load_model": "energysim.zoo",
    "read_frame": "energysim.report.exchange",
    "write_frame": "energysim.report.exchange",
}

__all__ = [
    "GraphBuilder",
    "Hardware",
    "LayerGraph",
    "Report",
    "compare",
    "estimate",
    "load_hardware",
    "load_model",
    "read_frame",
    "write_frame",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'energysim' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
