"""Layer by layer: errors, executed multiply-adds and encoded bits beside those of the estimate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from energysim.errors import CheckFailedError, FormatError
from energysim.extra import NOTHING, Extra
from energysim.graph import (
    CombConv2d,
    Conv2d,
    ConvTranspose2d,
    DeformConv2d,
    KWinners,
    LayerGraph,
    Linear,
    MapWinners,
    Node,
)
from energysim.hardware import Hardware
from energysim.inference.counter import Executed
from energysim.inference.weights import Weights
from energysim.kernels import DenseKernel, Kernel, WeightShape
from energysim.schemes import Rewrite
from energysim.validate.blocks import claimed_bits, written_bits
from energysim.validate.differences import Differences
from energysim.validate.execute import Outcome
from energysim.validate.expected import Expected
from energysim.validate.result import LayerCheck
from energysim.validate.stored import encoded_bits, format_of
from energysim.validate.supports import support_problem

__all__ = ["Encoder", "layer_checks", "support_problems"]


def support_problems(graph: LayerGraph) -> tuple[str, ...]:
    """Return the layers whose kernels contradict themselves: nothing is run then."""
    found = []
    for node in graph:
        if isinstance(node.op, Conv2d | Linear) and node.op.kernel is not None:
            problem = support_problem(node.op.kernel)
            if problem is not None:
                found.append(f"layer {node.name!r}: {problem}")
    return tuple(found)


@dataclass(frozen=True)
class Encoder:
    """Encodes the weights of layers as the hardware would hold them.

    Attributes
    ----------
    hardware : Hardware
    bits : int
        Width of a weight.
    asked : str or None
        Format asked for.
    stated : bool
        Whether a width that the graph states of a weight tensor goes before ``bits``.
    """

    hardware: Hardware
    bits: int
    asked: str | None
    stated: bool = True
    _known: dict[tuple[str, Kernel, int], int] = field(default_factory=dict)

    def __call__(
        self, graph: LayerGraph, node: Node, weights: Weights, extra: Extra = NOTHING
    ) -> tuple[str, int, str | None]:
        """Return the format of a layer's weights, their encoded bits, and what went wrong, if anything.

        Weights that are generated are not stored themselves.

        Raises
        ------
        FormatError
            If the format cannot hold such weights.
        """
        if isinstance(node.op, Conv2d | Linear):
            kernel = node.op.layout(graph.input_shapes(node))
        elif isinstance(node.op, CombConv2d | ConvTranspose2d | DeformConv2d):
            kernel = DenseKernel(_four(weights[f"{node.name}.weight"].shape))
        else:
            return "", 0, None
        if extra.generated is not None:
            return "generated", 0, None
        if extra.tied:
            return "tied", 0, None
        storage = format_of(kernel, self.hardware, extra.weight_format or self.asked)
        bits = extra.weight_bits or self.width(graph, node.name)
        # A dense layer is as long with any weights: it is encoded once for all schemes.
        if (node.name, kernel, bits) not in self._known:
            array = weights[f"{node.name}.weight"].reshape(kernel.shape)
            try:
                self._known[node.name, kernel, bits] = encoded_bits(array, kernel, storage, bits)
            except CheckFailedError as error:
                return str(storage), 0, str(error)
            except FormatError as error:
                raise FormatError(f"layer {node.name!r}: weights cannot be encoded: {error}") from None
        return str(storage), self._known[node.name, kernel, bits], None

    def width(self, graph: LayerGraph, node: str) -> int:
        """Return the bits of a node's weights, where no scheme states them."""
        own = graph.parameter_bits.get(f"{node}.weight") if self.stated else None
        return own or self.bits


