"""The named scheme that a periodic kernel is, if there is one."""

from __future__ import annotations

from energysim.kernels import PeriodicKernel
from energysim.schemes.patterns import MOST_SLOTS
from energysim.schemes.psconv import BLOCKS, PSConv

__all__ = ["scheme_of"]


def scheme_of(kernel: PeriodicKernel, repeated: bool = True) -> str | None:
    """Return the ``psconv`` scheme that makes exactly this kernel, as it is written for ``--sparsity``.

    A name of the kernel's own period is preferred to a longer one, which a small tensor may cut off.
    Behind a name may stand how far its slots are moved, which no scheme string can say: slot s of the
    kernel is then slot (s + n) mod P of the scheme.

    Parameters
    ----------
    kernel : PeriodicKernel
    repeated : bool
        Whether all slots are in the tensor twice: a longer period is then not looked for.
    """
    windows = "3x3" if kernel.shape[2:] == (3, 3) else "all"
    periods = range(kernel.period, kernel.period + 1 if repeated else MOST_SLOTS + 1)
    for period in periods:
        for scheme in _schemes(period, windows):
            if scheme.kernel("", kernel.shape) == kernel:
                return str(scheme)
    for scheme in _schemes(kernel.period, windows):
        made = scheme.kernel("", kernel.shape)
        if isinstance(made, PeriodicKernel) and sorted(made.slots) == sorted(kernel.slots):
            for turn in range(1, made.period):
                if made.slots[turn:] + made.slots[:turn] == kernel.slots:
                    return f"{scheme}, slots moved by {turn}"
    return None


def _schemes(period: int, windows: str) -> list[PSConv]:
    return [
        PSConv(kss, period, dense, windows)
        for dense in (1, 0)
        for kss in sorted(BLOCKS, reverse=True)
        if period > dense
    ]
