"""Whether the views of a kernel agree: its mask, its classes, its counts."""

from __future__ import annotations

import numpy as np

from energysim.kernels import Kernel

__all__ = ["support_problem"]


def support_problem(kernel: Kernel) -> str | None:
    """Return where the views of a kernel contradict each other, or None.

    Execution walks ``classes``, the dense equivalent and storage take ``mask``, and the estimate
    counts ``nonzeros``: they must be one support.
    """
    mask = kernel.mask()
    if mask.shape != kernel.shape:
        return f"the kernel's mask has shape {mask.shape}, the kernel {kernel.shape}"
    walked, count, taps = np.zeros(kernel.shape, dtype=np.bool_), 0, kernel.shape[3]
    for each in kernel.classes():
        rows = each.channels, each.taps // taps, each.taps % taps
        try:
            walked[(each.filters[:, None], *(row[None] for row in rows))] = True
        except IndexError:
            return f"the kernel's classes walk weights outside its shape {kernel.shape}"
        count += len(each.filters) * len(each.taps)
    if count != int(walked.sum()):
        return f"the kernel's classes walk {count - int(walked.sum())} weights more than once"
    wrong = np.argwhere(walked != mask)
    if len(wrong):
        first = tuple(int(i) for i in wrong[0])
        return (
            f"the kernel's mask and its classes disagree on {len(wrong)} weights, the first at "
            f"(filter, channel, row, column) {first}"
        )
    if int(mask.sum()) != kernel.nonzeros:
        return f"the kernel's mask keeps {int(mask.sum())} weights, its count is {kernel.nonzeros}"
    return None
