"""From node to node: names to values, constants folded, functions opened, the rest lowered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import Any, Literal

import numpy as np

from energysim.errors import (
    EnergysimError,
    GraphError,
    ModelError,
    ShapeError,
    UnknownOperatorError,
    near_miss,
)
from energysim.graph.shapes import Shape, product, text
from energysim.importers.onnx_arithmetic import FOLDS
from energysim.importers.onnx_calls import Call
from energysim.importers.onnx_file import OnnxFile
from energysim.importers.onnx_fold import MISFITS, fold
from energysim.importers.onnx_registry import find, state
from energysim.importers.onnx_sheet import Known, Sheet, Site, UnsupportedError, Value
from energysim.importers.onnx_unknown import Unknown, UnknownList, unknown_form, unknown_operator
from energysim.importers.onnx_values import ELEMENTS, Constant

__all__ = ["Walk", "layer_name"]

#: Nodes of a model with its functions written out: larger ones are no networks.
_MOST_CALLS = 200_000
#: Functions in functions, branches in branches.
_DEEPEST = 32
_STANDARD = ("", "ai.onnx")
#: Where a layer may be called like its weights: operators with a constant second input.
_WEIGHTED = ("BatchNormalization", "Conv", "ConvTranspose", "DeformConv", "Gemm", "MatMul")

#: The value of a function's input that a call leaves out.
ABSENT: Literal["absent"] = "absent"
#: The value of a name that an operator of unknown cost makes.
LOST: Literal["lost"] = "lost"
#: Names and their values; None is an output that its operator does not compute here.
Scope = dict[str, Known | Literal["absent", "lost"] | None]


class _LostError(Exception):
    """A node reads what an operator of unknown cost makes: nothing more can be said of it."""


class Walk:
    """One walk through a model.

    Parameters
    ----------
    file : OnnxFile
    sheet : Sheet
        Where nodes are added.
    shapes : mapping of str to (shape, number of the type)
        What the file says of its tensors; used for unknown operators.
    fixed : bool
        Whether that must be so: the file leaves no length of its inputs open.
    allow_unknown : bool
        Whether unknown operators with a known output shape become nodes of unknown cost.
    """

    def __init__(
        self,
        file: OnnxFile,
        sheet: Sheet,
        shapes: Mapping[str, tuple[Shape, int]],
        fixed: bool,
        allow_unknown: bool,
    ) -> None:
        self.file, self.sheet, self.shapes, self.allow_unknown = file, sheet, shapes, allow_unknown
        self.fixed = fixed
        self._functions = {(f.domain, f.name, f.overload): f for f in file.proto.functions}
        self._calls = 0
        self._reported = UnknownList(file.label)

    def run(
        self,
        nodes: Sequence[Any],
        wanted: Sequence[str],
        scope: Scope,
        opsets: Mapping[str, int],
        attributes: Mapping[str, Any],
        prefix: str = "",
        depth: int = 0,
    ) -> None:
        """Lower the nodes that lead to the wanted names; their values are put into the scope.

        The walk goes on behind an operator of unknown cost, so that the error names all of them.
        """
        if depth > _DEEPEST:
            raise ModelError(
                f"{self.file.label}: functions are nested deeper than {_DEEPEST}, or call themselves"
            )
        try:
            for node in self._order(nodes, wanted, scope):
                self._step(node, scope, opsets, attributes, prefix, depth)
        except EnergysimError:
            if depth or not self._reported.entries:
                raise
        if self._reported.entries and not depth:
            raise UnknownOperatorError(self._reported.text()) from None

    def _step(
        self,
        node: Any,
        scope: Scope,
        opsets: Mapping[str, int],
        attributes: Mapping[str, Any],
        prefix: str,
        depth: int,
    ) -> None:
        """Lower one node; one of unknown cost is noted, and what it makes is lost."""
        self._calls += 1
        if self._calls > _MOST_CALLS:
            raise ModelError(f"{self.file.label}: more than {_MOST_CALLS} nodes, functions written out")
        domain = "" if node.domain in _STANDARD else node.domain
        where = self._where(node, prefix)
        found: Sequence[Known | None] = ()
        lost = True
        try:
            call = Call(
                domain,
                node.op_type,
                opsets.get(domain, 0),
                f"{prefix}{node.name or next(iter(node.output), '')}" if prefix or node.name else "",
                tuple(node.input),
                tuple(node.output),
                self.file.attributes(node, attributes),
            )
            found = self._call(node, call, scope, opsets, prefix, depth)
            lost = False
        except _LostError:
            if self._never_known(node, call):
                self._reported.add(where, call.kind, unknown_operator(call.kind))
        except UnsupportedError as error:
            self._reported.add(where, f"{call.kind}: {error}", f"{unknown_form(call.kind)}: {error}")
        except UnknownOperatorError as error:
            self._reported.add(where, call.kind, str(error))
        except (ModelError, GraphError) as error:
            if str(error).startswith(self.file.label):
                raise
            raise type(error)(f"{where}: {error}") from None
        except MISFITS as error:
            detail = " ".join(str(error).split())
            raise ModelError(
                f"{where}: its inputs and attributes do not fit ({type(error).__name__}: {detail})"
            ) from error
        self._check(where, call, found, depth)
        scope.update(zip(call.outputs, found, strict=False))
        for name in call.outputs[len(found) :]:
            scope[name] = LOST if lost else None

    def _never_known(self, node: Any, call: Call) -> bool:
        """Whether an operator is unknown whatever its inputs are."""
        if (node.domain, node.op_type, node.overload) in self._functions or call.operator in FOLDS:
            return False
        known = call.domain == "" and (call.operator == "If" or self.file.has_body(call))
        return not known and state(call.domain, call.operator, call.opset) == "unknown"

    def _order(self, nodes: Sequence[Any], wanted: Sequence[str], scope: Scope) -> Iterable[Any]:
        """The nodes that the wanted names need, in topological order, ties as in the file."""
        producer: dict[str, int] = {}
        for number, node in enumerate(nodes):
            for name in node.output:
                if name and (name in producer or name in scope):
                    raise ModelError(f"{self.file.label}: two producers of {name!r}")
                if name:
                    producer[name] = number
        needed: dict[int, set[int]] = {}
        waiting = [producer[name] for name in wanted if name in producer]
        while waiting:
            number = waiting.pop()
            if number in needed:
                continue
            needed[number] = {producer[name] for name in _reads(nodes[number]) if name in producer}
            waiting += needed[number]
        sorter = TopologicalSorter(needed)
        try:
            sorter.prepare()
        except CycleError as error:
            names = " -> ".join(repr(nodes[i].name or next(iter(nodes[i].output), "")) for i in error.args[1])
            raise GraphError(f"{self.file.label}: the graph has a cycle: {names}") from None
        ready: list[int] = []
        while sorter.is_active():
            for number in sorter.get_ready():
                heappush(ready, number)
            number = heappop(ready)
            yield nodes[number]
            sorter.done(number)

    def _where(self, node: Any, prefix: str) -> str:
        domain = "" if node.domain in _STANDARD else f"{node.domain}::"
        name = node.name or next((o for o in node.output if o), "")
        return f"{self.file.label}: node {prefix + name!r} ({domain}{node.op_type})"

    def _call(
        self, node: Any, call: Call, scope: Scope, opsets: Mapping[str, int], prefix: str, depth: int
    ) -> Sequence[Known | None]:
        inputs = [self._input(name, scope) for name in call.inputs]
        while inputs and inputs[-1] is None:
            inputs.pop()
        function = self._functions.get((node.domain, node.op_type, node.overload))
        if function is not None:
            return self._open(function, call, inputs, prefix, depth)
        if call.domain not in opsets:
            raise ModelError(f"the file names no operator set of domain {call.domain or 'ai.onnx'!r}")
        found = self._folded(call, inputs)
        if found is not None:
            return found
        if call.domain == "" and call.operator == "If":
            return self._branch(call, inputs, scope, opsets, prefix, depth)
        if state(call.domain, call.operator, call.opset) == "unknown":
            body = self._standard_body(node, call, inputs)
            if body is not None:
                return self._open(body, call, inputs, prefix, depth)
            return self._unknown(call, inputs)
        lower = find(call.domain, call.operator, call.opset)
        return lower(Site(call, inputs, self.sheet, layer_name(call, inputs)))

    def _input(self, name: str, scope: Scope) -> Known | None:
        if not name:
            return None
        if name not in scope:
            raise ModelError(f"its input {name!r} is nobody's output{near_miss(name, scope)}")
        found = scope[name]
        if found == LOST:
            raise _LostError
        if isinstance(found, str):
            return None
        if found is None:
            raise UnsupportedError(f"it reads {name!r}, an output that is not computed here")
        return found

    def _folded(self, call: Call, inputs: Sequence[Known | None]) -> Sequence[Known | None] | None:
        """What follows from the file alone: constants, shapes, and arithmetic on them."""
        if call.domain:
            return None
        if call.operator == "Constant":
            return [_literal(call)]
        if call.operator in ("Shape", "Size") and inputs and inputs[0] is not None:
            return [_shape(call, inputs[0].shape)]
        if any(isinstance(v, Value) for v in inputs) or call.operator == "Dropout":
            return None
        return fold(call, [v for v in inputs if not isinstance(v, Value)])

    def _open(
        self, function: Any, call: Call, inputs: Sequence[Known | None], prefix: str, depth: int
    ) -> Sequence[Known | None]:
        """Lower the body of a function in its place."""
        if len(inputs) > len(function.input):
            raise ModelError(f"it has {len(inputs)} inputs, the function takes {len(function.input)}")
        given = dict(zip(function.input, inputs, strict=False))
        inner: Scope = {name: given.get(name) or ABSENT for name in function.input}
        attributes = self.file.attributes_of_function(function)
        attributes.update(call.attributes)
        opsets = {("" if o.domain in _STANDARD else o.domain): o.version for o in function.opset_import}
        name = call.name or next((o for o in call.outputs if o), "")
        pairs = list(zip(call.outputs, function.output, strict=False))
        wanted = [output for asked, output in pairs if asked]
        self.run(function.node, wanted, inner, opsets, attributes, f"{name}/", depth + 1)
        for output in wanted:
            if output not in inner:
                raise ModelError(f"nobody makes the output {output!r} of the function")
        return [self._input(output, inner) if asked else None for asked, output in pairs]

    def _standard_body(self, node: Any, call: Call, inputs: Sequence[Known | None]) -> Any | None:
        """The body that the standard gives an operator in terms of others, if there is one."""
        if call.domain:
            return None
        try:
            return self.file.standard_body(
                node, call, [None if v is None else (v.shape, v.element) for v in inputs]
            )
        except EnergysimError:
            raise
        except Exception:  # the package knows no such operator, or cannot write this one out
            return None

    def _branch(
        self,
        call: Call,
        inputs: Sequence[Known | None],
        scope: Scope,
        opsets: Mapping[str, int],
        prefix: str,
        depth: int,
    ) -> Sequence[Known | None]:
        """If: the branch that is taken, where that follows from the file."""
        condition = inputs[0] if inputs else None
        if not isinstance(condition, Constant) or condition.elements != 1:
            raise UnsupportedError("its condition is computed from the network's inputs")
        name = "then_branch" if bool(condition.values().reshape(-1)[0]) else "else_branch"
        graph = call.attributes.get(name)
        if graph is None or not hasattr(graph, "node"):
            raise ModelError(f"attribute {name!r} is missing")
        inner: Scope = dict(scope)
        for tensor in graph.initializer:
            inner[tensor.name] = self.file.constant(tensor)
        wanted = [o.name for o in graph.output]
        self.run(graph.node, wanted, inner, opsets, {}, f"{prefix}{call.name or name}/", depth + 1)
        return [self._input(w, inner) for w in wanted]

    def _unknown(self, call: Call, inputs: Sequence[Known | None]) -> Sequence[Known | None]:
        if not self.allow_unknown:
            raise UnknownOperatorError(unknown_operator(call.kind))
        shapes = []
        for name in call.outputs:
            if name and name not in self.shapes:
                message = f"nothing is known of the cost of operator {call.kind!r}"
                raise UnknownOperatorError(f"{message}, nor of the shape of its output {name!r}")
            shapes.append(self.shapes.get(name, ((1, 1), 1)))
        site = Site(call, inputs, self.sheet, layer_name(call, inputs))
        values = [v for v in inputs if isinstance(v, Value)]
        batched = all(v.batched for v in values) and all(
            len(s) > 1 and s[0] == self.sheet.batch for s, _ in shapes
        )
        tensors = [v.tensor if batched else site.sample(v) for v in values]
        own = tuple(s[1:] if batched else s for s, _ in shapes)
        made = site.emit(Unknown(call.kind, own), *tensors)
        return [
            site.valued(t, shape, batched, ELEMENTS.get(number, ELEMENTS[1]))
            for t, (shape, number) in zip(made, shapes, strict=True)
        ]

    def _check(self, where: str, call: Call, found: Sequence[Known | None], depth: int) -> None:
        """Compare shapes with what the file says."""
        if depth or not self.fixed:
            return
        for name, known in zip(call.outputs, found, strict=False):
            said = self.shapes.get(name)
            if known is not None and said is not None and said[0] != known.shape:
                raise ShapeError(
                    f"{where}: its output {name!r} is {text(known.shape) or 'one number'} here, "
                    f"the file says {text(said[0]) or 'one number'}"
                )


def _reads(node: Any) -> list[str]:
    """Names that a node reads, those inside its branches included."""
    found = [name for name in node.input if name]
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                found += _reads(inner)
            found += [o.name for o in graph.output]
    return found


def _literal(call: Call) -> Constant:
    """The value of a Constant node."""
    for name, dtype in (
        *(("value_float", np.float32), ("value_floats", np.float32)),
        *(("value_int", np.int64), ("value_ints", np.int64)),
    ):
        if name in call.attributes:
            return Constant.of(np.array(call.attributes[name], dtype=dtype))
    return call.constant("value")


def _shape(call: Call, shape: Shape) -> Constant:
    if call.operator == "Size":
        return Constant.of(np.array(product(shape), dtype=np.int64))
    start, end = call.integer("start", 0), call.integer("end", len(shape))
    return Constant.of(np.array(shape[start:end], dtype=np.int64))


def layer_name(call: Call, inputs: Sequence[Known | None]) -> str:
    """Return what a layer is called: like its weights, else like its node, else like its output.

    Newer exporters rename nodes but keep the names of weights; ``conv1.weight`` makes the layer
    ``conv1``. Names that exporters make up for weights (``onnx::Conv_12``, ``12``) are not used.
    """
    for constant in inputs:
        if isinstance(constant, Constant):
            name = constant.name.removesuffix("_quantized")
            if name.endswith(".weight") and len(name) > len(".weight"):
                return name.removesuffix(".weight")
    if call.operator in _WEIGHTED and len(inputs) > 1 and isinstance(inputs[1], Constant):
        name = inputs[1].name.removesuffix("_quantized")
        if name and not name.isdigit() and "::" not in name:
            return name
    return call.name or next((o for o in call.outputs if o), "") or call.operator
