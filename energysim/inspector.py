"""The inspector: weights, with the network they belong to if there is one -> Inspection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from energysim.errors import UsageError, WeightsError, near_miss
from energysim.graph import LayerGraph, Linear
from energysim.inference import weight_groups
from energysim.inference.weight_arrays import WEIGHT_SUFFIXES, weight_arrays
from energysim.inspection import Layer, inspect_layer
from energysim.model_weights import WeightsSource, weights_of
from energysim.report import FORMATS
from energysim.schemes import weighted_nodes
from energysim.schemes.names import scheme_of
from energysim.zoo import load_model

__all__ = ["Inspection", "inspect_weights", "network_layers"]

#: Axes of the arrays of a file that are weights of a layer; fewer are biases and statistics.
_AXES = (2, 3, 4, 5)


@dataclass(frozen=True)
class Inspection:
    """What was found in the weights of a network, or of a file.

    Attributes
    ----------
    model : str
        Name of the network, or of the file.
    weights : str
        Which weights, in words.
    width : int
        Bits of a stored value [bit].
    layers : tuple of Layer
        In network order.
    """

    model: str
    weights: str
    width: int
    layers: tuple[Layer, ...]

    def layer(self, name: str) -> Layer:
        """Return a layer; raise UsageError for an unknown one."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise UsageError(f"no layer {name!r} was inspected{near_miss(name, (x.name for x in self.layers))}")

    def render(self, form: str = "table") -> str:
        """Return the result as text: table, csv, json or markdown."""
        if form not in FORMATS:
            raise UsageError(f"unknown format {form!r}{near_miss(form, FORMATS)} ({', '.join(FORMATS)})")
        from energysim.report.inspected import render

        return render(self.model, self.weights, self.width, self.layers, form)

    def __str__(self) -> str:
        return self.render()


def inspect_weights(
    model: str | Path | LayerGraph,
    weights: WeightsSource | None = None,
    *,
    group: str | None = None,
    width: int = 8,
    input: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    classes: int | None = None,
) -> Inspection:
    """Find the structure that is really in the weights of a network.

    Parameters
    ----------
    model : str, Path or LayerGraph
        A network that :func:`energysim.load_model` takes, or a weight file (``.npz``, ``.safetensors``)
        alone: then every array of 2 to 5 axes is a layer without groups, filters on axis 0.
    weights : str, Path or mapping, optional
        A weight file of the network, or arrays by name. By default those that come with it.
    group : str, optional
        Which set of a file of several; the first by default.
    width : int
        Bits of a stored value, for the storage formats [bit].
    input, classes
        See :func:`energysim.load_model`.

    Raises
    ------
    EnergysimError
        Weights that are missing, broken, not finite, or not of this network.
    """
    if type(width) is not int or not 1 <= width <= 64:
        raise UsageError(f"a stored value has 1 to 64 bits, not {width!r}")
    if not isinstance(model, LayerGraph) and str(model).lower().endswith(WEIGHT_SUFFIXES):
        if weights is not None or input is not None or classes is not None:
            raise UsageError(
                f"{model} holds weights and no network: nothing can be given beside it "
                f"(a network with these weights is energysim inspect MODEL --weights {model})"
            )
        return _of_file(Path(model), group, width)
    graph = load_model(model, input, classes)
    if not weighted_nodes(graph):
        raise UsageError(f"{graph.name!r} has no layer that multiplies with weights: nothing to inspect")
    arrays, label = weights_of(graph, model, weights, group)
    return Inspection(graph.name, label, width, tuple(network_layers(graph, arrays, width)))


def network_layers(graph: LayerGraph, weights: Mapping[str, NDArray[Any]], width: int) -> Iterator[Layer]:
    """Yield what is found in each layer of a network that multiplies with weights.

    Raises
    ------
    WeightsError
        Weights that are missing, of a wrong shape, or not finite; names the layer.
    """
    for node in weighted_nodes(graph):
        name = f"{node.name}.weight"
        if name not in weights:
            raise WeightsError(f"layer {node.name!r}: there is no array {name!r}{near_miss(name, weights)}")
        array = weights[name]
        shape = node.op.parameters(graph.input_shapes(node))["weight"]
        if array.shape != shape:
            raise WeightsError(f"layer {node.name!r}: weights of shape {array.shape}, it needs {shape}")
        groups = 1 if isinstance(node.op, Linear) else int(getattr(node.op, "groups", 1))
        yield _named(inspect_layer(node.name, array, kind=node.op.kind, groups=groups, width=width))


def _of_file(path: Path, group: str | None, width: int) -> Inspection:
    sets = weight_groups(path)
    if group is not None and group not in sets:
        known = ", ".join(sets) or "a single set without a name"
        raise UsageError(f"{path}: there is no set {group!r}{near_miss(group, sets)} (there is {known})")
    chosen = group or (sets[0] if sets else "")
    label = f"file {path.name!r}"
    if chosen:
        more = f", the first of {len(sets)} sets" if group is None and len(sets) > 1 else ""
        label += f", {chosen}{more}"
    layers = tuple(
        _named(inspect_layer(name.removesuffix(".weight"), array, width=width))
        for name, array in weight_arrays(path, chosen)
        if array.ndim in _AXES and array.size
    )
    if not layers:
        raise WeightsError(f"{path}: no array has 2 to 5 axes: there are no weights of layers in it")
    return Inspection(path.name, label, width, layers)


def _named(layer: Layer) -> Layer:
    """The layer with the name of the scheme that its periodic table is."""
    if layer.periodic is None:
        return layer
    kernel = layer.periodic.kernel(layer.support.shape)
    return layer if kernel is None else replace(layer, scheme=scheme_of(kernel, layer.periodic.repeated))
