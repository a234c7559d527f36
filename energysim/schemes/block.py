"""What a scheme makes of one layer: a small sub-graph, and how its weights follow from the layer's own.

The last node of a block bears the name of the layer, so that whoever reads its output need not know;
the others are called ``layer.part``. Tensors between them are *internal*. Weights are given to and
taken from the functions of a block by their names without the layer's: ``weight``, ``bias``,
``part.weight``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from energysim.errors import SchemeError
from energysim.extra import Extra
from energysim.graph import Node, Operator
from energysim.schemes.layers import Layer

__all__ = ["EXACTNESS", "Array", "Arrays", "Block", "Recipe", "Written"]

Array = NDArray[Any]
#: Arrays by name, the layer's own name left out.
Arrays = Mapping[str, Array]

EXACTNESS = {
    "E1": "equals a masked dense layer",
    "E2": "equals a dense layer with reconstructed weights",
    "E3": "equals its own reference only",
    "E4": "changes training or scheduling, not inference",
}


@dataclass(frozen=True, eq=False)
class Written:
    """Values that are stored beside or in the place of a layer's weights: they are encoded for real.

    Attributes
    ----------
    name : str
        What it is, for messages: ``"shift map"``.
    values : array
        Integers; or, as wide as a weight, any numbers: they are rounded as weights are.
    bits : int or None
        Width of each [bit]; values below 0 are in two's complement, else without sign. None: that of a
        weight.
    """

    name: str
    values: Array
    bits: int | None


@dataclass(frozen=True, eq=False)
class Recipe:
    """How the weights of a block follow from those of its layer, and what the block computes.

    Attributes
    ----------
    node : str
        The layer, and the last node of the block.
    parts : tuple of str
        All nodes of the block.
    exactness : {"E1", "E2", "E3", "E4"}
    derive : function or None
        The layer's ``weight`` and ``bias`` -> weights of the block. None: the block can only be
        trained, or drawn at random. Wanted for E2, whose weights obey a rule that random ones break.
    equivalent : function or None
        Weights of the block -> ``weight`` and ``bias`` of the dense layer that computes the same.
        Wanted for E1 and E2.
    reference : function or None
        (input of the layer, weights of the block) -> output, written from the paper's formula and
        not from the operators of the block, float64. Wanted for E3.
    written : function or None
        Weights of the block -> what is stored besides the weights (``side_bits``, ``table_bits``), or
        instead of them (``generated``): see :class:`energysim.extra.Extra`.
    integers : bool
        Whether the block is exact on integers, as one that moves and multiplies once is.
    tie : function or None
        Weights of the block -> those of them that follow from others (stored once, used twice), or obey
        a rule: random ones are made to, others are checked.
    """

    node: str
    parts: tuple[str, ...]
    exactness: str = "E1"
    derive: Callable[[Arrays], dict[str, Array]] | None = None
    equivalent: Callable[[Arrays], dict[str, Array]] | None = None
    reference: Callable[[Array, Arrays], Array] | None = None
    written: Callable[[Arrays], tuple[Written, ...]] | None = None
    integers: bool = False
    tie: Callable[[Arrays], dict[str, Array]] | None = None

    def __post_init__(self) -> None:
        if self.exactness not in EXACTNESS:
            raise SchemeError(
                f"exactness of {self.node!r} is one of {', '.join(EXACTNESS)}, not {self.exactness!r}"
            )
        needs = {
            "E1": (("equivalent", self.equivalent),),
            "E2": (("derive", self.derive), ("equivalent", self.equivalent)),
            "E3": (("reference", self.reference),),
            "E4": (),
        }
        for name, given in needs[self.exactness]:
            if given is None:
                raise SchemeError(f"a block of {self.exactness} needs {name!r}; {self.node!r} has none")


class Block:
    """The sub-graph that a layer becomes, while it is put together.

    Parameters
    ----------
    layer : Layer
    exactness, derive, equivalent, reference, written, integers, tie
        See :class:`Recipe`.

    Examples
    --------
    >>> block = Block(layer, derive=derive, equivalent=equivalent)
    >>> moved = block.part("shift", TapShift(taps), layer.input)
    >>> block.end(Conv2d(layer.weight_shape[0], (1, 1)), moved)
    """

    def __init__(
        self,
        layer: Layer,
        exactness: str = "E1",
        *,
        derive: Callable[[Arrays], dict[str, Array]] | None = None,
        equivalent: Callable[[Arrays], dict[str, Array]] | None = None,
        reference: Callable[[Array, Arrays], Array] | None = None,
        written: Callable[[Arrays], tuple[Written, ...]] | None = None,
        integers: bool = False,
        tie: Callable[[Arrays], dict[str, Array]] | None = None,
    ) -> None:
        self.layer = layer
        self.nodes: list[Node] = []
        self.extras: dict[str, Extra] = {}
        self.exactness = exactness
        self._functions = (derive, equivalent, reference, written, integers, tie)
        self._ended = False

    def part(
        self, name: str, op: Operator, *inputs: str, extra: Extra | None = None, outputs: int = 1
    ) -> str:
        """Add a node called ``layer.name``; return its (first) output, further ones end in ``:1``, ..."""
        full = f"{self.layer.name}.{name}"
        made = (full, *(f"{full}:{i}" for i in range(1, outputs)))
        self._add(Node(full, op, inputs, made), extra)
        return full

    def end(self, op: Operator, *inputs: str, extra: Extra | None = None) -> Block:
        """Add the last node, which bears the layer's name; return the block."""
        self._add(Node(self.layer.name, op, inputs, (self.layer.name,)), extra)
        self._ended = True
        return self

    def _add(self, node: Node, extra: Extra | None) -> None:
        if self._ended:
            raise SchemeError(f"the block of {self.layer.name!r} has its last node already")
        self.nodes.append(node)
        if extra is not None:
            self.extras[node.name] = extra

    @property
    def internal(self) -> tuple[str, ...]:
        """The tensors between the nodes."""
        return tuple(tensor for node in self.nodes[:-1] for tensor in node.outputs)

    @property
    def recipe(self) -> Recipe | None:
        """How its weights follow from the layer's; None for a single node whose weights are the layer's."""
        if not self._ended:
            raise SchemeError(f"the block of {self.layer.name!r} has no last node")
        if len(self.nodes) == 1 and not any(self._functions):
            return None
        derive, equivalent, reference, written, integers, tie = self._functions
        names = tuple(node.name for node in self.nodes)
        return Recipe(
            self.layer.name, names, self.exactness, derive, equivalent, reference, written, integers, tie
        )
