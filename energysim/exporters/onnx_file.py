"""Layer graph and weights -> ONNX, enough for the zoo and for an independent run of any network.

Nodes, tensors and parameters keep their names (``conv1``, ``conv1.weight``); sparse convolutions are
written as dense ones with zeros where their kernel keeps no weight. Equal networks give equal bytes.

Needs the package onnx (extra ``onnx``), imported only when something is written.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from energysim.errors import ExportError, UsageError, WeightsError
from energysim.exporters import onnx_functions as functions
from energysim.exporters import onnx_layers as layers
from energysim.exporters import onnx_maps as maps
from energysim.exporters import onnx_pieces as pieces
from energysim.exporters.onnx_comb import comb_conv2d
from energysim.exporters.onnx_sheet import Array, Sheet, Site
from energysim.graph import (
    Activation,
    AdaptivePool2d,
    Add,
    ArgReduce,
    BatchNorm,
    BinaryElementwise,
    BlockFloat,
    Cast,
    ChannelShuffle,
    CircularSolve,
    CombConv2d,
    Concat,
    Constant,
    Conv2d,
    ConvTranspose2d,
    CumulativeSum,
    DeformConv2d,
    DepthToSpace,
    Dequantize,
    Dropout,
    Elementwise,
    Embedding,
    Expand,
    ExpandBatch,
    Flatten,
    GatherElements,
    GroupNorm,
    InstanceNorm,
    KWinners,
    LayerGraph,
    LayerNorm,
    LearnedAdd,
    LearnedToken,
    Linear,
    LocalResponseNorm,
    LogSoftmax,
    MapWinners,
    MatMul,
    Multiply,
    Node,
    Operator,
    Pad,
    Permute,
    Pool2d,
    Quantize,
    Reduce,
    Reshape,
    Resize,
    Slice,
    Softmax,
    SpaceToDepth,
    SpatialShift,
    Split,
    Take,
    TapShift,
    Tile,
    TopK,
    Upsample,
    Where,
)
from energysim.graph.shapes import Shape, text

__all__ = ["WRITERS", "to_onnx", "to_sheet", "write_onnx"]

#: Operator type -> function (sheet, operator, site). New operators are added here.
WRITERS: dict[type[Operator], Callable[[Sheet, Any, Site], None]] = {
    Activation: layers.activation,
    AdaptivePool2d: maps.adaptive_pool2d,
    Add: layers.add,
    ArgReduce: pieces.arg_reduce,
    BatchNorm: layers.batch_norm,
    BinaryElementwise: functions.binary_elementwise,
    Cast: pieces.cast,
    ChannelShuffle: maps.channel_shuffle,
    BlockFloat: pieces.block_float,
    CircularSolve: pieces.circular_solve,
    CombConv2d: comb_conv2d,
    Concat: maps.concat,
    Constant: pieces.constant,
    Conv2d: layers.conv2d,
    ConvTranspose2d: layers.conv_transpose2d,
    CumulativeSum: pieces.cumulative_sum,
    DeformConv2d: pieces.deform_conv2d,
    DepthToSpace: pieces.depth_to_space,
    Dequantize: pieces.dequantize,
    Dropout: maps.dropout,
    Elementwise: functions.elementwise,
    Embedding: pieces.embedding,
    Expand: pieces.expand,
    ExpandBatch: pieces.expand_batch,
    Flatten: maps.reshape,
    GatherElements: pieces.gather_elements,
    GroupNorm: layers.group_norm,
    InstanceNorm: layers.instance_norm,
    KWinners: pieces.k_winners,
    LayerNorm: layers.layer_norm,
    LearnedAdd: layers.learned_add,
    LearnedToken: maps.learned_token,
    Linear: layers.linear,
    LocalResponseNorm: layers.local_response_norm,
    LogSoftmax: layers.log_softmax,
    MapWinners: pieces.k_winners,
    MatMul: layers.matmul,
    Multiply: layers.multiply,
    Pad: pieces.pad,
    Permute: maps.permute,
    Pool2d: maps.pool2d,
    Quantize: pieces.quantize,
    Reduce: pieces.reduce,
    Reshape: maps.reshape,
    Resize: pieces.resize,
    Slice: pieces.slice_,
    Softmax: layers.softmax,
    SpaceToDepth: pieces.space_to_depth,
    SpatialShift: maps.spatial_shift,
    Split: maps.split,
    TapShift: maps.tap_shift,
    Take: pieces.take,
    Tile: pieces.tile,
    TopK: pieces.top_k,
    Upsample: maps.upsample,
    Where: functions.where,
}

#: Operators of ONNX 1.17 (2024): the first set whose pooling in ceiling mode leaves out windows that
#: start behind the input, as ours does (GroupNormalization per channel is of set 21).
OPSET, IR = 22, 10
#: Weights in one file: a protobuf message ends at 2 GiB, the rest is for everything else.
_MOST_BYTES = 2_000_000_000


def to_onnx(
    graph: LayerGraph,
    weights: Mapping[str, Array],
    batch: int | None = None,
    metadata: Mapping[str, str] = MappingProxyType({}),
) -> Any:
    """Return a network as an ``onnx.ModelProto``.

    Parameters
    ----------
    graph : LayerGraph
    weights : mapping of str to float32 array
        Every parameter, and the statistics ``running_mean`` and ``running_var`` of batch norms.
    batch : int, optional
        Fixed batch size; open (dimension ``N``) if not given.
    metadata : mapping of str to str
        Written to ``metadata_props``, sorted by key.

    Raises
    ------
    UsageError
        If the package onnx is not installed, or the batch is no positive whole number.
    WeightsError
        If an array is missing or does not fit.
    ExportError
        If a node has no ONNX form (names it), or the weights are too large for a file (2 GB).
    """
    if batch is not None and (type(batch) is not int or batch < 1):
        raise UsageError(f"the batch must be a whole number of at least 1, not {batch!r}")
    onnx = _package()
    sheet = to_sheet(graph, weights)
    size = sum(array.nbytes for array in sheet.arrays.values())
    if size > _MOST_BYTES:
        raise ExportError(f"{graph.name!r} has weights of {size} bytes, an ONNX file holds {_MOST_BYTES}")
    model = _model(onnx, graph, sheet, batch)
    for key in sorted(metadata):
        model.metadata_props.add(key=key, value=metadata[key])
    return model


def to_sheet(graph: LayerGraph, weights: Mapping[str, Array]) -> Sheet:
    """Return what a file will hold, without the package onnx; raises WeightsError and ExportError."""
    sheet = Sheet(graph.inputs)
    for node in graph.nodes:
        _write(sheet, graph, node, weights)
    for tensor in graph.outputs:
        if sheet.tensor(tensor) != tensor:  # an output behind a dropout keeps its name
            sheet.call("Identity", tensor, [tensor])
    return sheet


def write_onnx(
    graph: LayerGraph,
    weights: Mapping[str, Array],
    path: str | Path,
    batch: int | None = None,
    metadata: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write a network to an ONNX file, which appears whole or not at all.

    Parameters
    ----------
    graph, weights, batch, metadata
        As for :func:`to_onnx`.
    path : str or Path
        Must end in ``.onnx``.

    Raises
    ------
    UsageError, WeightsError, ExportError
        As for :func:`to_onnx`; also if the name ends otherwise or the file cannot be written.
    """
    file = Path(path)
    if file.suffix != ".onnx":
        raise UsageError(f"a network is written as .onnx, not as {file.name!r}")
    data: bytes = to_onnx(graph, weights, batch, metadata).SerializeToString(deterministic=True)
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as stream:
            temporary = stream.name
            stream.write(data)
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)  # as if it had been opened by name
        Path(temporary).replace(file)
        temporary = ""
    except OSError as error:
        raise ExportError(f"{file} cannot be written: {error.strerror or error}") from None
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def _package() -> Any:
    try:
        return import_module("onnx")
    except ImportError:
        raise UsageError("writing ONNX needs the package onnx: pip install 'energysim[onnx]'") from None


