"""The types that all operators of the reference share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

__all__ = ["Array", "OperatorFunction", "Parameters"]

#: Any array: float32 in a run, float64 in checks, integers in integer mode.
Array = NDArray[Any]
#: Parameters and statistics of one node by suffix: ``weight``, ``bias``, ``running_mean``, ...
Parameters = Mapping[str, Array]
#: (operator, inputs, parameters) -> outputs. Outputs may be views of inputs, inputs never change.
OperatorFunction = Callable[[Any, tuple[Array, ...], Parameters], tuple[Array, ...]]
