"""One layer with weights as a scheme sees it, and the reasons for which most schemes leave one as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from energysim.graph import Conv2d, ConvTranspose2d, LayerGraph, Linear, Node, Shape
from energysim.kernels import WeightShape

__all__ = ["Layer", "Weighted", "layers", "usual_refusal", "weighted_nodes"]

#: Operators that multiply with weights.
Weighted = Conv2d | ConvTranspose2d | Linear


def weighted_nodes(graph: LayerGraph) -> tuple[Node, ...]:
    """Return the nodes that multiply with weights, in walk order."""
    return tuple(n for n in graph.nodes if isinstance(n.op, Weighted))


@dataclass(frozen=True)
class Layer:
    """A layer with weights.

    Attributes
    ----------
    name : str
    op : Conv2d, ConvTranspose2d or Linear
    input : str
        The tensor it reads.
    input_shape, output_shape : tuple of int
        Batch first.
    weight_shape : (int, int, int, int)
        (M, C, R, S): filters of all groups, channels of one; (M, F, 1, 1) for a linear layer.
    first : bool
        Whether it is the first convolution of the network.
    """

    name: str
    op: Weighted
    input: str
    input_shape: Shape
    output_shape: Shape
    weight_shape: WeightShape
    first: bool

    @property
    def conv(self) -> Conv2d:
        """The operator as a convolution; TypeError if it is none."""
        if not isinstance(self.op, Conv2d):
            raise TypeError(f"{self.name} is no convolution")
        return self.op

    @property
    def channels(self) -> int:
        """Input channels over all groups (features of a linear layer)."""
        return self.input_shape[-1 if isinstance(self.op, Linear) else 1]

    @property
    def has_kernel(self) -> bool:
        """Whether some of its weights do not exist."""
        return isinstance(self.op, Conv2d | Linear) and not self.op.layout((self.input_shape,)).is_dense


def layers(graph: LayerGraph) -> Iterator[Layer]:
    """Yield the layers with weights, in walk order."""
    first = next((n.name for n in graph.nodes if isinstance(n.op, Conv2d)), None)
    for node in weighted_nodes(graph):
        op = node.op
        assert isinstance(op, Weighted)
        shapes = graph.input_shapes(node)
        m, c, r, s = (*op.parameters(shapes)["weight"], 1, 1)[:4]
        yield Layer(
            node.name,
            op,
            node.inputs[0],
            shapes[0],
            graph.output_shapes(node)[0],
            (m, c, r, s),
            node.name == first,
        )


def usual_refusal(layer: Layer, *, points: bool = False, linear: bool = False) -> str | None:
    """Return why most schemes leave a layer as it is, or None.

    Linear layers, transposed and depthwise convolutions, the first convolution, 1x1 windows, and
    convolutions that have a sparse kernel already: so applying a scheme twice is applying it once.

    Parameters
    ----------
    layer : Layer
    points, linear : bool
        Whether the scheme takes 1x1 windows, and linear layers.
    """
    if isinstance(layer.op, Linear):
        if not linear:
            return "linear layer"
        return "has a sparse kernel already" if layer.has_kernel else None
    if not isinstance(layer.op, Conv2d):
        return "transposed convolution"
    if layer.first:
        return "first convolution"
    if layer.weight_shape[2:] == (1, 1) and not points:
        return "1x1 window"
    if layer.weight_shape[1] == 1 and layer.op.groups > 1:
        return "depthwise"
    return "has a sparse kernel already" if layer.has_kernel else None