def _write(sheet: Sheet, graph: LayerGraph, node: Node, weights: Mapping[str, Array]) -> None:
    writer = WRITERS.get(type(node.op))
    if writer is None:
        raise ExportError(f"node {node.name!r}: nobody has said how to write {node.op.kind} as ONNX")
    shapes = graph.input_shapes(node)
    wanted: dict[str, Shape] = dict(node.op.parameters(shapes))
    if isinstance(node.op, BatchNorm):
        wanted |= dict.fromkeys(("running_mean", "running_var"), (shapes[0][1],))
    found = {suffix: _parameter(f"{node.name}.{suffix}", shape, weights) for suffix, shape in wanted.items()}
    if isinstance(node.op, Conv2d | Linear) and node.op.kernel is not None and not node.op.kernel.is_dense:
        mask = node.op.kernel.mask().reshape(found["weight"].shape)
        found["weight"] = np.where(mask, found["weight"], np.float32(0))
    writer(sheet, node.op, Site(node, shapes, graph.output_shapes(node), found))


def _parameter(name: str, shape: Shape, weights: Mapping[str, Array]) -> Array:
    array = weights.get(name)
    if array is None:
        raise WeightsError(f"{name!r} ({text(shape)}) is missing")
    if not isinstance(array, np.ndarray) or array.dtype != np.float32 or array.shape != shape:
        raise WeightsError(f"{name!r} must be a float32 array of {text(shape)}")
    return array


def _model(onnx: Any, graph: LayerGraph, sheet: Sheet, batch: int | None) -> Any:
    from energysim import __version__

    helper, real = onnx.helper, onnx.TensorProto.FLOAT

    def info(tensor: str) -> Any:
        shape = ("N" if batch is None else batch, *graph.tensor(tensor).shape[1:])
        return helper.make_tensor_value_info(tensor, real, shape)

    # What a tensor of the layer graph looks like is said, so that readers need not infer it.
    known = [
        info(tensor)
        for call in sheet.calls
        for tensor in call.outputs
        if tensor in graph.tensors and tensor not in graph.outputs
    ]
    body = helper.make_graph(
        [
            helper.make_node(c.operator, c.inputs, c.outputs, c.name, **dict(c.attributes))
            for c in sheet.calls
        ],
        graph.name,
        [info(tensor) for tensor in graph.inputs],
        [info(tensor) for tensor in graph.outputs],
        [onnx.numpy_helper.from_array(array, name) for name, array in sheet.arrays.items()],
        value_info=known,
    )
    return helper.make_model(
        body,
        producer_name="energysim",
        producer_version=__version__,
        ir_version=IR,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
