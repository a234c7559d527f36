"""Time and size of the HTML report of a network of 200 layers from 18 finished reports.

    python benchmarks/html_report.py [--model densenet121] [--rounds 5]

Six schemes on three pieces of hardware, a report each (all but the dense ones with the dense reference
too, as ``estimate`` makes them); the reports are made first and are not part of the time. The bars are
those the project set itself: 5 s and 1 MB.
"""

from __future__ import annotations

import argparse
import statistics
import time

from energysim.report.page import render_page
from energysim.walker import estimate

HARDWARE = ("edge45", "eyeriss", "teaching")
SCHEMES = ("dense", "psconv:PSD4_P8", "psconv:PSD1_P16", "nm:2:4", "shift", "csc:fan=4")


def main() -> None:
    """Print the median and the largest time, and the size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="densenet121")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    reports = [estimate(given.model, scheme, hardware) for hardware in HARDWARE for scheme in SCHEMES]
    layers = sum(row.folded_into is None for row in reports[0].runs[0].layers)
    seconds, size = [], 0
    for _ in range(given.rounds):
        start = time.perf_counter()
        size = len(render_page(reports).encode())
        seconds.append(time.perf_counter() - start)
    print(f"{given.model}: {layers} layers, {len(reports)} reports")
    print(f"seconds: median {statistics.median(seconds):.2f}, largest {max(seconds):.2f} (bar 5)")
    print(f"bytes: {size:,} (bar 1,000,000)")


if __name__ == "__main__":
    main()
