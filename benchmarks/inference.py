"""CPU time of the fast plan against onnxruntime's dense network, layer types and sparsity side by side.

    python benchmarks/inference.py [--rounds 7] [--only vgg16] [--threads 1] [--memory]

One thread, batch 1. Candidates take turns inside one process, and a ratio is the median over rounds
of onnxruntime's CPU time divided by ours in the same round, so that load on the machine hits both.
``features`` is the network without its classifier on both sides, ``whole`` the network. Needs the
packages onnx and onnxruntime; numba for the compiled columns.

The bars are those the project set itself; ``own direct`` compares with a dense network run by the
same kernels, ``own best`` with the fastest dense plan.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402

from energysim.graph import Conv2d, LayerGraph, Node  # noqa: E402
from energysim.inference import random_weights  # noqa: E402
from energysim.inference.fast import FastPlan, make_plan  # noqa: E402
from energysim.inference.fast.choose import numba_present  # noqa: E402
from energysim.kernels import PeriodicKernel  # noqa: E402
from energysim.schemes import parse_scheme  # noqa: E402
from energysim.zoo import load_model  # noqa: E402

Weights = dict[str, np.ndarray]


def features(graph: LayerGraph) -> LayerGraph:
    """Return a network up to the last tensor before its classifier (flatten and linear layers)."""
    ends = ("Flatten", "Linear", "Dropout")
    first = next(n for n in graph.nodes if n.op.kind == "Flatten")
    kept = [n for n in graph.nodes if n.name != first.name and n.op.kind not in ends]
    names = {t for n in kept for t in n.outputs} | set(graph.inputs)
    kept = [n for n in kept if all(t in names for t in n.inputs)]
    behind = {"classifier.relu6", "classifier.relu7"}
    kept = [n for n in kept if n.name not in behind]
    return LayerGraph(graph.name, {t: graph.tensors[t].shape for t in graph.inputs}, kept)


def cyclic(graph: LayerGraph, kss: int, period: int = 8) -> LayerGraph:
    """Return a network whose 3 x 3 layers keep taps p .. p + kss - 1 (mod 9) in slot p of a period."""
    slots = tuple(tuple(sorted((p + i) % 9 for i in range(kss))) for p in range(period))
    changed: dict[str, Any] = {}
    convolutions = [n for n in graph.nodes if isinstance(n.op, Conv2d)]
    for node in convolutions[1:]:
        shape = node.op.layout(graph.input_shapes(node)).shape
        if node.op.window == (3, 3):
            changed[node.name] = replace(node.op, kernel=PeriodicKernel(shape, slots))
    return graph.with_operators(changed)


def onnx_model(graph: LayerGraph, weights: Weights) -> bytes:
    """Return a network as an ONNX file (opset 17), batch norms folded into convolutions."""
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    tensors: list[Any] = []
    rename: dict[str, str] = {}

    def name_of(tensor: str) -> str:
        return rename.get(tensor, tensor)

    def constant(name: str, values: np.ndarray) -> str:
        tensors.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype=np.float32), name))
        return name

    def attributes(op: Any) -> dict[str, Any]:
        top, bottom, left, right = op.padding
        return {
            "kernel_shape": list(op.window),
            "strides": list(op.stride),
            "pads": [top, left, bottom, right],
            "dilations": list(op.dilation),
        }

    def convolution(node: Node) -> None:
        op: Any = node.op
        weight, output = weights[f"{node.name}.weight"], node.outputs[0]
        kernel = op.layout(graph.input_shapes(node))
        weight = weight * kernel.mask()
        bias = weights[f"{node.name}.bias"] if op.bias else np.zeros(op.out_channels)
        users = graph.consumers(output)
        if len(users) == 1 and users[0].op.kind == "BatchNorm":
            norm = users[0].name
            scale = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + 1e-5)
            weight = weight * scale[:, None, None, None]
            bias = (bias - weights[f"{norm}.running_mean"]) * scale + weights[f"{norm}.bias"]
            output = users[0].outputs[0]
        inputs = [
            name_of(node.inputs[0]),
            constant(f"{node.name}.w", weight),
            constant(f"{node.name}.b", bias),
        ]
        nodes.append(helper.make_node("Conv", inputs, [output], group=op.groups, **attributes(op)))

    for node in graph.nodes:
        op: Any = node.op
        inputs, outputs = [name_of(t) for t in node.inputs], list(node.outputs)
        if isinstance(op, Conv2d):
            convolution(node)
        elif op.kind == "BatchNorm":
            continue
        elif op.kind == "Activation":
            nodes.append(helper.make_node({"relu": "Relu"}[op.function], inputs, outputs))
        elif op.kind == "Add":
            nodes.append(helper.make_node("Add", inputs, outputs))
        elif op.kind == "Pool2d":
            kind = "MaxPool" if op.mode == "max" else "AveragePool"
            more = {k: v for k, v in attributes(op).items() if op.mode == "max" or k != "dilations"}
            nodes.append(helper.make_node(kind, inputs, outputs, **more))
        elif op.kind == "AdaptivePool2d" and op.output == (1, 1):
            nodes.append(helper.make_node("GlobalAveragePool", inputs, outputs))
        elif op.kind in ("AdaptivePool2d", "Dropout"):
            rename[outputs[0]] = inputs[0]
        elif op.kind == "Flatten":
            nodes.append(helper.make_node("Flatten", inputs, outputs, axis=1))
        elif op.kind == "Linear":
            operands = [*inputs, constant(f"{node.name}.w", weights[f"{node.name}.weight"])]
            operands.append(constant(f"{node.name}.b", weights[f"{node.name}.bias"]))
            nodes.append(helper.make_node("Gemm", operands, outputs, transB=1))
        else:
            raise SystemExit(f"the benchmark cannot write {op.kind} as ONNX")
    (source,), (target,) = graph.inputs, graph.outputs
    described = [
        helper.make_tensor_value_info(name_of(t), TensorProto.FLOAT, list(graph.tensors[t].shape))
        for t in (source, target)
    ]
    made = helper.make_graph(nodes, graph.name, described[:1], described[1:], tensors)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def onnx_runner(graph: LayerGraph, weights: Weights, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return onnxruntime's run of a network."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0" if threads > 1 else "1")
    session = ort.InferenceSession(onnx_model(graph, weights), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: np.asarray(session.run(None, {name: images})[0])


@dataclass
class Candidate:
    """Something to time, and what it is compared with."""

    name: str
    run: Callable[[], Any]
    bar: float | None = None


def measure(candidates: list[Candidate], rounds: int, wall: bool = False) -> dict[str, list[float]]:
    """Return the seconds of every candidate in every round, taken in turn."""
    clock = time.perf_counter if wall else time.process_time
    found: dict[str, list[float]] = {c.name: [] for c in candidates}
    for candidate in candidates:
        candidate.run()
    for _ in range(rounds):
        for candidate in candidates:
            start = clock()
            candidate.run()
            found[candidate.name].append(clock() - start)
    return found


def ratio(times: dict[str, list[float]], base: str, name: str) -> float:
    """Return the median over rounds of time(base) / time(name)."""
    return statistics.median(a / b for a, b in zip(times[base], times[name], strict=True))


def settings() -> list[tuple[str, dict[str, Any]]]:
    """Return the kinds of plans: NumPy alone, and numba where it is installed."""
    found: list[tuple[str, dict[str, Any]]] = [("numpy", {"compiled": False})]
    return [*found, ("numba", {"compiled": True})] if numba_present() else found


#: (network, input) -> bars: {(variant, kind): ratio to onnxruntime}.
BARS: dict[str, dict[tuple[str, str], float]] = {
    "vgg16": {
        **{("dense", kind): 1.4 for kind in ("numpy", "numba")},
        **{(f"kss{k}", "numpy"): bar for k, bar in ((1, 3.3), (2, 2.1), (4, 1.25))},
        **{(f"kss{k}", "numba"): bar for k, bar in ((1, 4.7), (2, 2.8), (4, 1.5))},
    },
    "resnet18": {("dense", kind): 0.85 for kind in ("numpy", "numba")},
    "resnet18-cifar10": {(f"kss{k}", "numba"): bar for k, bar in ((1, 4.0), (2, 2.3), (4, 1.3))},
    "vgg16-cifar10": {},
}
PSD = {"PSD1_P8": "psconv:PSD1_P8", "PSD2_P8": "psconv:PSD2_P8", "PSD4_P8": "psconv:PSD4_P8"}


def network(model: str, part: str, rounds: int, choose: Any, threads: int, only_dense: bool) -> None:
    """Print the ratios of one network."""
    full = load_model(model)
    graph = features(full) if part == "features" else full
    images = np.random.default_rng(0).standard_normal(full.tensors["input"].shape).astype(np.float32)
    weights = random_weights(graph, 0)
    session = onnx_runner(graph, weights, threads)
    expected = session(images)
    candidates = [Candidate("onnxruntime", lambda: session(images))]
    plans: dict[str, FastPlan] = {}

    def add(variant: str, kind: str, other: LayerGraph, values: Weights, **options: Any) -> None:
        plan = make_plan(other, values, threads=threads, choose=choose, **options)
        outputs = plan.run(images)
        if other is graph:
            error = np.abs(outputs - expected).max() / expected.std()
            assert error < 1e-3, (variant, kind, error)
        plans[f"{variant} {kind}"] = plan
        bar = BARS[model].get((variant, kind)) if part == "features" else None
        candidates.append(Candidate(f"{variant} {kind}", lambda: plan.run(images), bar))

    for kind, options in settings():
        add("dense", kind, graph, weights, **options)
        add("dense-direct", kind, graph, weights, winograd=False, **options)
    variants = {f"kss{k}": cyclic(graph, k) for k in (1, 2, 4)}
    variants |= {name: parse_scheme(text).apply(graph).graph for name, text in PSD.items()}
    for variant, other in () if only_dense else variants.items():
        values = random_weights(other, 0)
        for kind, options in settings():
            add(variant, kind, other, values, winograd=False, **options)
    times = measure(candidates, rounds, wall=threads > 1)
    base = statistics.median(times["onnxruntime"])
    print(f"\n{model} {part}: onnxruntime {1000 * base:.1f} ms")
    print(
        f"{'':22}{'ms':>8}{'vs ORT':>8}{'bar':>6}{'own direct':>12}{'own best':>10}"
        f"{'arena MB':>10}{'packed MB':>11}"
    )
    for candidate in candidates[1:]:
        kind = candidate.name.rpartition(" ")[2]
        plan = plans[candidate.name]
        figures = [
            ratio(times, b, candidate.name) for b in ("onnxruntime", f"dense-direct {kind}", f"dense {kind}")
        ]
        bar = "" if candidate.bar is None else f"{candidate.bar:.2f}"
        print(
            f"{candidate.name:22}{1000 * statistics.median(times[candidate.name]):8.1f}"
            f"{figures[0]:8.2f}{bar:>6}{figures[1]:12.2f}{figures[2]:10.2f}{plan.arena_bytes / 1e6:10.1f}"
            f"{sum(c.packed_bytes for c in plan.chosen) / 1e6:11.1f}"
        )


def layers(rounds: int) -> None:
    """Print how near compact layers come to 9/KSS of the same kernel's dense layer (compiled)."""
    if not numba_present():
        return
    from energysim.graph import GraphBuilder

    print("\nshare of the ideal 9/KSS, compiled, against the same kernel with 9 taps (bars 75 / 88 / 95 %)")
    for channels, size in ((64, 56), (128, 28), (256, 14), (512, 7)):
        b = GraphBuilder("layer", (channels, size, size))
        x = b.conv(b.input, channels, 3, padding=1, name="first")
        graph = b.build(b.relu(b.conv(x, channels, 3, padding=1, name="conv")))
        path = "compiled-f" if size < 8 else "compiled-px"
        images = np.random.default_rng(0).standard_normal((1, channels, size, size)).astype(np.float32)
        candidates = []
        for kss in (9, 1, 2, 4):
            other = graph if kss == 9 else cyclic(graph, kss)
            plan = make_plan(other, random_weights(other, 0), choose={"conv": path}, winograd=False)
            plan.run(images)
            step = next(s for s in plan.program.steps if s.stage.node.name == "conv")
            repeats = max(1, int(2e8 * 9 / kss / (channels**2 * size**2 * 9)))
            candidates.append(Candidate(str(kss), lambda s=step, n=repeats, p=plan: p.program.repeat(s, n)))
            candidates[-1].bar = repeats
        times = measure(candidates, 3 * rounds)
        each = {c.name: statistics.median(times[c.name]) / c.bar for c in candidates}
        best = {c.name: min(times[c.name]) / c.bar for c in candidates}
        shares = [each["9"] / each[str(k)] / (9 / k) for k in (1, 2, 4)]
        minima = [best["9"] / best[str(k)] / (9 / k) for k in (1, 2, 4)]
        print(
            f"{channels:4} @{size:<3} {path:12} "
            + " / ".join(f"{100 * s:.0f}" for s in shares)
            + " %   minima "
            + " / ".join(f"{100 * s:.0f}" for s in minima)
            + " %"
        )