def layer_checks(
    rewrite: Rewrite,
    outcome: Outcome,
    numbers: Expected,
    weights: Weights,
    encode: Encoder,
    images: int,
    tolerances: tuple[float, float],
    weight_errors: Mapping[str, float],
) -> tuple[LayerCheck, ...]:
    """Return a row for each layer that multiplies, and for any other whose reference shows nothing.

    ``tolerances`` are those of a layer, and of one on a transform path; ``weight_errors`` tell of layers
    how far reconstructed weights are from the dense ones."""
    rows = []

    def width(node: str) -> int:
        return encode.width(rewrite.graph, node)

    written = written_bits(rewrite, weights, width)
    few: set[str] = set()  # tensors of winners
    for node in rewrite.graph:
        off = outcome.tensors.get(node.name)  # of a block, the reference knows the last node only
        # A gate inside a block may be closed for a few images: what the block writes is what must vary.
        inside = rewrite.trace[node.name].node != node.name
        # So may all but a few values be 0 of winners, and of what passes them on: that is what is asked for.
        if isinstance(node.op, KWinners | MapWinners) or (
            node.op.category != "mac" and node.inputs and few.issuperset(node.inputs)
        ):
            few.update(node.outputs)
        meant = off is not None and node.name in few and off.zeros < off.elements
        meaningless = None if off is None or ((inside or meant) and off.finite) else off.meaningless
        problems = [] if meaningless is None else [meaningless]
        ends_block = off is not None and rewrite.trace[node.name].scheme != "dense"
        if node.op.category != "mac" and not problems and not ends_block:
            continue
        alone = outcome.alone.get(node.name, Executed())
        whole = outcome.whole.get(node.name, Executed())
        macs, bits = numbers.layers.get(node.name, (0, 0))
        name, encoded, broken = encode(rewrite.graph, node, weights, rewrite.extras.get(node.name, NOTHING))
        encoded += claimed_bits(rewrite, node.name, width(node.name))
        if node.op.category != "mac":
            macs, bits = 0, 0
        if off is not None:
            problems += _problems(off, tolerances[not alone.counted])
        problems += _table_problems(rewrite, node.name, written, width)
        problems += _count_problems(alone, whole, macs * images)
        if broken is not None:
            problems.append(broken)
        elif encoded != bits:
            problems.append(f"its weights are encoded in {encoded} bits, the estimate stores {bits}")
        rows.append(
            LayerCheck(
                node=node.name,
                kind=node.op.kind,
                scheme=rewrite.trace[node.name].scheme,
                max_error=0.0 if off is None else off.largest,
                relative_error=0.0 if off is None else off.relative,
                differing=0 if off is None else off.differing,
                executed_macs=alone.macs // images if alone.counted else None,
                estimated_macs=macs,
                overhead_macs=alone.overhead // images if alone.counted else 0,
                format=name,
                encoded_bits=encoded,
                estimated_bits=bits,
                problems=tuple(problems),
                weight_error=weight_errors.get(node.name),
            )
        )
    return tuple(rows)


def _problems(off: Differences, tolerance: float) -> list[str]:
    wrong = off.problem(tolerance)
    return [] if wrong is None else [wrong]


def _table_problems(
    rewrite: Rewrite, node: str, written: Mapping[str, int], width: Callable[[str], int]
) -> list[str]:
    """Whether the tables of a block take the bits that its parts claim.

    Parts may have been rewritten again by a further scheme: they are told with the block they are part of.
    """
    recipes = [recipe for step in rewrite.steps for recipe in step]
    if any(node in recipe.parts and node != recipe.node for recipe in recipes):
        return []
    inside: set[str] = set()
    more = {part for recipe in recipes if recipe.node == node for part in recipe.parts}
    while not more <= inside:
        inside |= more
        more = {part for recipe in recipes if recipe.node in inside for part in recipe.parts}
    claimed = sum(claimed_bits(rewrite, part, width(node)) for part in sorted(inside))
    found = sum(written.get(name, 0) for name in inside)
    return [] if claimed == found else [f"its tables take {found} bits, the estimate stores {claimed}"]


def _count_problems(alone: Executed, whole: Executed, macs: int) -> list[str]:
    """What executed counts contradict, of all images."""
    found = []
    if alone.counted and alone.macs != macs:
        found.append(f"{alone.macs} multiply-adds were executed, the estimate counts {macs}")
    elif whole.counted and whole.macs != macs:
        found.append(f"{whole.macs} multiply-adds were executed from end to end, the estimate counts {macs}")
    return found


def _four(shape: tuple[int, ...]) -> WeightShape:
    m, c, r, s = (*shape, 1, 1)[:4]
    return m, c, r, s
