"""The weights of a model, wherever they are: arrays, a file, those that come with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from energysim.errors import UsageError, near_miss
from energysim.graph import LayerGraph

if TYPE_CHECKING:
    from energysim.weight_sets import WeightSet

__all__ = ["WeightsSource", "weights_of"]

#: A weight file, or arrays by name (``conv1.weight``).
WeightsSource = str | Path | Mapping[str, NDArray[Any]]


def weights_of(
    graph: LayerGraph,
    model: str | Path | LayerGraph,
    weights: WeightsSource | None = None,
    group: str | None = None,
) -> tuple[Mapping[str, NDArray[Any]], str]:
    """Return the weights of a graph by name, and what they are in words.

    Raises
    ------
    UsageError
        If none are given and none come with the model, or the group is not in the file.
    WeightsError
        If they cannot be read, or are not of this network.
    """
    from energysim.weight_sets import RANDOM, shipped_folder, weight_sets  # brings the engine along

    if isinstance(weights, Mapping):
        return weights, "given as arrays"
    name = None if isinstance(model, LayerGraph) else str(model)
    if weights is None and name is not None and name.endswith(".onnx"):
        from energysim.importers import import_weights

        return import_weights(name, graph), f"file {Path(name).name!r}"
    if weights is None and (name is None or shipped_folder(name) is None):
        raise UsageError(
            f"{graph.name!r} comes without weights: give --weights FILE (.npz or safetensors; "
            f"--weights {RANDOM} takes random ones)"
        )
    sets = weight_sets(() if weights is None else (weights,), name, "dense")
    chosen, label = _one_of(sets, group)
    return chosen.read(graph), label


def _one_of(sets: Sequence[WeightSet], group: str | None) -> tuple[WeightSet, str]:
    names = [each.group for each in sets]
    if group is None:
        first = sets[0]
        return first, first.label + (f", the first of {len(sets)} sets" if len(sets) > 1 else "")
    if group not in names:
        known = ", ".join(filter(None, names)) or "a single set without a name"
        raise UsageError(f"there is no set {group!r} of weights{near_miss(group, names)} (there is {known})")
    found = sets[names.index(group)]
    return found, found.label
