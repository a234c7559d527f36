"""ONNX -> layer graph, with the file's own weights beside it, read when they are asked for.

The steps: read the bones of the file, bind open lengths, open functions, fold what follows from the file
alone, lower each operator, recognise a few patterns, build the graph. Shapes are those of our operators;
where the file states shapes of its tensors they must agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from energysim.errors import EnergysimError, GraphError, ModelError, UnknownOperatorError, WeightsError
from energysim.graph import BatchNorm, Elementwise, LayerGraph
from energysim.graph.shapes import Shape, text
from energysim.importers.onnx_calls import Call
from energysim.importers.onnx_file import OnnxFile
from energysim.importers.onnx_inputs import InputShapes, bind, read_inputs, stated_shape
from energysim.importers.onnx_patterns import simplify
from energysim.importers.onnx_sheet import BatchMixedError, Sheet, Site, UnsupportedError, Value
from energysim.importers.onnx_values import Array, Constant
from energysim.importers.onnx_walk import Scope, Walk

__all__ = ["FileWeights", "Imported", "import_onnx", "import_weights"]

#: The oldest set of standard operators that is known here.
OLDEST_OPSET = 7
_STANDARD = ("", "ai.onnx")
#: What puts an output that is a constant into the graph.
_NO_CALL = Call("", "", 0, "", (), (), {})


class FileWeights(Mapping[str, Array]):
    """Weights of an imported network by name; each is read from its file when it is asked for.

    Arrays are float32, as the engine runs them, whatever type the file has.
    """

    def __init__(self, parameters: Mapping[str, Constant], label: str) -> None:
        self._parameters, self._label = parameters, label

    def __getitem__(self, name: str) -> Array:
        constant = self._parameters[name]
        try:
            array = np.require(constant.load(), np.float32, "C")
        except EnergysimError:
            raise
        except (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError) as error:
            detail = " ".join(str(error).split())
            raise WeightsError(f"{self._label}: {name!r} cannot be computed: {detail}") from None
        except MemoryError:
            raise WeightsError(
                f"{self._label}: {name!r} ({constant.text}) needs more memory than there is"
            ) from None
        if array.shape != constant.shape:
            raise WeightsError(f"{self._label}: {name!r} has shape {text(array.shape)}, not {constant.text}")
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def shape(self, name: str) -> Shape:
        """Return the shape of a weight without reading it."""
        return self._parameters[name].shape


@dataclass(frozen=True, eq=False)
class Imported:
    """An imported network.

    Attributes
    ----------
    graph : LayerGraph
    weights : FileWeights
        Its own weights, not read yet.
    outputs : dict of str to (str, shape)
        Name of an output in the file -> tensor of the graph, and its shape in ONNX: where the graph
        holds the batch apart, its tensor has an axis of length 1 more in front.
    inputs : dict of str to shape
        Shapes of the inputs in ONNX.
    """

    graph: LayerGraph
    weights: FileWeights = field(repr=False)
    outputs: dict[str, tuple[str, Shape]]
    inputs: dict[str, Shape]


def import_onnx(
    source: str | Path | bytes,
    input: InputShapes | None = None,
    allow_unknown: bool = False,
) -> Imported:
    """Import an ONNX model.

    Parameters
    ----------
    source : str, Path or bytes
        A file, or what it holds. Weights of a file, external ones too, stay there.
    input : sequence of int, or mapping of str to sequence of int, optional
        Shape of one sample, for a network with one input; or whole shapes, batch first, by name. A
        first length that the file leaves open, the batch, is 1 if nothing is given.
    allow_unknown : bool
        Whether operators nobody knows become nodes of unknown cost, if the file states their shapes.

    Raises
    ------
    UsageError
        If the package onnx is missing, or ``input`` does not fit the model.
    ModelError
        If the file cannot be used; says where and why.
    UnknownOperatorError
        For an operator, or a form of one, whose cost is not known; names node, operator and file.
    GraphError, ShapeError
        If the network is not well formed.
    """
    file = OnnxFile(source)
    try:
        return _imported(file, input, allow_unknown)
    except RecursionError:
        raise ModelError(f"{file.label}: it is nested too deeply") from None
    except MemoryError:
        raise ModelError(f"{file.label}: it needs more memory than there is") from None


def import_weights(path: str | Path, graph: LayerGraph) -> FileWeights:
    """Return the weights of a model in a file, for a graph that was imported from it (for any batch).

    Raises
    ------
    EnergysimError
        As :func:`import_onnx`.
    """
    file = OnnxFile(path)
    shapes: dict[str, Shape] = {}
    for each in read_inputs(file, {t.name for t in file.proto.graph.initializer}):
        if each.name in graph.inputs and each.lengths:
            sizes = graph.tensor(each.name).shape
            if len(sizes) > len(each.lengths):  # all of it belongs to one sample
                shapes[each.name] = sizes[1:]
            else:
                first = each.lengths[0]
                shapes[each.name] = (first if isinstance(first, int) else 1, *sizes[1:])
    return import_onnx(path, shapes).weights


def _imported(file: OnnxFile, given: InputShapes | None, allow_unknown: bool) -> Imported:
    opsets = _opsets(file)
    graph = file.proto.graph
    constants = _initialisers(file)
    inputs = read_inputs(file, set(constants))
    if not inputs:
        raise ModelError(f"{file.label}: it has no input: all that it returns follows from the file alone")
    shapes = bind(file, inputs, given)
    stated = _stated(file)
    fixed = all(isinstance(length, int) for each in inputs for length in each.lengths)
    batches = {shape[0] for shape in shapes.values() if len(shape) > 1}
    together = len(batches) == 1 and all(len(shape) > 1 for shape in shapes.values())
    elements = {each.name: each.element for each in inputs}

    def attempt(batched: bool) -> Imported:
        sheet = Sheet(batches.copy().pop() if batched else 1)
        scope: Scope = dict(constants)
        for name, shape in shapes.items():
            own = shape if batched else (1, *(shape or (1,)))
            sheet.input(name, own, elements[name])
            scope[name] = Value(name, shape, elements[name], batched)
        wanted = [o.name for o in graph.output]
        walk = Walk(file, sheet, stated, fixed, allow_unknown)
        walk.run(graph.node, wanted, scope, opsets, {})
        return _built(file, sheet, shapes, wanted, scope)

    if not together:
        return attempt(False)
    try:
        return attempt(True)
    except BatchMixedError as error:
        if batches == {1}:
            raise
        try:
            return attempt(False)
        except BatchMixedError:
            raise error from None


def _opsets(file: OnnxFile) -> dict[str, int]:
    found = {("" if o.domain in _STANDARD else o.domain): o.version for o in file.proto.opset_import}
    version = found.get("", 0)
    if not found:
        raise ModelError(f"{file.label}: it names no set of operators")
    if "" in found and not OLDEST_OPSET <= version <= file.newest_opset:
        raise ModelError(
            f"{file.label}: it uses operator set {version}; known are {OLDEST_OPSET} to {file.newest_opset} "
            f"(onnx {file.package.__version__})"
        )
    return found


def _initialisers(file: OnnxFile) -> dict[str, Constant]:
    found: dict[str, Constant] = {}
    for tensor in file.proto.graph.initializer:
        if not tensor.name or tensor.name in found:
            raise ModelError(f"{file.label}: two initialisers are called {tensor.name!r}, or one has no name")
        found[tensor.name] = file.constant(tensor)
    if file.proto.graph.sparse_initializer:
        raise ModelError(f"{file.label}: it has sparse initialisers, which are not known here")
    return found


def _stated(file: OnnxFile) -> dict[str, tuple[Shape, int]]:
    """What the file says of its tensors, as far as all lengths are numbers."""
    found: dict[str, tuple[Shape, int]] = {}
    for info in (*file.proto.graph.value_info, *file.proto.graph.output):
        known = stated_shape(info)
        if known is not None:
            found[info.name] = known
    return found


def _built(
    file: OnnxFile, sheet: Sheet, shapes: Mapping[str, Shape], wanted: list[str], scope: Scope
) -> Imported:
    outputs: dict[str, tuple[str, Shape]] = {}
    if not wanted:
        raise ModelError(f"{file.label}: its graph has no output")
    for name in wanted:
        if name not in scope:
            raise ModelError(f"{file.label}: nobody makes its output {name!r}")
        known = scope[name]
        if known is None or isinstance(known, str):
            node = next(n for n in file.proto.graph.node if name in n.output)
            raise UnknownOperatorError(
                f"{file.label}: node {node.name or name!r} ({node.op_type}): nothing is known of the cost of "
                f"this form of {node.op_type}: its output {name!r} is not computed here"
            )
        site = Site(_NO_CALL, (known,), sheet, name)
        try:
            value = site.computed(known)
        except UnsupportedError as error:
            raise ModelError(f"{file.label}: its output {name!r}: {error}") from None
        tensor = value.tensor
        if tensor in shapes:  # an input as it is
            tensor = site.one(Elementwise("identity"), tensor)
        outputs[name] = (tensor, value.shape)
    if not (sheet.nodes and file.proto.graph.node):
        raise GraphError(f"{file.label}: its graph is empty: it needs at least one layer")
    returned = tuple(dict.fromkeys(tensor for tensor, _ in outputs.values()))
    nodes, renamed = simplify(sheet, returned)
    outputs = {name: (renamed.get(t, t), shape) for name, (t, shape) in outputs.items()}
    returned = tuple(dict.fromkeys(tensor for tensor, _ in outputs.values()))
    label = Path(file.label).stem if file.folder is not None else file.proto.graph.name or "model"
    given = {name: sheet.shapes[name] for name in shapes}
    try:
        graph = LayerGraph(label, given, nodes, returned)
    except GraphError as error:
        raise type(error)(f"{file.label}: {error}") from None
    names = {f"{n.name}.{suffix}" for n in graph for suffix in _suffixes(graph, n)}
    parameters = {name: c for name, c in sheet.parameters.items() if name in names}
    graph = _with_widths(graph, sheet, parameters)
    return Imported(graph, FileWeights(parameters, file.label), outputs, dict(shapes))


def _suffixes(graph: LayerGraph, node: Any) -> list[str]:
    found = list(node.op.parameters(graph.input_shapes(node)))
    return [*found, "running_mean", "running_var"] if isinstance(node.op, BatchNorm) else found


def _with_widths(graph: LayerGraph, sheet: Sheet, parameters: Mapping[str, Constant]) -> LayerGraph:
    tensors = {name: bits for name, bits in sheet.widths.items() if name in graph.tensors}
    weights = {name: c.width for name, c in parameters.items() if c.width is not None}
    return graph.with_widths(tensors=tensors, parameters=weights)
