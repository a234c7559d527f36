"""Widths of weights, activations and sums: for the whole network, per layer, and as a file states them.

``w=8,a=8,acc=32`` is for all layers; ``features.*:w=4,a=4`` for the layers whose name a glob matches.
Items are separated by ``;``, the first glob that matches a layer is used, and what it does not give
is taken from the rest. ``a`` is the width of what the layer reads: it belongs to the tensor, so
whoever writes the tensor, and whoever reads it too, moves that many bits.

A width given here goes before one that the graph states (as an imported file may), and that before
the hardware's native one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from energysim.cost import Setting
from energysim.errors import UsageError, near_miss
from energysim.fusion import Fused
from energysim.graph import LayerGraph, Node, Tensor
from energysim.graph.lookup import computed_inputs

__all__ = ["Bits", "Given", "Widths", "read_bits", "read_widths"]

#: Widths as they can be given: ``16``, ``"w=8,a=8,acc=32;features.*:w=4"``, or as a mapping, in which a
#: glob has a mapping of its own.
Bits = str | int | Mapping[str, int | Mapping[str, int]]
#: Widths by key: ``w``, ``a``, ``acc``.
Given = dict[str, int]

_KEYS = ("w", "a", "acc")
_ACCEPTED = "a whole number from 1 to 64, or w=8,a=8,acc=32, or with layers w=8,a=8;features.*:w=4"


@dataclass(frozen=True)
class Widths:
    """Widths as given.

    Attributes
    ----------
    base : tuple of (str, int)
        For all layers: (key, width) pairs.
    layers : tuple of (str, tuple of (str, int))
        A glob of layer names, and the pairs for those layers.
    """

    base: tuple[tuple[str, int], ...] = ()
    layers: tuple[tuple[str, tuple[tuple[str, int], ...]], ...] = ()

    def __str__(self) -> str:
        return "".join(f";{glob}:" + ",".join(f"{k}={v}" for k, v in given) for glob, given in self.layers)

    def of(self, *names: str) -> Given:
        """Return what is given for a layer with these names (its own, and that of its origin)."""
        for glob, given in self.layers:
            if any(fnmatchcase(name, glob) for name in names):
                return dict(given)
        return {}

    def check(self, graph: LayerGraph) -> None:
        """Raise UsageError if a glob matches no layer, or one for weights none that has any."""
        names = [node.name for node in graph.nodes]
        weighted = [n.name for n in graph.nodes if n.op.parameters(graph.input_shapes(n))]
        for glob, given in self.layers:
            matching = [name for name in names if fnmatchcase(name, glob)]
            if not matching:
                raise UsageError(
                    f"bits: no layer of {graph.name!r} is called {glob!r}{near_miss(glob, names)}"
                )
            if "w" in dict(given) and not set(matching) & set(weighted):
                raise UsageError(f"bits: {glob!r} gives a width of weights to layers without any")

    def setting(self, graph: LayerGraph, node: Node, origin: str, setting: Setting) -> Setting:
        """Return the setting of one layer.

        Parameters
        ----------
        graph : LayerGraph
            States the widths of parameters known from a file.
        node : Node
        origin : str
            Name of the layer it comes from.
        setting : Setting
            That of the network.
        """
        given = self.of(node.name, origin)
        weight = setting.weight_bits
        if "w" not in dict(self.base):
            weight = graph.parameter_bits.get(f"{node.name}.weight", weight)
        weight = given.get("w", weight)
        accumulator = given.get("acc", setting.accumulator_bits)
        widest = max(weight, given.get("a", 0))
        if accumulator < widest:
            if "acc" in given:
                raise UsageError(
                    f"bits: an accumulator of {accumulator} bit is narrower than what {node.name!r} adds up"
                )
            accumulator = widest
        if (weight, accumulator) == (setting.weight_bits, setting.accumulator_bits):
            return setting
        return replace(setting, weight_bits=weight, accumulator_bits=accumulator)

    def tensors(self, graph: LayerGraph, origins: Mapping[str, str], fused: Fused) -> dict[str, Tensor]:
        """Return the tensors whose width differs from what the graph states.

        Parameters
        ----------
        graph : LayerGraph
        origins : mapping of str to str
            Node -> name of the layer it comes from.
        fused : Fused
            Which tensor lies in memory for another one.

        Raises
        ------
        UsageError
            If two layers that read the same tensor want different widths.
        """
        found: dict[str, Tensor] = {}
        if "a" in dict(self.base):
            found = {t.name: replace(t, bits=None) for t in graph.tensors.values() if t.bits is not None}
        said: dict[str, tuple[int, str]] = {}
        for node in graph.nodes:
            width = self.of(node.name, origins.get(node.name, node.name)).get("a")
            if width is None or node.op.category in ("view", "epilogue"):
                continue
            for tensor in computed_inputs(graph, node):
                home = fused.stored[tensor].name
                before, reader = said.setdefault(home, (width, node.name))
                if before != width:
                    raise UsageError(
                        f"bits: {reader!r} and {node.name!r} read the same tensor, "
                        f"but one is to read {before} bit and the other {width}"
                    )
                for name in {home, tensor}:
                    found[name] = replace(graph.tensors[name], bits=width)
        return found


def read_bits(bits: Bits | None) -> Widths:
    """Return widths as given; raise UsageError if they cannot be read."""
    if bits is None:
        return Widths()
    if isinstance(bits, Mapping):
        base = {str(k): str(v) for k, v in bits.items() if not isinstance(v, Mapping)}
        layers = [
            (str(glob), {str(k): str(v) for k, v in given.items()})
            for glob, given in bits.items()
            if isinstance(given, Mapping)
        ]
    else:
        base, layers = {}, []
        items = str(bits).split(";")
        for number, item in enumerate(items):
            glob, colon, text = item.rpartition(":")
            if colon:
                layers.append((glob.strip(), _pairs(text)))
            elif number == 0:
                base = _pairs(item)
            else:
                raise UsageError(f"bits: widths for all layers come first, once: {_ACCEPTED}, not {item!r}")
    globs = [glob for glob, _ in layers]
    if "" in globs or len(set(globs)) != len(globs):
        raise UsageError(f"bits: each of the layers needs a name of its own: {_ACCEPTED}")
    if any(not given for _, given in layers):
        raise UsageError(f"bits: layers without a width: {_ACCEPTED}")
    return Widths(
        tuple(_numbers(base).items()), tuple((glob, tuple(_numbers(given).items())) for glob, given in layers)
    )


def _pairs(text: str) -> dict[str, str]:
    text = text.strip()
    if "=" not in text:
        return {"w": text, "a": text}
    items = [item.partition("=") for item in text.split(",")]
    found = {key.strip(): value.strip() for key, _, value in items}
    if len(found) != len(items):
        raise UsageError(f"bits: a width is given twice in {text!r}")
    return found


def _numbers(given: Mapping[str, str]) -> Given:
    found: Given = {}
    for key, value in given.items():
        if key not in _KEYS:
            raise UsageError(f"bits: unknown key {key!r} ({', '.join(_KEYS)}): {_ACCEPTED}")
        if not (value.isascii() and value.isdigit() and len(value) <= 2 and 1 <= int(value) <= 64):
            raise UsageError(f"bits: {_ACCEPTED}, not {value!r}")
        found[key] = int(value)
    return found


def read_widths(bits: Bits | Widths | None, native: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the widths [bit] of weights, activations and accumulators for the whole network.

    Widths that are not given are the native ones; an accumulator is then widened to its operands,
    but one that is given narrower than them is an error.
    """
    given = dict((bits if isinstance(bits, Widths) else read_bits(bits)).base)
    weight, activation, accumulator = (
        given.get(key, width) for key, width in zip(_KEYS, native, strict=True)
    )
    if accumulator < max(weight, activation):
        if "acc" in given:
            raise UsageError(f"bits: an accumulator of {accumulator} bit is narrower than its operands")
        accumulator = max(weight, activation)
    return weight, activation, accumulator
