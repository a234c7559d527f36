"""What an ONNX graph will hold, as plain Python values: nothing here needs the onnx package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.errors import ExportError
from energysim.graph import Node
from energysim.graph.shapes import Shape

__all__ = ["Array", "Attribute", "Call", "Sheet", "Site"]

Array = NDArray[Any]
Attribute = int | float | str | tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """One node of an ONNX graph: an operator of the standard, its tensors and attributes."""

    operator: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]


class Sheet:
    """Collects calls and initialisers.

    Tensors bear the names they have in the layer graph, parameters the names of
    ``LayerGraph.parameters()``; what one node needs besides is called ``node/what``.

    Parameters
    ----------
    taken : iterable of str
        Names of the graph's inputs.

    Attributes
    ----------
    calls : list of Call
    arrays : dict of str to array
        Initialisers: float32 parameters, int64 shapes.
    """

    def __init__(self, taken: Sequence[str] = ()) -> None:
        self.calls: list[Call] = []
        self.arrays: dict[str, Array] = {}
        self._taken = set(taken)
        self._same: dict[str, str] = {}

    def array(self, name: str, values: Array) -> str:
        """Add an initialiser and return its name."""
        self._take(name)
        self.arrays[name] = values
        return name

    def integers(self, name: str, values: Sequence[int]) -> str:
        """Add an initialiser of whole numbers (a shape, sizes) and return its name."""
        return self.array(name, np.array(values, dtype=np.int64))

    def call(
        self,
        operator: str,
        name: str,
        inputs: Sequence[str],
        attributes: Mapping[str, Attribute] = MappingProxyType({}),
        outputs: Sequence[str] = (),
    ) -> str:
        """Add a call and return its first output, which bears the call's name if none are given."""
        made = tuple(outputs) or (name,)
        for tensor in made:
            self._take(tensor)
        self.calls.append(Call(operator, name, tuple(map(self.tensor, inputs)), made, attributes))
        return made[0]

    def alias(self, tensor: str, original: str) -> None:
        """Let a tensor that is the same as another have no name of its own."""
        self._same[tensor] = self.tensor(original)

    def tensor(self, name: str) -> str:
        """Return the name under which a tensor of the layer graph is found."""
        return self._same.get(name, name)

    def _take(self, name: str) -> None:
        if name in self._taken:
            raise ExportError(f"two tensors would be called {name!r} in an ONNX file: rename a node")
        self._taken.add(name)


@dataclass(frozen=True)
class Site:
    """One node of the layer graph at work: what the function that writes it may look at.

    Attributes
    ----------
    node : Node
    inputs, outputs : tuple of shape
    parameters : mapping of str to array
        By suffix; weights that a kernel does not keep are zero already.
    """

    node: Node
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    parameters: Mapping[str, Array]

    def part(self, what: str) -> str:
        """Return the name of something that belongs to the node."""
        return f"{self.node.name}/{what}"

    def refuse(self, why: str) -> ExportError:
        """Return an error that names the node."""
        return ExportError(f"node {self.node.name!r} ({self.node.op.kind}) has no ONNX form: {why}")
