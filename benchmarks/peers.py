"""Peers beside this project, in one run: CPU time of the search, and DRAM traffic of what it finds.

    python benchmarks/peers.py [--models vgg16,resnet18] [--peers nn_dataflow,zigzag] [--folder DIR]

Makes an environment per peer in the folder (kept for the next time), with exact versions, and runs each
network in the peer and here on the same hardware: the files in ``peers/`` say the peer's hardware in the
terms of this project. Needs a package registry the first time; no part of the tests. ZigZag takes one to
four minutes for a network. docs/peers.md says what the numbers compare.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

from energysim.cost import COST_MODELS
from energysim.hardware import load_hardware
from energysim.setting import read_setting
from energysim.windows import Axis
from energysim.workload import MacWorkload, lower
from energysim.zoo import load_model

HERE = Path(__file__).parent / "peers"
#: A peer sees nothing of this project.
ALONE = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}


@dataclass(frozen=True)
class Peer:
    """A peer: what to install, what runs it, its hardware in our terms."""

    packages: tuple[str, ...]
    worker: str
    hardware: str


PEERS = {
    "nn_dataflow": Peer(
        ("nn-dataflow==2.1", "sympy==1.6.2"), "nn_dataflow_worker.py", "nn-dataflow-eyeriss.yaml"
    ),
    # six is imported by ZigZag but not declared
    "zigzag": Peer(("zigzag-dse==3.9.1", "six"), "zigzag_worker.py", "zigzag-eyeriss.yaml"),
}


@dataclass(frozen=True)
class Measured:
    """One network: CPU seconds, energy or cost, bits of DRAM traffic of all layers."""

    seconds: float
    energy: float
    dram_bits: int
    remark: str


def layers(model: str) -> Counter[MacWorkload]:
    """Layers of a network that multiply: how often each comes."""
    graph = load_model(model)
    works = (lower(graph, node) for node in graph.nodes)
    return Counter(work for work in works if isinstance(work, MacWorkload))


def ours(works: Counter[MacWorkload], hardware: str) -> Measured:
    """The search of this project, each shape once, no table kept from an earlier run."""
    spec = load_hardware(hardware)
    model = COST_MODELS.get(spec.cost_model)(search_seconds=600)  # a layer: until the best is proven
    setting = read_setting(spec, "energy")
    start = time.process_time()
    costs = [(model.evaluate((work,), setting)[0], often) for work, often in works.items()]
    seconds = time.process_time() - start
    energy = sum(often * sum(row.energy_aj for row in cost.accesses) for cost, often in costs)
    bits = sum(often * row.bits for cost, often in costs for row in cost.accesses if row.level == "dram")
    proven = sum(often for cost, often in costs if cost.optimal)
    return Measured(seconds, energy / 1e6, bits, f"{proven} of {works.total()} layers proven best")


def onnx_layer(number: int, work: MacWorkload) -> str:
    """A layer as zigzag_worker.py reads it."""
    nest = work.nest
    axes = (nest.rows, nest.cols)

    def shape(channels: int, sizes: list[int]) -> list[int]:
        return [nest.batch, channels, *sizes] if convolution else [nest.batch, channels]

    convolution = any(axis != Axis(1, 1, 1, 1, 1, 0) for axis in axes)
    weights = [nest.filters, nest.channels, *(axis.window for axis in axes)]
    return json.dumps(
        {
            "name": f"layer{number}",
            "inputs": shape(nest.channels, [axis.inputs for axis in axes]),
            "weights": weights if convolution else [nest.channels, nest.filters],
            "outputs": shape(nest.filters, [axis.outputs for axis in axes]),
            "stride": [axis.stride for axis in axes],
            "pads": 2 * [axis.before for axis in axes],
        }
    )


def environment(name: str, folder: Path) -> Path:
    """The interpreter of a peer; made if it is not there."""
    home = folder / name
    python = home / "bin" / "python"
    if not (home / "installed").exists():
        print(f"making {home} with {' '.join(PEERS[name].packages)}", file=sys.stderr)
        venv.create(home, with_pip=True, clear=True)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*command, *PEERS[name].packages], check=True, env=ALONE)
        (home / "installed").touch()
    return python


def theirs(name: str, python: Path, model: str, works: Counter[MacWorkload]) -> Measured:
    """The same in a peer; every layer as often as it comes, as the peer does it."""
    text = "\n".join(onnx_layer(number, work) for number, work in enumerate(works.elements()))
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [python, HERE / PEERS[name].worker, model],
            input=text,
            text=True,
            stdout=subprocess.PIPE,
            check=True,
            cwd=folder,  # peers write where they run
            env=ALONE,
        )
    found = json.loads(done.stdout.splitlines()[-1])
    return Measured(
        found["seconds"],
        found["energy"],
        round(sum(found["dram_bits"].values())),
        f"{found['peak_kib'] / 1024:.0f} MiB; no proof",
    )


def compulsory_elements(works: Counter[MacWorkload]) -> int:
    """Weights, touched inputs and outputs, once each."""
    spec = load_hardware(HERE / "zigzag-eyeriss.yaml")  # 8 bit all of them, padding not fetched
    model, setting = COST_MODELS.get(spec.cost_model)(), read_setting(spec, "delay")
    bits = (often * model.evaluate((work,), setting)[0].compulsory_bits for work, often in works.items())
    return sum(bits) // 8


def report(name: str, elements: int, bits: int, runs: list[Measured]) -> float:
    """Print a line; return the CPU seconds."""
    seconds = statistics.median(run.seconds for run in runs)
    last = runs[-1]
    print(
        f"  {name:36} {seconds:8.2f} s CPU   DRAM {last.dram_bits // bits:13,} words = "
        f"{last.dram_bits / bits / elements:.3f} x compulsory   energy {last.energy:.5g}   {last.remark}"
    )
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", default="vgg16,resnet18", help="of these two")
    parser.add_argument("--peers", default="nn_dataflow,zigzag")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "energysim-peers")
    parser.add_argument("--runs", type=int, default=1, help="rounds; the median counts")
    options = parser.parse_args()
    names = options.peers.split(",")
    pythons = {name: environment(name, options.folder.resolve()) for name in names}
    for model in options.models.split(","):
        works = layers(model)
        elements = compulsory_elements(works)
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        print(f"{model}: {works.total()} layers, {elements:,} words compulsory; load {load}")
        alone = [ours(works, "eyeriss168") for _ in range(options.runs)]
        report("energysim, eyeriss168", elements, 16, alone)
        for name in names:
            rounds = [
                (ours(works, str(HERE / PEERS[name].hardware)), theirs(name, pythons[name], model, works))
                for _ in range(options.runs)
            ]
            mine, other = ([pair[side] for pair in rounds] for side in (0, 1))
            bits = 8 if name == "zigzag" else 16
            first = report(f"energysim, {PEERS[name].hardware}", elements, bits, mine)
            second = report(name, elements, bits, other)
            print(
                f"  {name} / energysim: {second / first:.2f} in CPU time, "
                f"{other[-1].dram_bits / mine[-1].dram_bits:.3f} in DRAM traffic, "
                f"{other[-1].energy / mine[-1].energy:.3f} in energy"
            )


if __name__ == "__main__":
    main()
