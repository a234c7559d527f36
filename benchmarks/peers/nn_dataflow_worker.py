"""Runs nn_dataflow 2.1 on a network; for the environment that peers.py makes for it.

Argument: vgg16 (its own vgg_net) or resnet18 (written here in its own terms, with pooling and sums).
Standard output gets one line of JSON: CPU seconds of the search, cost and, by layer, words of DRAM
traffic, of the layers that multiply only.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from nn_dataflow import nns
from nn_dataflow.core import ConvLayer, EltwiseLayer, InputLayer, Network, PoolingLayer
from nn_dataflow.core import FCLayer as Linear
from nn_dataflow.tools import nn_dataflow_search as search

#: One node of 12 x 14 PEs, 512 B of registers per PE, 108 KiB of buffer, 16 bit, its default costs.
ARGUMENTS = "--batch 1 --nodes 1 1 --array 12 14 --regf 512 --gbuf 110592 --word 16 --processes 1"


def resnet18() -> Network:
    """He, Zhang, Ren, Sun, 2015, as torchvision has it, 224 pixels."""
    net = Network("resnet18")
    net.set_input_layer(InputLayer(3, 224))
    net.add("conv1", ConvLayer(3, 64, 112, 7, 2))
    net.add("pool1", PoolingLayer(64, 56, 3, 2))
    last, channels = "pool1", 64
    for stage, (filters, size) in enumerate([(64, 56), (128, 28), (256, 14), (512, 7)], 1):
        for block in range(2):
            name, stride = f"layer{stage}_{block}", 2 if channels != filters else 1
            net.add(f"{name}_a", ConvLayer(channels, filters, size, 3, stride), prevs=(last,))
            net.add(f"{name}_b", ConvLayer(filters, filters, size, 3))
            if stride == 2:
                net.add(f"{name}_down", ConvLayer(channels, filters, size, 1, 2), prevs=(last,))
                last = f"{name}_down"
            net.add(f"{name}_sum", EltwiseLayer(filters, size, 2), prevs=(last, f"{name}_b"))
            last, channels = f"{name}_sum", filters
    net.add("pool2", PoolingLayer(512, 1, 7))
    net.add("fc", Linear(512, 1000))
    return net


def main() -> None:
    """Run and print."""
    name = sys.argv[1]
    search.import_network = lambda _: resnet18() if name == "resnet18" else nns.import_network("vgg_net")
    arguments = search.argparser().parse_args(["-", *ARGUMENTS.split()])
    start = time.process_time()
    result = search.do_scheduling(arguments)
    seconds = time.process_time() - start
    network = search.import_network("-")
    costs, words = 0.0, {}
    for layer, found in result["schedules"].items():
        if isinstance(network[layer], ConvLayer):  # linear layers are such, too
            costs += found.scheme["cost"]
            words[layer] = round(sum(found.scheme["access"][0]))
    status = Path("/proc/self/status").read_text()  # getrusage would give the peak of the parent
    memory = int(status.split("VmHWM:")[1].split()[0])
    print(
        json.dumps(
            {
                "seconds": seconds,
                "energy": costs,
                "dram_bits": {layer: 16 * count for layer, count in words.items()},
                "peak_kib": memory,
            }
        )
    )


if __name__ == "__main__":
    main()
