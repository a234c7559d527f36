"""Lowering of what moves, cuts, joins and looks up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from energysim.errors import GraphError
from energysim.graph import (
    Concat,
    DepthToSpace,
    Embedding,
    Expand,
    GatherElements,
    Pad,
    Permute,
    Slice,
    SpaceToDepth,
    Split,
    Take,
    Tile,
)
from energysim.graph.shapes import Shape, product, text
from energysim.importers.onnx_folded_shapes import reshaped, slices, split_sizes
from energysim.importers.onnx_pointwise import scalar
from energysim.importers.onnx_sheet import Known, Lower, Site, UnsupportedError, Value
from energysim.importers.onnx_values import Constant

__all__ = ["ARRANGEMENT", "axes_of", "to_shape"]


def to_shape(site: Site, x: Value, shape: Shape, part: str = "view") -> Value:
    """Return a value with another ONNX shape of as many elements, in the form that fits."""
    batch = site.sheet.batch
    if x.batched and shape[:1] == (batch,) and len(shape) > 1 and shape[0] == x.shape[0]:
        return site.valued(site.view(x.tensor, shape[1:], part), shape, True, x.element)
    if batch == 1 and shape[:1] == (1,) and len(shape) > 1:
        return site.valued(site.view(x.tensor, shape[1:], part), shape, True, x.element)
    tensor = site.sample(x)
    return site.valued(site.view(tensor, shape, part), shape, False, x.element)


def axes_of(site: Site, number: int, since: int) -> tuple[int, ...] | None:
    """Return axes, an attribute before an operator set, and an input from then on; None if missing."""
    if "axes" in site.call.attributes:
        return site.call.integers("axes")
    if site.call.opset >= since and site.given(number):
        return site.constant(number, "axes").integers("axes")
    return None


def counted(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """Return axes counted from the front; raise GraphError if there are no such axes, or one twice."""
    if any(not -rank <= a < rank for a in axes) or len({a % rank for a in axes}) != len(axes):
        raise GraphError(f"axes {tuple(axes)} of a tensor of {rank} dimensions")
    return tuple(a % rank for a in axes)


def reshape(site: Site) -> list[Known]:
    """Reshape."""
    x = site.value(0)
    if site.call.opset < 5:
        wanted = site.call.integers("shape")
    else:
        wanted = site.constant(1, "lengths").integers("a shape")
    return [to_shape(site, x, reshaped(x.shape, wanted, bool(site.call.integer("allowzero", 0))), "")]


def flatten(site: Site) -> list[Known]:
    """Flatten to two axes."""
    x = site.value(0)
    rank, axis = len(x.shape), site.call.integer("axis", 1)
    if not -rank <= axis <= rank:
        raise GraphError(f"axis {axis} of a tensor of {rank} dimensions")
    axis = axis + rank if axis < 0 else axis
    return [to_shape(site, x, (product(x.shape[:axis]), product(x.shape[axis:])), "")]


def squeeze(site: Site) -> list[Known]:
    """Squeeze."""
    x = site.value(0)
    given = axes_of(site, 1, 13)
    axes = (
        counted(given, len(x.shape))
        if given is not None
        else tuple(i for i, s in enumerate(x.shape) if s == 1)
    )
    if any(x.shape[a] != 1 for a in axes):
        raise GraphError(f"axes {axes} of {text(x.shape)} are not all of length 1")
    return [to_shape(site, x, tuple(s for i, s in enumerate(x.shape) if i not in axes), "")]


def unsqueeze(site: Site) -> list[Known]:
    """Unsqueeze."""
    x = site.value(0)
    axes = axes_of(site, 1, 13) or ()
    axes = counted(axes, len(x.shape) + len(axes))
    rest = iter(x.shape)
    shape = tuple(1 if i in axes else next(rest) for i in range(len(x.shape) + len(axes)))
    return [to_shape(site, x, shape, "")]


def transpose(site: Site) -> list[Known]:
    """Transpose."""
    x = site.value(0)
    order = site.call.integers("perm", tuple(range(len(x.shape)))[::-1])
    if sorted(order) != list(range(len(x.shape))):
        raise GraphError(f"perm {order} of a tensor of {len(x.shape)} dimensions")
    if x.batched and order[:1] == (0,):
        tensor = x.tensor if order == tuple(range(len(order))) else site.one(Permute(order), x.tensor)
        return [site.result(tensor, True)]
    shape = tuple(x.shape[i] for i in order)
    moved = [i for i in order if x.shape[i] != 1]
    if moved == sorted(moved):  # only axes of length 1 change places
        return [to_shape(site, x, shape, "")]
    made = site.one(Permute((0, *(i + 1 for i in order))), site.sample(x))
    return [site.result(made, False)]


def _on_axis(site: Site, x: Value, axis: int) -> tuple[str, int, bool]:
    """Return tensor and axis in the layer graph, and whether it is batched; axis 0 is none of a batch."""
    if x.batched and axis != 0:
        return x.tensor, axis, True
    return site.sample(x), axis + 1, False


def concat(site: Site) -> list[Known]:
    """Concat."""
    operands = [v for v in site.inputs if v is not None]
    if not operands:
        raise GraphError("concatenation takes at least one input")
    rank = len(operands[0].shape)
    axis = site.call.axis("axis", rank, 1)
    element = next(v.element for v in operands if isinstance(v, Value))
    full = [v for v in operands if 0 not in v.shape]
    if any(len(v.shape) != rank for v in full):
        raise GraphError(f"concatenation of {' and '.join(text(v.shape) for v in full)}")
    batched = axis != 0 and all(_can_batch(site, v) for v in full)
    tensors = [_operand(site, v, batched) for v in full]
    like = next((t for t, v in zip(tensors, full, strict=True) if isinstance(v, Value)), tensors[0])
    tensors = [
        site.repeated(t, like) if isinstance(v, Constant) else t for t, v in zip(tensors, full, strict=True)
    ]
    made = tensors[0] if len(tensors) == 1 else site.one(Concat(axis if batched else axis + 1), *tensors)
    return [site.result(made, batched, element)]


def _can_batch(site: Site, known: Known) -> bool:
    """Whether axis 0 of a value is the batch, or can be seen as such."""
    if isinstance(known, Value) and known.batched:
        return True
    return known.shape[:1] == (1,) and (site.sheet.batch == 1 or isinstance(known, Constant))


def _operand(site: Site, known: Known, batched: bool) -> str:
    if isinstance(known, Constant):
        return site.constant_node(known, known.shape[1:] if batched else known.shape)
    return site.batched(known) if batched else site.sample(known)


def split(site: Site) -> list[Known]:
    """Split."""
    x = site.value(0)
    axis = site.call.axis("axis", len(x.shape), 0)
    given: tuple[int, ...] | None = site.call.integers("split", ()) or None
    constant = site.maybe(1, "lengths")
    if constant is not None:
        given = constant.integers("lengths")
    sizes = tuple(s for s in split_sizes(site.call, x.shape[axis], given))
    tensor, own, batched = _on_axis(site, x, axis)
    if len(sizes) == 1:
        return [site.result(tensor, batched)]
    if 0 in sizes:
        raise UnsupportedError("one of its parts is empty")
    return [site.result(t, batched) for t in site.emit(Split(sizes, own), tensor)]


def cut(site: Site) -> list[Known]:
    """Slice."""
    x, call = site.value(0), site.call
    rank = len(x.shape)
    steps: tuple[int, ...] | None = None
    if call.opset < 10:
        starts, stops = call.integers("starts"), call.integers("ends")
        axes: tuple[int, ...] | None = call.integers("axes", tuple(range(len(starts))))
    else:
        starts = site.constant(1, "starts").integers("starts")
        stops = site.constant(2, "ends").integers("ends")
        axes = site.constant(3, "axes").integers("axes") if site.given(3) else None
        steps = site.constant(4, "steps").integers("steps") if site.given(4) else None
    axes = counted(tuple(range(len(starts))) if axes is None else axes, rank)
    ranges = slices(x.shape, starts, stops, axes, steps or (1,) * len(starts))
    kept = [range(*ranges[a].indices(x.shape[a])) for a in range(rank)]
    changed = [a for a in range(rank) if kept[a] != range(x.shape[a])]
    if any(not k for k in kept):
        raise UnsupportedError("nothing is left of its input")
    if not changed:
        return [site.known(0)]
    batched = x.batched and 0 not in changed
    tensor = x.tensor if batched else site.sample(x)
    op = Slice(
        tuple(kept[a].start for a in changed),
        tuple(_stop(kept[a]) for a in changed),
        tuple(kept[a].step for a in changed),
        tuple(changed if batched else [a + 1 for a in changed]),
    )
    return [site.result(site.one(op, tensor), batched)]


def _stop(kept: range) -> int:
    """Where a slice ends; backwards to the first element it ends before every index there is."""
    return kept.stop if kept.stop >= 0 else -(1 << 31)


def gather(site: Site) -> list[Known]:
    """Gather: rows of a table by computed indices are an embedding, constant indices a cut."""
    data, indices = site.known(0), site.known(1)
    axis = site.call.axis("axis", len(data.shape), 0)
    if isinstance(indices, Constant):
        return [_taken(site, site.value(0), axis, indices)]
    if isinstance(data, Constant) and axis == 0 and len(data.shape) > 1:
        return [_embedded(site, data, indices)]
    raise UnsupportedError("its indices are computed and its data are no constant table")


def _taken(site: Site, x: Value, axis: int, indices: Constant) -> Value:
    if not indices.small:
        raise UnsupportedError(f"it has {indices.elements} indices")
    found = tuple(int(v) for v in indices.values().reshape(-1))
    if any(not -x.shape[axis] <= i < x.shape[axis] for i in found):
        raise GraphError(f"indices outside axis {axis} of {text(x.shape)}")
    found = tuple(i % x.shape[axis] for i in found)
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    tensor, own, batched = _on_axis(site, x, axis)
    if found != tuple(range(x.shape[axis])):
        if found == tuple(range(found[0], found[0] + len(found))):
            op: Slice | Take = Slice((found[0],), (found[-1] + 1,), (1,), (own,))
        else:
            op = Take(own, found)
        tensor = site.one(op, tensor)
    return to_shape(site, site.result(tensor, batched, x.element), shape)


def _embedded(site: Site, table: Constant, indices: Value) -> Value:
    size = product(table.shape[1:])
    made = site.one(Embedding(table.shape[0], size), indices.tensor)
    site.parameter(made, "weight", table.derived((table.shape[0], size), lambda a: a.reshape(-1, size)))
    if len(table.shape) == 2:
        return site.valued(made, (*indices.shape, size), indices.batched, table.element)
    found = site.valued(made, (*indices.shape, size), indices.batched, table.element)
    return to_shape(site, found, (*indices.shape, *table.shape[1:]))


def gather_elements(site: Site) -> list[Known]:
    """GatherElements."""
    data, indices = site.known(0), site.known(1)
    axis = site.call.axis("axis", len(data.shape), 0)
    values = [site.computed(data), site.computed(indices)]
    if axis != 0 and all(v.batched for v in values):
        tensors, own, batched = [v.tensor for v in values], axis, True
    else:
        tensors, own, batched = [site.sample(v) for v in values], axis + 1, False
    return [site.result(site.one(GatherElements(own), *tensors), batched, data.element)]


def pad(site: Site) -> list[Known]:
    """Pad; negative lengths crop."""
    x, call = site.value(0), site.call
    rank = len(x.shape)
    mode = call.string("mode", "constant")
    if mode not in ("constant", "reflect", "edge", "wrap"):
        raise GraphError(f"a mode is constant, reflect, edge or wrap, not {mode!r}")
    if call.opset < 11:
        pads, value = call.integers("pads"), call.real("value", 0.0)
    else:
        pads = site.constant(1, "lengths").integers("pads")
        constant = site.maybe(2, "values")
        value = 0.0 if constant is None or mode != "constant" else scalar(constant)
    axes = counted(site.constant(3, "axes").integers("axes"), rank) if site.given(3) else tuple(range(rank))
    if len(pads) != 2 * len(axes):
        raise GraphError(f"{len(pads)} lengths for {len(axes)} axes")
    before, after = [0] * rank, [0] * rank
    for number, axis in enumerate(axes):
        before[axis], after[axis] = pads[number], pads[number + len(axes)]
    if not any(before) and not any(after):
        return [site.known(0)]
    batched = x.batched and not before[0] and not after[0]
    tensor = x.tensor if batched else site.sample(x)
    first = [] if batched else [0]
    op = Pad((*first, *before), (*first, *after), mode, float(value))  # type: ignore[arg-type]
    return [site.result(site.one(op, tensor), batched)]


def tile(site: Site) -> list[Known]:
    """Tile."""
    x = site.value(0)
    repeats = site.constant(1, "repeats").integers("repeats")
    if len(repeats) != len(x.shape):
        raise GraphError(f"{len(repeats)} repeats for {text(x.shape)}")
    if all(r == 1 for r in repeats):
        return [site.known(0)]
    if x.batched and repeats[0] == 1:
        return [site.result(site.one(Tile(repeats), x.tensor), True)]
    return [site.result(site.one(Tile((1, *repeats)), site.sample(x)), False)]


def expand(site: Site) -> list[Known]:
    """Expand: axes of length 1 are repeated."""
    x = site.value(0)
    wanted = site.constant(1, "lengths").integers("a shape")
    rank = max(len(wanted), len(x.shape))
    old = (1,) * (rank - len(x.shape)) + x.shape
    new = (1,) * (rank - len(wanted)) + wanted
    if min(new, default=1) < 1:
        raise UnsupportedError(f"it expands to {text(new)}")
    if any(a != b and 1 not in (a, b) for a, b in zip(old, new, strict=True)):
        raise GraphError(f"{text(x.shape)} cannot be expanded to {text(wanted)}")
    goal = tuple(max(a, b) for a, b in zip(old, new, strict=True))
    x = to_shape(site, x, old)
    if goal == old:
        return [x]
    if x.batched and goal[0] == old[0]:
        return [site.result(site.one(Expand(goal[1:]), x.tensor), True)]
    return [site.result(site.one(Expand(goal), site.sample(x)), False)]


def depth_to_space(site: Site) -> list[Known]:
    """DepthToSpace."""
    mode = site.call.string("mode", "DCR")
    if mode not in ("DCR", "CRD"):
        raise GraphError(f"a mode is DCR or CRD, not {mode!r}")
    order: Literal["DCR", "CRD"] = "DCR" if mode == "DCR" else "CRD"
    op = DepthToSpace(site.call.integer("blocksize"), order)
    return [site.result(site.one(op, site.batched(site.value(0))), True)]


def space_to_depth(site: Site) -> list[Known]:
    """SpaceToDepth."""
    x, block = site.value(0), site.call.integer("blocksize")
    tensor = site.batched(x)
    if site.call.string("mode", "DCR") == "DCR":
        return [site.result(site.one(SpaceToDepth(block), tensor), True)]
    _, channels, rows, cols = site.shape(tensor)
    if block < 1 or rows % block or cols % block:
        raise GraphError(f"blocks of {block} do not divide {text(x.shape)}")
    table = site.view(tensor, (channels, rows // block, block, cols // block, block))
    moved = site.permuted(table, (0, 1, 3, 5, 2, 4))
    return [site.result(site.view(moved, (channels * block * block, rows // block, cols // block)), True)]


ARRANGEMENT: dict[tuple[str, int], Lower] = {
    ("Concat", 1): concat,
    ("DepthToSpace", 1): depth_to_space,
    ("Expand", 8): expand,
    ("Flatten", 1): flatten,
    ("Gather", 1): gather,
    ("GatherElements", 11): gather_elements,
    ("Pad", 2): pad,
    ("Reshape", 1): reshape,
    ("Slice", 1): cut,
    ("SpaceToDepth", 1): space_to_depth,
    ("Split", 1): split,
    ("Squeeze", 1): squeeze,
    ("Tile", 6): tile,
    ("Transpose", 1): transpose,
    ("Unsqueeze", 1): unsqueeze,
}
