"""``channels``: whole channels are removed, and with them filters of the layers that write them.

Removing channels of a tensor takes filters from the layer that writes it and input channels from those
that read it: a smaller dense network, ``C'*M'*R*S*P*Q`` multiply-adds and ``C'*M'*R*S`` weights a layer,
nothing stored beside them, and smaller maps. Channels that an addition joins go together or not at all;
those of the network's inputs and outputs, and of operators without a rule, stay
(:mod:`energysim.schemes.channel_sets`).

Which ones stay:

* ``by=first``: of n channels the first ceil(keep * n), where only the number counts (assumed);
* ``by=magnitude``: those with the largest sum of magnitudes over the filters that write them, Li et al.,
  "Pruning Filters for Efficient ConvNets", ICLR 2017;
* ``by=constant``: all but those that are the same number everywhere in given weights, as a batch norm of
  scale 0 makes them: see :mod:`energysim.schemes.constants`. The number is added to the biases of readers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from energysim.errors import SchemeError, WeightsError, near_miss
from energysim.graph import BatchNorm, Conv2d, LayerGraph, Linear, Node
from energysim.schemes.base import Left, Origin, Rewrite, Scheme, weighted_nodes
from energysim.schemes.block import Array, Arrays, Recipe
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.channel_sets import ChannelSets, is_depthwise, writes_channels
from energysim.schemes.constants import Absorbed, absorbed, removable
from energysim.schemes.parameters import fraction, fraction_text, read_parameters
from energysim.schemes.thinning import one_word
from energysim.units import ceil_fraction

__all__ = ["KIND", "Channels", "parse"]

_BY = ("first", "magnitude", "constant")


@dataclass(frozen=True)
class Channels(Scheme):
    """Fewer channels.

    Parameters
    ----------
    keep : Fraction
        Share of the channels that stays, above 0 and at most 1; not with ``by=constant``.
    by : {"first", "magnitude", "constant"}
    weights : mapping of str to array, optional
        By name (``conv1.weight``), for ``magnitude`` and ``constant``.

    Raises
    ------
    SchemeError
        For any other value.
    """

    keep: Fraction = Fraction(1, 2)
    by: str = "first"
    weights: Mapping[str, NDArray[Any]] | None = field(default=None, compare=False, repr=False)

    changes: ClassVar[tuple[str, ...]] = ("graph",)

    def __post_init__(self) -> None:
        one_word("channels", "by", self.by, _BY)
        if not 0 < self.keep <= 1:
            raise SchemeError(
                f"keep of scheme 'channels' is above 0 and at most 1, not {fraction_text(self.keep)}"
            )
        if self.by == "constant" and self.keep != Channels.keep:
            raise SchemeError("channels:by=constant removes what is constant: keep cannot be given beside it")

    def __str__(self) -> str:
        if self.by == "constant":
            return "channels:by=constant"
        by = "" if self.by == "first" else f",by={self.by}"
        return f"channels:keep={fraction_text(self.keep)}{by}"

    @property
    def wants_weights(self) -> bool:
        return self.by != "first" and self.weights is None

    def with_weights(self, weights: Mapping[str, NDArray[Any]], width: Callable[[str], int]) -> Channels:
        return replace(self, weights=weights)

    def apply(self, graph: LayerGraph, only: Collection[str] | None = None) -> Rewrite:
        """See :meth:`Scheme.apply`; ``only`` says whose filters may go, what reads them shrinks too.

        Raises
        ------
        SchemeError
            If weights are wanted, and there are none.
        WeightsError
            If an array is missing, or of another shape.
        """
        sets = ChannelSets(graph)
        kept = self._kept(sets, only)
        stays = {name: _places(sets, kept, name) for name in sets.segments}
        shrunk = {name for name, places in stays.items() if len(places) < _length(graph, name)}
        into = Absorbed({}, {})
        if self.by == "constant":
            into = absorbed(sets, self._arrays(graph), {name: stays[name] for name in shrunk})
        nodes, recipes, changed = [], [], []
        for node in graph.nodes:
            around = {node.inputs[0] if node.inputs else "", node.outputs[0]}
            if node.name in into.added or not shrunk.isdisjoint(around):
                made, recipe = _smaller(graph, node, stays, into.added.get(node.name), self.by == "constant")
                nodes.append(made)
                recipes += [recipe] if recipe is not None else []
                changed += [node.name] if recipe is not None and not isinstance(node.op, BatchNorm) else []
            else:
                nodes.append(node)
        smaller = graph.with_nodes(nodes)
        scheme, exactness = str(self), "E2" if self.by == "constant" else "E1"
        trace = {
            node.name: Origin(node.name, scheme, exactness) if node.name in changed else Origin(node.name)
            for node in smaller.nodes
        }
        return Rewrite(
            smaller,
            trace,
            tuple(self._left(sets, kept, only, set(changed))),
            (*self.assumptions(), *into.notes(scheme)) if changed else (),
            steps=(tuple(recipes),),
            kept={name: tuple(stays[name].tolist()) for name in sorted(shrunk)},
        )

    def _arrays(self, graph: LayerGraph) -> dict[str, NDArray[np.float64]]:
        if self.weights is None:
            raise SchemeError(
                f"{self} looks at weights, and there are none here: estimate a network with --weights FILE"
            )
        found = {}
        for name, shape in graph.parameters().items():
            if name not in self.weights:
                near = near_miss(name, self.weights)
                raise WeightsError(f"layer {name.rpartition('.')[0]!r}: there is no array {name!r}{near}")
            array = np.asarray(self.weights[name], dtype=np.float64)
            if array.shape != shape:
                raise WeightsError(f"{name!r} has shape {array.shape}, the network needs {shape}")
            found[name] = array
        for name in self.weights:
            if name.endswith((".running_mean", ".running_var")):
                found[name] = np.asarray(self.weights[name], dtype=np.float64)
        return found

    def _kept(self, sets: ChannelSets, only: Collection[str] | None) -> dict[int, NDArray[np.int64]]:
        """The channels that stay, of each set that loses some."""
        channels = {sets.set_of(s): s.channels for segments in sets.segments.values() for s in segments}
        open_sets = {
            number: count
            for number, count in channels.items()
            if number not in sets.fixed
            and sets.writers[number]
            and (only is None or set(sets.writers[number]) <= set(only))
        }
        if self.by == "constant":
            return removable(sets, self._arrays(sets.graph), open_sets) if open_sets else {}
        found = {}
        for number, count in open_sets.items():
            wanted = ceil_fraction(self.keep * count)
            if wanted == count:
                continue
            chosen = np.arange(wanted)
            if self.by == "magnitude":
                arrays = [self._arrays(sets.graph)[f"{name}.weight"] for name in sets.writers[number]]
                sizes = sum(np.abs(array).reshape(count, -1).sum(axis=1) for array in arrays)
                chosen = np.sort(np.argsort(-np.asarray(sizes), kind="stable")[:wanted])
            found[number] = chosen.astype(np.int64)
        return found

    def _left(
        self,
        sets: ChannelSets,
        kept: Mapping[int, NDArray[np.int64]],
        only: Collection[str] | None,
        changed: Collection[str],
    ) -> list[Left]:
        found = []
        for node in weighted_nodes(sets.graph):
            if node.name in changed or (only is not None and node.name not in only):
                continue
            (number, *_) = sets.sets(node.outputs[0])
            reason = sets.fixed.get(number)
            if reason is None:
                others = [name for name in sets.writers[number] if only is not None and name not in only]
                reason = f"shared with {others[0]}, which no rule names" if others else "none is removed"
            found.append(Left(node.name, f"keeps its channels: {reason}"))
        return found

    def assumptions(self) -> tuple[str, ...]:
        """Return what rests on no source."""
        return (f"{self}: the number of channels that stay is rounded up",) if self.by != "constant" else ()


def _length(graph: LayerGraph, tensor: str) -> int:
    shape = graph.tensors[tensor].shape
    return shape[1] if len(shape) > 1 else 1


def _places(sets: ChannelSets, kept: Mapping[int, NDArray[np.int64]], tensor: str) -> NDArray[np.int64]:
    """The elements of axis 1 of a tensor that stay."""
    found, start = [], 0
    for segment in sets.segments[tensor]:
        own = kept.get(sets.set_of(segment), np.arange(segment.channels))
        found.append((start + own[:, None] * segment.each + np.arange(segment.each)).reshape(-1))
        start += segment.channels * segment.each
    return np.concatenate(found).astype(np.int64)


def _smaller(
    graph: LayerGraph,
    node: Node,
    stays: Mapping[str, NDArray[np.int64]],
    added: NDArray[np.float64] | None,
    rebuilt: bool,
) -> tuple[Node, Recipe | None]:
    """A node between smaller tensors, and how its parameters follow; ``added`` to its bias (or mean)."""
    op, rows = node.op, stays[node.outputs[0]]
    count = len(rows)
    made: Conv2d | Linear
    if is_depthwise(graph, node) and isinstance(op, Conv2d):
        made, columns = replace(op, out_channels=count, groups=count), np.arange(1)
    elif writes_channels(graph, node) and isinstance(op, Conv2d):
        made, columns = replace(op, out_channels=count), stays[node.inputs[0]]
    elif writes_channels(graph, node) and isinstance(op, Linear):
        made, columns = replace(op, out_features=count), stays[node.inputs[0]]
    elif isinstance(op, BatchNorm):
        return node, _norm_recipe(graph, node, rows, added)
    else:
        return node, None
    shapes = op.parameters(graph.input_shapes(node))

    def derive(dense: Arrays) -> dict[str, Array]:
        found = {"weight": np.ascontiguousarray(dense["weight"][np.ix_(rows, columns)])}
        if "bias" in dense:
            found["bias"] = dense["bias"][rows] + (0 if added is None else added[rows])
        return found

    def equivalent(own: Arrays) -> dict[str, Array]:
        found = {key: np.zeros(shape, dtype=own[key].dtype) for key, shape in shapes.items()}
        found["weight"][np.ix_(rows, columns)] = own["weight"]
        if "bias" in own:
            found["bias"][rows] = own["bias"]
        return found

    exactness = "E2" if rebuilt else "E1"
    return replace(node, op=made), Recipe(node.name, (node.name,), exactness, derive, equivalent)


def _norm_recipe(
    graph: LayerGraph, node: Node, rows: NDArray[np.int64], added: NDArray[np.float64] | None
) -> Recipe:
    channels = graph.input_shapes(node)[0][1]

    def derive(dense: Arrays) -> dict[str, Array]:
        found = {key: array[rows] for key, array in dense.items()}
        if added is not None:
            found["running_mean"] = found["running_mean"] - added[rows]
        return found

    def equivalent(own: Arrays) -> dict[str, Array]:
        found = {}
        for key, array in own.items():
            fill = 1 if key == "running_var" else 0
            found[key] = np.full(channels, fill, dtype=array.dtype)
            found[key][rows] = array
        return found

    return Recipe(node.name, (node.name,), "E1", derive, equivalent)


def parse(text: str) -> Channels:
    """Return the scheme written behind ``channels:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    given = read_parameters("channels", text, {"keep": "0..1", "by": "|".join(_BY)})
    keep = fraction("channels", "keep", given["keep"]) if "keep" in given else Channels.keep
    if "keep" in given and given.get("by") == "constant":
        raise SchemeError("channels:by=constant removes what is constant: keep cannot be given beside it")
    return Channels(keep, given.get("by", Channels.by))


KIND = SchemeKind(
    parse,
    "whole channels removed, at a share or where they are constant (Li et al. 2017, Ye et al. 2018)",
    ("channels:keep=0.75", "channels:keep=0.5"),
)
