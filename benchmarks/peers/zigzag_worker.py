"""Runs ZigZag 3.9.1 on layers given on standard input; for the environment that peers.py makes for it.

Each line of standard input is one layer (JSON: name, inputs, weights, outputs, stride, pads); standard
output gets one line of JSON: CPU seconds of the call, energy and, by layer, bits of DRAM traffic.
Layers stand side by side in one ONNX model, without weights: ZigZag reads shapes only.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import time
from pathlib import Path

import onnx
import zigzag
from onnx import TensorProto, helper
from zigzag.api import get_hardware_performance_zigzag

HARDWARE = Path(zigzag.__file__).parent / "inputs" / "hardware" / "eyeriss_like.yaml"
#: No loops are fixed to the array: ZigZag proposes three ways to fill it and takes the best.
MAPPING = "- name: default\n  memory_operand_links: {O: O, W: I2, I: I1}\n"
DRAM_WORD_BITS = 64


def model(layers: list[dict]) -> onnx.ModelProto:
    """All layers, each with an input and an output of its own."""
    nodes, inputs, outputs, weights = [], [], [], []
    for layer in layers:
        name, kernel = layer["name"], layer["weights"][2:]
        inputs.append(helper.make_tensor_value_info(f"{name}.in", TensorProto.FLOAT, layer["inputs"]))
        outputs.append(helper.make_tensor_value_info(f"{name}.out", TensorProto.FLOAT, layer["outputs"]))
        weights.append(TensorProto(name=f"{name}.w", data_type=TensorProto.FLOAT, dims=layer["weights"]))
        edges = ([f"{name}.in", f"{name}.w"], [f"{name}.out"])
        if kernel:
            attributes = {"kernel_shape": kernel, "strides": layer["stride"], "pads": layer["pads"]}
            nodes.append(helper.make_node("Conv", *edges, name=name, **attributes))
        else:
            nodes.append(helper.make_node("Gemm", *edges, name=name))
    return helper.make_model(helper.make_graph(nodes, "layers", inputs, outputs, weights))


def main() -> None:
    """Run and print."""
    layers = [json.loads(line) for line in sys.stdin]
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        mapping = Path(folder) / "mapping.yaml"
        mapping.write_text(MAPPING)
        start = time.process_time()
        energy, _, found = get_hardware_performance_zigzag(
            model(layers),
            str(HARDWARE),
            str(mapping),
            opt="energy",
            lpf_limit=6,
            dump_folder=folder,
            loma_show_progress_bar=False,
        )
        seconds = time.process_time() - start
    bits = {}
    for cost, _ in found[0][1]:
        moves = [levels[-1] for levels in cost.memory_word_access.values()]
        words = sum(value for move in moves for value in move.data.values())
        bits[cost.layer.name] = words * DRAM_WORD_BITS
    status = Path("/proc/self/status").read_text()  # getrusage would give the peak of the parent
    memory = int(status.split("VmHWM:")[1].split()[0])
    print(json.dumps({"seconds": seconds, "energy": energy, "dram_bits": bits, "peak_kib": memory}))


if __name__ == "__main__":
    main()
