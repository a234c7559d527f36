"""``grouped`` and ``roots``: convolutions whose filters see the channels of their own group only.

Source: Ioannou, Robertson, Cipolla, Criminisi, "Deep Roots: Improving CNN Efficiency with Hierarchical
Filter Groups", CVPR 2017 (arXiv 1605.06489). With g groups a filter of group j sees the channels
``j*C/g .. (j+1)*C/g - 1``: C*M*R*S*P*Q/g multiply-adds, C*M*R*S/g weights, nothing beside them. It equals
the dense layer with zeros outside of the diagonal blocks.

``grouped`` gives each layer the same number of groups. ``roots`` gives fewer to deeper layers: m to the
convolutions of the first size of map, half as many, rounded down and at least 1, at each smaller one.
For ResNet-50 and the NIN for CIFAR these are the groups of the paper's root-m networks (derived: the
counts are the published ones); for other networks the rule is assumed. The paper's networks have 1x1
convolutions that mix the groups; none are added to a network without.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from energysim.errors import SchemeError
from energysim.graph import Conv2d, Flatten, LayerGraph, Linear, Permute, Reshape
from energysim.schemes.base import Rewrite, RewritingScheme
from energysim.schemes.block import Array, Arrays, Block
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.layers import Layer, layers, usual_refusal
from energysim.schemes.parameters import check_range, integer, read_parameters
from energysim.schemes.thinning import one_word

__all__ = ["GROUPED", "ROOTS", "Grouped", "Roots", "parse_grouped", "parse_roots", "root_groups"]

_LARGEST = 1 << 16
_LAYERS = ("windows", "all")


@dataclass(frozen=True)
class Grouped(RewritingScheme):
    """The same number of groups in every layer.

    Parameters
    ----------
    groups : int
        g, 1 to 65536, over all of a layer's channels; a layer whose channels it does not divide is left.
    layers : {"windows", "all"}
        Convolutions with a window larger than 1x1, or 1x1 and linear layers too.

    Raises
    ------
    SchemeError
        For any other value.
    """

    groups: int = 4
    layers: str = "windows"

    def __post_init__(self) -> None:
        check_range("grouped", "g", self.groups, 1, _LARGEST)
        one_word("grouped", "layers", self.layers, _LAYERS)

    def __str__(self) -> str:
        return f"grouped:g={self.groups}" + ("" if self.layers == "windows" else f",layers={self.layers}")

    def refuses(self, layer: Layer) -> str | None:
        """See :meth:`RewritingScheme.refuses`."""
        everything = self.layers == "all"
        return usual_refusal(layer, points=everything, linear=everything)

    def block(self, layer: Layer) -> Block | str:
        """Return the layer with its groups, or why it stays as it is."""
        return _grouped(layer, self.groups)


@dataclass(frozen=True)
class Roots(RewritingScheme):
    """Fewer groups the smaller the map.

    Parameters
    ----------
    groups : int
        m, groups at the first size of map, 1 to 65536.

    Raises
    ------
    SchemeError
        For any other value.
    """

    groups: int = 16

    def __post_init__(self) -> None:
        check_range("roots", "m", self.groups, 1, _LARGEST)

    def __str__(self) -> str:
        return f"roots:m={self.groups}"

    def apply(self, graph: LayerGraph, only: Collection[str] | None = None) -> Rewrite:
        """See :meth:`Scheme.apply`; the groups of a layer do not depend on ``only``."""
        schedule = root_groups(graph, self.groups)
        return _Scheduled(self.groups, tuple(schedule.items())).apply(graph, only)

    def block(self, layer: Layer) -> Block | str:
        """Refuse: the groups of a layer follow from its network."""
        raise SchemeError("root groups are those of a layer in its network")

    def assumptions(self) -> tuple[str, ...]:
        """Return what is not in the paper."""
        return (
            f"{self}: groups halve with each size of map, as they do in the published ResNet-50 and NIN; no "
            "1x1 convolutions are added to mix the groups",
        )


@dataclass(frozen=True)
class _Scheduled(Roots):
    """Root groups of the layers of one network."""

    schedule: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        return f"roots:m={self.groups}"

    def apply(self, graph: LayerGraph, only: Collection[str] | None = None) -> Rewrite:
        return RewritingScheme.apply(self, graph, only)

    def block(self, layer: Layer) -> Block | str:
        return _grouped(layer, dict(self.schedule)[layer.name])


def root_groups(graph: LayerGraph, first: int) -> dict[str, int]:
    """Return the groups of each layer that ``roots`` looks at, in network order."""
    found: dict[str, int] = {}
    groups, pixels = first, 0
    for layer in layers(graph):
        if usual_refusal(layer) is not None:
            continue
        area = layer.output_shape[2] * layer.output_shape[3]
        if found and area < pixels:
            groups = max(1, groups // 2)
        pixels = min(area, pixels) if found else area
        found[layer.name] = groups
    return found


def _grouped(layer: Layer, groups: int) -> Block | str:
    """A layer with so many groups over all of its channels."""
    op, (m, c, r, s) = layer.op, layer.weight_shape
    before = 1 if isinstance(op, Linear) else layer.conv.groups
    if groups == before == 1:
        return "1 group is the layer as it is"
    if groups == before or groups % before:
        return f"has {before} groups already"
    channels = layer.channels
    if channels % groups or m % groups:
        what = "features" if isinstance(op, Linear) else "channels"
        return f"{groups} groups do not divide {channels} input and {m} output {what}"
    inside = channels // groups
    # Channels of the old group that the new group of each filter sees.
    start = np.arange(m) // (m // groups) * inside - np.arange(m) // (m // before) * c
    seen = start[:, None] + np.arange(inside)
    filters = np.arange(m)[:, None]
    part = "groups.weight", "groups.bias"
    names = part if isinstance(op, Linear) else ("weight", "bias")

    def derive(dense: Arrays) -> dict[str, Array]:
        kept = dense["weight"].reshape(m, c, r, s)[filters, seen]
        made = {names[0]: np.ascontiguousarray(kept)}
        return {**made, names[1]: dense["bias"]} if "bias" in dense else made

    def equivalent(own: Arrays) -> dict[str, Array]:
        full = np.zeros((m, c, r, s), dtype=own[names[0]].dtype)
        full[filters, seen] = own[names[0]]
        made = {"weight": full[:, :, 0, 0] if isinstance(op, Linear) else full}
        return {**made, "bias": own[names[1]]} if names[1] in own else made

    block = Block(layer, "E1", derive=derive, equivalent=equivalent, integers=True)
    if not isinstance(op, Linear):
        return block.end(replace(layer.conv, groups=groups), layer.input)
    conv = Conv2d(m, (1, 1), groups=groups, bias=op.bias)
    if len(layer.input_shape) == 2:
        x = block.part("rows", Reshape((channels, 1, 1)), layer.input)
        return block.end(Flatten(), block.part("groups", conv, x))
    # A sequence (N, L, F) is a map of L pixels in a row.
    length = layer.input_shape[1]
    x = block.part("turned", Permute((0, 2, 1)), layer.input)
    x = block.part("groups", conv, block.part("rows", Reshape((channels, length, 1)), x))
    return block.end(Permute((0, 2, 1)), block.part("columns", Reshape((m, length)), x))


def parse_grouped(text: str) -> Grouped:
    """Return the scheme written behind ``grouped:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    given = read_parameters("grouped", text, {"g": f"1..{_LARGEST}", "layers": "|".join(_LAYERS)})
    groups = integer("grouped", "g", given["g"]) if "g" in given else Grouped.groups
    return Grouped(groups, given.get("layers", Grouped.layers))


def parse_roots(text: str) -> Roots:
    """Return the scheme written behind ``roots:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    given = read_parameters("roots", text, {"m": f"1..{_LARGEST}"})
    return Roots(integer("roots", "m", given["m"]) if "m" in given else Roots.groups)


GROUPED = SchemeKind(
    parse_grouped,
    "the same number of groups in every convolution",
    ("grouped:g=4", "grouped:g=16", "grouped:g=2,layers=all"),
)
ROOTS = SchemeKind(
    parse_roots,
    "groups that halve with each size of map (Ioannou et al. 2017)",
    ("roots:m=4", "roots:m=16"),
)
