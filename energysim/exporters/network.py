"""A network, a scheme and weights -> one ONNX file that says what it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from energysim.errors import UsageError
from energysim.exporters.onnx_file import write_onnx
from energysim.graph import Conv2d, LayerGraph, Linear
from energysim.inference.weights import Weights
from energysim.model_weights import weights_of
from energysim.schemes import Left, Scheme, parse_scheme
from energysim.schemes.bind import bound, wants_weights
from energysim.weight_sets import uncalibrated, weight_sets
from energysim.zoo import load_model

__all__ = ["SCHEME_KEY", "WEIGHTS_KEY", "Exported", "export"]

#: Keys in the metadata of a file: the scheme as text that is parsed back, the weights in words.
SCHEME_KEY, WEIGHTS_KEY = "energysim.scheme", "energysim.weights"
#: Bits of a weight for schemes that ask: they choose storage by it, and a file holds none of that.
_WIDTH = 8


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    model, scheme : str
    weights : str
        Where they come from, in words.
    layers : tuple of str
        Layers with a sparse kernel.
    kept, total : int
        Weights that exist in these layers, and their elements.
    removed : int
        Weights that were given, not zero, and have no place in a kernel: written as zero.
    left : tuple of Left
        Layers that the scheme left as they were.
    """

    model: str
    scheme: str
    weights: str
    layers: tuple[str, ...]
    kept: int
    total: int
    removed: int
    left: tuple[Left, ...]

    def __str__(self) -> str:
        count = f"{len(self.layers)} sparse layer{'' if len(self.layers) == 1 else 's'}"
        share = f" with {self.kept} of {self.total} weights" if self.layers else ""
        lost = f" (of which {self.removed} that were not zero had no place)" if self.removed else ""
        return f"{self.model}, {self.scheme}: {count}{share}; {self.weights}{lost}"


def export(
    model: str | Path | LayerGraph,
    sparsity: str | Scheme,
    path: str | Path,
    *,
    weights: str | Path | None = None,
    seed: int = 0,
    input: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    classes: int | None = None,
    batch: int | None = None,
) -> Exported:
    """Write a network with masked weights to an ONNX file, which appears whole or not at all.

    Equal arguments give equal bytes, on every machine.

    Parameters
    ----------
    model : str, Path or LayerGraph
    sparsity : str or Scheme
        One scheme; it is written to the metadata (``energysim.scheme``).
    path : str or Path
        Must end in ``.onnx``.
    weights : str or Path, optional
        A file, a folder with a file for the scheme, or ``"random"``; by default those that ship with
        the model, else random ones. Of a file with several sets the first is taken. Batch norms of
        random weights have mean 0 and variance 1.
    seed : int
        Of random weights.
    input, classes
        As for :func:`energysim.load_model`.
    batch : int, optional
        Fixed batch size of the file; left open if not given.

    Raises
    ------
    EnergysimError
        For anything that cannot be used or written; the message says where and what would be.
    """
    if Path(path).suffix != ".onnx":
        raise UsageError(f"a network is written as .onnx, not as {Path(path).name!r}")
    scheme = parse_scheme(sparsity)
    if scheme == parse_scheme("auto"):
        raise UsageError(f"{scheme} finds the zeros that weights have and removes none: export as dense")
    graph = load_model(model, input, classes, 1)
    name = None if isinstance(model, LayerGraph) else str(model)
    label = str(scheme)
    if wants_weights(scheme):  # what it makes follows from the weights of the dense network
        label = "dense"
        arrays, _ = weights_of(graph, model, weights)
        scheme = bound(scheme, arrays, lambda layer: _WIDTH)
    rewrite = scheme.apply(graph)
    chosen = weight_sets([] if weights is None else [weights], name, label, seed)[0]
    arrays = uncalibrated(chosen, graph, rewrite)
    sparse = [
        node.name
        for node in rewrite.graph.nodes
        if isinstance(node.op, Conv2d | Linear) and node.op.kernel is not None and not node.op.kernel.is_dense
    ]
    kept, total, removed = _count(rewrite.graph, sparse, arrays)
    metadata = {SCHEME_KEY: str(scheme), WEIGHTS_KEY: chosen.label if not chosen.random else _random(seed)}
    write_onnx(rewrite.graph, arrays, path, batch, metadata)
    return Exported(
        rewrite.graph.name,
        str(scheme),
        metadata[WEIGHTS_KEY],
        tuple(sparse),
        kept,
        total,
        removed,
        rewrite.left,
    )


def _random(seed: int) -> str:
    return f"random weights of seed {seed}, He-scaled, batch norms of mean 0 and variance 1"


def _count(graph: LayerGraph, sparse: Sequence[str], weights: Weights) -> tuple[int, int, int]:
    """Weights that exist in sparse layers, elements of their tensors, and nonzeros outside kernels."""
    kept = total = removed = 0
    for name in sparse:
        node = graph.node(name)
        assert isinstance(node.op, Conv2d | Linear)
        kernel = node.op.layout(graph.input_shapes(node))
        array = weights[f"{name}.weight"]
        kept += kernel.nonzeros
        total += array.size
        removed += int(np.count_nonzero(array[~kernel.mask().reshape(array.shape)]))
    return kept, total, removed
