"""The layer graph in the making: nodes, names, parameters, and the two forms a tensor may have.

A layer graph counts the batch as axis 0 of every tensor and never moves, cuts or merges it. An ONNX graph
knows no batch. So a tensor is held in one of two forms:

``batched``  its axis 0 is the batch: (N, C, H, W) stays (N, C, H, W);
``sample``   all of it belongs to one sample: (L, D) is held as (1, L, D), the batch before it, and a
             number as (1, 1).

With a batch of 1 a tensor (1, ...) changes form by a reshape, a free view; that is how networks import that
move the batch to and fro. With a larger one that is impossible: :class:`BatchMixedError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from energysim.errors import GraphError, ShapeError
from energysim.graph import Constant as ConstantNode
from energysim.graph import ExpandBatch, Node, Operator, Permute, Reshape
from energysim.graph.shapes import Shape, text
from energysim.importers.onnx_calls import Call
from energysim.importers.onnx_values import ELEMENTS, Constant, Element

__all__ = ["BatchMixedError", "Known", "Lower", "Sheet", "Site", "UnsupportedError", "Value"]


class BatchMixedError(ShapeError):
    """An operator that mixes the images of a batch; the network may still import as one sample."""


class UnsupportedError(Exception):
    """A form of an operator that nobody has said how to lower: it is unknown, like an unknown operator."""


@dataclass(frozen=True)
class Value:
    """A computed tensor.

    Attributes
    ----------
    tensor : str
        Its name in the layer graph.
    shape : tuple of int
        As ONNX sees it.
    element : Element
    batched : bool
        Which form it has there.
    """

    tensor: str
    shape: Shape
    element: Element
    batched: bool


Known = Value | Constant


class Sheet:
    """Collects nodes and parameters.

    Attributes
    ----------
    batch : int
        Axis 0 of every tensor of the layer graph.
    nodes : list of Node
    shapes : dict of str to shape
        Of the layer graph's tensors.
    parameters : dict of str to Constant
        By full name.
    widths : dict of str to int
        Stated widths of tensors [bit].
    """

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.nodes: list[Node] = []
        self.shapes: dict[str, Shape] = {}
        self.parameters: dict[str, Constant] = {}
        self.widths: dict[str, int] = {}

    def name(self, wanted: str) -> str:
        """Return a name that no tensor has."""
        name, number = wanted, 2
        while name in self.shapes or f"{name}:1" in self.shapes:
            name, number = f"{wanted}_{number}", number + 1
        return name

    def input(self, name: str, shape: Shape, element: Element) -> None:
        """Add an input of the network, with its shape in the layer graph."""
        self.shapes[name] = shape
        self.state(name, element)

    def state(self, tensor: str, element: Element) -> None:
        """State the width of a tensor, if the file has chosen one."""
        if element.width is not None:
            self.widths[tensor] = element.width

    def add(self, name: str, op: Operator, inputs: Sequence[str]) -> tuple[str, ...]:
        """Add a node and return its output tensors; raise ShapeError if shapes do not fit."""
        shapes = tuple(self.shapes[t] for t in inputs)
        found = op.infer(shapes)
        own = self.name(name)
        outputs = (own, *(f"{own}:{i}" for i in range(1, len(found))))
        self.nodes.append(Node(own, op, tuple(inputs), outputs))
        self.shapes.update(zip(outputs, found, strict=True))
        return outputs


class Site:
    """One call at work: what a function that lowers an operator may look at and do.

    Attributes
    ----------
    call : Call
    inputs : tuple of Known or None
    sheet : Sheet
    name : str
        What its main node will be called.
    """

    def __init__(self, call: Call, inputs: Iterable[Known | None], sheet: Sheet, name: str) -> None:
        self.call, self.inputs, self.sheet, self.name = call, tuple(inputs), sheet, name

    # ------------------------------------------------------------ inputs

    def given(self, number: int) -> bool:
        """Whether there is such an input."""
        return number < len(self.inputs) and self.inputs[number] is not None

    def known(self, number: int) -> Known:
        """Return an input, computed or constant."""
        if not self.given(number):
            raise GraphError(f"input {number} is missing")
        found = self.inputs[number]
        assert found is not None
        return found

    def value(self, number: int) -> Value:
        """Return an input as a computed tensor; a constant is put into the graph."""
        return self.computed(self.known(number))

    def computed(self, known: Known) -> Value:
        """Return anything as a computed tensor; a constant is put into the graph."""
        if isinstance(known, Value):
            return known
        tensor = self.constant_node(known, known.shape)
        return Value(tensor, known.shape, known.element, False)

    def constant(self, number: int, what: str) -> Constant:
        """Return an input that must follow from the file alone.

        Raises
        ------
        UnsupportedError
            If it is computed from the network's inputs.
        """
        found = self.known(number)
        if isinstance(found, Value):
            raise UnsupportedError(f"its {what} are computed from the network's inputs")
        return found

    def maybe(self, number: int, what: str) -> Constant | None:
        """Return an input that may be missing, and must follow from the file alone."""
        return self.constant(number, what) if self.given(number) else None

    # ------------------------------------------------------------ forms

    def shape(self, tensor: str) -> Shape:
        """Return the shape of a tensor of the layer graph."""
        return self.sheet.shapes[tensor]

    def batched(self, value: Value) -> str:
        """Return the tensor whose axis 0 is ONNX's axis 0 and the batch.

        Raises
        ------
        BatchMixedError
            If that axis is no batch.
        """
        if value.batched:
            return value.tensor
        if not value.shape or value.shape[0] != self.sheet.batch:
            raise BatchMixedError(f"axis 0 of {text(value.shape) or 'one number'} is not the batch")
        if self.sheet.batch != 1:
            raise BatchMixedError("the images of the batch lie along an axis of their own")
        return self.view(value.tensor, value.shape[1:] or (1,))

    def sample(self, value: Value) -> str:
        """Return the tensor with all of ONNX's axes behind the batch.

        Raises
        ------
        BatchMixedError
            If the batch is larger than 1 and among them.
        """
        if not value.batched:
            return value.tensor
        if self.sheet.batch != 1:
            raise BatchMixedError(
                f"it mixes the {self.sheet.batch} images of the batch: import the network with a batch of 1"
            )
        return self.view(value.tensor, value.shape)

    def aligned(self, values: Sequence[Known]) -> tuple[list[str], bool]:
        """Return operands of one rank, aligned at their last axes, and whether they are batched.

        Raises
        ------
        BatchMixedError
            If operands meet along the batch that do not belong to it.
        """
        rank = max(len(v.shape) for v in values)
        try:
            return [self._along(v, rank) for v in values], True
        except BatchMixedError:
            return [self.within(v, rank) for v in values], False

    def _along(self, known: Known, rank: int) -> str:
        """An operand for batched ones of this rank."""
        batched = isinstance(known, Value) and known.batched
        if len(known.shape) == rank and not batched:
            if known.shape[:1] != (1,):
                raise BatchMixedError("an operand has another length along the batch")
            sample = known.shape[1:]
        elif len(known.shape) == rank:
            sample = known.shape[1:]
        elif batched and self.sheet.batch != 1:
            raise BatchMixedError("the batch of one operand meets another axis of the other")
        else:
            sample = (1,) * (rank - 1 - len(known.shape)) + known.shape
        if isinstance(known, Constant):
            return self.constant_node(known, sample)
        return self.view(known.tensor, sample)

    def within(self, known: Known, rank: int) -> str:
        """Return an operand of so many axes behind the batch."""
        sample = (1,) * (rank - len(known.shape)) + known.shape
        if isinstance(known, Constant):
            return self.constant_node(known, sample)
        return self.view(self.sample(known), sample)

    # ------------------------------------------------------------ nodes

    def emit(self, op: Operator, *tensors: str, part: str = "") -> tuple[str, ...]:
        """Add a node, called like the call, or ``call/part``; returns its outputs."""
        return self.sheet.add(f"{self.name}/{part}" if part else self.name, op, tensors)

    def one(self, op: Operator, *tensors: str, part: str = "") -> str:
        """Add a node of one output and return it."""
        return self.emit(op, *tensors, part=part)[0]

    def view(self, tensor: str, sample: Shape, part: str = "view") -> str:
        """Return a tensor with another shape of its samples; itself if it has that one."""
        own = sample or (1,)
        return tensor if self.shape(tensor)[1:] == own else self.one(Reshape(own), tensor, part=part)

    def permuted(self, tensor: str, order: tuple[int, ...]) -> str:
        """Return a tensor with its axes in another order; itself if that is the order they have."""
        return tensor if order == tuple(range(len(order))) else self.one(Permute(order), tensor, part="order")

    def constant_node(self, constant: Constant, sample: Shape) -> str:
        """Put a constant into the graph: a tensor (1, ...) that broadcasts over the batch."""
        if 0 in sample:
            raise UnsupportedError(f"a constant of {constant.text} has no elements")
        tensor = self.one(ConstantNode(sample or (1,)), part="constant")
        shape = self.shape(tensor)
        self.sheet.parameters[f"{tensor}.value"] = constant.derived(shape, lambda a: a.reshape(shape))
        self.sheet.state(tensor, constant.element)
        return tensor

    def repeated(self, tensor: str, like: str) -> str:
        """Return a constant (1, ...) for each sample of another tensor's batch."""
        return self.one(ExpandBatch(), tensor, like, part="batch")

    def parameter(self, node: str, suffix: str, constant: Constant) -> None:
        """Give a node its parameter."""
        self.sheet.parameters[f"{node}.{suffix}"] = constant

    # ------------------------------------------------------------ results

    def result(self, tensor: str, batched: bool, element: Element | None = None) -> Value:
        """Return a tensor as a value; its type is that of the first input if none is given."""
        shape = self.shape(tensor) if batched else self.shape(tensor)[1:]
        return self.valued(tensor, shape, batched, element)

    def valued(self, tensor: str, shape: Shape, batched: bool, element: Element | None = None) -> Value:
        """Return a tensor as a value of a certain ONNX shape."""
        if element is None:
            first = next((v for v in self.inputs if v is not None), None)
            element = first.element if first is not None else ELEMENTS[1]
        if tensor not in self.sheet.widths:
            self.sheet.state(tensor, element)
        return Value(tensor, shape, element, batched)


#: Lowers one call: adds nodes, returns the values of its outputs (None for one that nobody may read).
Lower = Callable[[Site], Sequence[Known | None]]
