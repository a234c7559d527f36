"""Run notebooks as a reader would, with an installed package, from the folder where this is called.

python run_notebooks.py [--keep] FILE.ipynb ...: an error in a cell, a warning, or a cell that takes minutes
ends it with code 1. With --keep what was shown is written beside, to look at.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from traitlets.config import Config

LOCAL = Config(ConnectionFileMixin={"transport": "ipc"})  # no sockets of a network
SECONDS = 300  # for one cell, on however busy a machine


def run(path: Path, keep: bool) -> str | None:
    """Return what went wrong in a notebook, if anything did."""
    notebook = nbformat.read(path, as_version=4)
    try:
        NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", config=LOCAL).execute()
    except (CellExecutionError, TimeoutError) as error:
        return str(error)
    if keep:
        nbformat.write(notebook, path.name)
    said = [out for cell in notebook.cells for out in cell.get("outputs", ()) if out.get("name") == "stderr"]
    return "".join(out["text"] for out in said) or None


def cpu_seconds() -> float:
    """Processor time of all processes that this one has waited for [s]: kernels and what they started."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(arguments: list[str]) -> int:
    """Run all; print the seconds of each."""
    keep, failed = "--keep" in arguments, False
    # As in an activated environment: the commands that notebooks call are this one's.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    for name in (text for text in arguments if text != "--keep"):
        start, used = time.perf_counter(), cpu_seconds()
        problem = run(Path(name), keep)
        took, used = time.perf_counter() - start, cpu_seconds() - used
        print(f"{Path(name).name}: {took:.1f} s, {used:.1f} s of CPU {problem or ''}", flush=True)
        failed |= problem is not None
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