_MEMORY = """
import resource, sys
import numpy as np
from energysim.inference import random_weights
from energysim.inference.fast import make_plan
from energysim.zoo import load_model
np.matmul(np.ones((64, 64), np.float32), np.ones((64, 64), np.float32))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
graph = load_model("vgg16")
weights = random_weights(graph, 0)
plan = make_plan(graph, weights, direct=True, compiled=False)
plan.run(np.zeros((1, 3, 224, 224), np.float32))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
sizes = sorted((t.elements * 4 for t in graph.tensors.values()), reverse=True)
bound = sum(a.nbytes for a in weights.values()) + 1.5 * sum(sizes[:2])
print(f"direct plan of VGG16-224: peak {(after - before) * 1024 / 1e6:.1f} MB, bound {bound / 1e6:.1f} MB, "
      f"stated {plan.memory_bytes / 1e6:.1f} MB")
"""


def memory() -> None:
    """Print the peak memory of the direct plan, from a process of its own."""
    subprocess.run([sys.executable, "-c", _MEMORY], check=True)


def describe() -> None:
    """Print versions and CPU."""
    names = ["numpy", "numba", "onnxruntime", "threadpoolctl"]
    found = []
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"no {name}")
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        fields = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
        cpu = {k.strip(): v.strip() for k, v in fields.items()}.get("model name", cpu)
    print(f"Python {platform.python_version()}, {', '.join(found)}; {cpu}, {os.cpu_count()} cores")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="*", choices=sorted(BARS), default=list(BARS))
    parser.add_argument("--part", choices=("features", "whole", "both"), default="both")
    parser.add_argument("--choose", choices=("auto", "time"), default="auto")
    parser.add_argument("--threads", type=int, default=1, help="above 1, wall time is compared")
    parser.add_argument("--memory", action="store_true", help="only the memory of the direct plan")
    parser.add_argument("--layers", action="store_true", help="only the share of the ideal")
    parser.add_argument("--dense", action="store_true", help="only the dense plans")
    given = parser.parse_args()
    describe()
    if given.memory:
        memory()
        return
    if not given.layers:
        for model in given.only:
            for part in ("features", "whole") if given.part == "both" else (given.part,):
                network(model, part, given.rounds, given.choose, given.threads, given.dense)
    layers(given.rounds)


if __name__ == "__main__":
    main()
