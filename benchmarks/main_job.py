"""CPU time and memory of the main job as a whole process, against importing its libraries.

    python benchmarks/main_job.py [--runs 15]

Runs ``energysim estimate vgg16 --sparsity psconv`` and ``python -c 'import numpy, networkx, click,
pydantic, ruamel.yaml, tabulate'`` in turn, with one BLAS thread, and prints medians and their ratio.
Install energysim (not editable) into the environment that runs this: a tool is timed as users have it.
The aim is a ratio of at most 1.5 and less than 120 MB.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys

IMPORTS = "import numpy, networkx, click, pydantic, ruamel.yaml, tabulate"
MAIN = [sys.executable, "-m", "energysim", "estimate", "vgg16", "--sparsity", "psconv"]


def measure(command: list[str]) -> tuple[float, float]:
    """Return CPU seconds and peak memory [MB] of a process run to its end."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **threads}, cwd="/")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6


def main() -> None:
    """Measure both commands in turn and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    commands = {"main job": MAIN, "imports": [sys.executable, "-c", IMPORTS]}
    for command in commands.values():
        measure(command)  # warm-up: files in the cache, byte code written
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            found[name].append(measure(command))
    print(f"Python {platform.python_version()}, {platform.machine()}, medians of {runs} pairs")
    for name, values in found.items():
        cpu, memory = (statistics.median(v[i] for v in values) for i in (0, 1))
        print(f"{name:10} {1000 * cpu:7.1f} ms CPU {memory:7.1f} MB")
    ratios = [a[0] / b[0] for a, b in zip(*found.values(), strict=True)]
    print(f"ratio      {statistics.median(ratios):7.2f} (aim: at most 1.5)")


if __name__ == "__main__":
    main()
