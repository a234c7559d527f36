"""Graph -> stages: what runs as one, and in which order.

Batch norm is folded into the convolution before it; an addition whose one operand is a convolution
nobody else reads joins it as its residual; ReLU and ReLU6 become a clamp on whatever writes. Dropout
and an adaptive pooling to the size its input has already are other names of their input.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from energysim.graph import (
    Activation,
    AdaptivePool2d,
    Add,
    BatchNorm,
    Conv2d,
    Dropout,
    LayerGraph,
    Linear,
    Node,
)

__all__ = ["CLAMPS", "Stage", "stages"]

#: Activations that are clamps: (low, high).
CLAMPS = {"relu": (0.0, np.inf), "relu6": (0.0, 6.0)}
_CLAMPED = (Conv2d, Linear, Add, BatchNorm)


@dataclass(eq=False)
class Stage:
    """One operator with everything folded into it.

    Attributes
    ----------
    node : Node
        The operator that computes.
    last : Node
        The last node it stands for; its outputs are what the stage writes.
    inputs : list of str
        Tensors read, the residual excluded.
    norms : list of Node
        Batch norms folded into the weights.
    residual : str or None
        Tensor added before the clamp.
    low, high : float
    nodes : list of str
        Names of all nodes it stands for.
    """

    node: Node
    last: Node
    inputs: list[str]
    norms: list[Node] = field(default_factory=list)
    residual: str | None = None
    low: float = -np.inf
    high: float = np.inf
    nodes: list[str] = field(default_factory=list)

    @property
    def clamped(self) -> bool:
        """Whether an activation is folded in."""
        return (self.low, self.high) != (-np.inf, np.inf)

    @property
    def reads(self) -> list[str]:
        """All tensors it reads."""
        return self.inputs + ([] if self.residual is None else [self.residual])


def stages(graph: LayerGraph) -> tuple[list[Stage], dict[str, str]]:
    """Return the stages in order, and the other names of tensors: name -> the tensor it is."""
    found: list[Stage] = []
    number: dict[str, int] = {}  # tensor -> the stage that writes it
    same: dict[str, str] = {}

    def resolve(tensor: str) -> str:
        return same.get(tensor, tensor)

    def open_stage(tensor: str) -> Stage | None:
        """The stage that writes a tensor only its next node reads."""
        private = len(graph.consumers(tensor)) == 1 and tensor not in graph.outputs and tensor not in same
        return found[number[tensor]] if private and tensor in number else None

    def extend(stage: Stage, node: Node) -> None:
        position = number.pop(stage.last.outputs[0])
        stage.last = node
        stage.nodes.append(node.name)
        number[node.outputs[0]] = position

    for node in graph.nodes:
        op, shape = node.op, graph.tensors[node.inputs[0]].shape if node.inputs else ()
        if isinstance(op, Dropout) or (isinstance(op, AdaptivePool2d) and op.output == shape[2:]):
            same[node.outputs[0]] = resolve(node.inputs[0])
            continue
        stage = open_stage(node.inputs[0]) if node.inputs else None
        if stage is not None and not stage.clamped:
            if isinstance(op, BatchNorm) and isinstance(stage.node.op, Conv2d) and stage.residual is None:
                extend(stage, node)
                stage.norms.append(node)
                continue
            if isinstance(op, Activation) and op.function in CLAMPS and isinstance(stage.node.op, _CLAMPED):
                extend(stage, node)
                stage.low, stage.high = CLAMPS[op.function]
                continue
        if isinstance(op, Add) and len(node.inputs) == 2:
            pair = [resolve(t) for t in node.inputs]
            own = max(pair, key=lambda t: number.get(t, -1))
            other = pair[1 - pair.index(own)]
            stage = open_stage(own)
            alike = graph.tensors[own].shape == graph.tensors[other].shape and own != other
            free = stage is not None and not stage.clamped and stage.residual is None
            if stage is not None and free and alike and isinstance(stage.node.op, Conv2d):
                extend(stage, node)
                stage.residual = other
                continue
        for tensor in node.outputs:
            number[tensor] = len(found)
        found.append(Stage(node, node, [resolve(t) for t in node.inputs], nodes=[node.name]))
    return found, same
