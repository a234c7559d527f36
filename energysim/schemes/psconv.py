"""``psconv``: pre-defined sparse kernels whose support repeats periodically.

Source: Kundu, Nazemi, Pedram, Chugg, Beerel, "Pre-defined Sparsity for Low-Complexity
Convolutional Neural Networks", IEEE Trans. Computers 69(7), 2020, with supports and slot order as
in the authors' public repository (KSS 4 and KSS 2 with a dense slot). First convolution, 1x1,
depthwise and linear layers stay dense.

Supports of a window, in row-major order of their top left position:

* KSS 4: the 2 x 2 blocks; KSS 2: the horizontal pairs (both as in the repository for 3 x 3);
* KSS 1: the single positions (assumed).

Slot 0 of a period is dense where ``dense=1`` (names ``PSD<kss>_P<period>``); the other slots cycle
through the supports from the first one on (read for KSS 4 at P 8 and 16, KSS 2 at P 8; assumed for
KSS 1 and without a dense slot, ``PS<kss>_P<period>``). Windows other than 3 x 3 stay dense unless
``windows=all`` extends the same families of supports to them (assumed).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from energysim.errors import SchemeError
from energysim.kernels import Kernel, PeriodicKernel, WeightShape
from energysim.schemes.base import StructuralScheme
from energysim.schemes.parameters import integer, read_parameters
from energysim.schemes.patterns import Patterns, load_patterns

__all__ = ["PSConv", "parse", "supports"]

#: KSS -> rows and columns of the block that a support covers.
BLOCKS = {1: (1, 1), 2: (1, 2), 4: (2, 2)}
_NAME = re.compile(r"PS(D?)(\d+)_P(\d+)", re.IGNORECASE)
_ACCEPTED = {
    "kss": "1|2|4",
    "period": "1..64",
    "dense": "0|1",
    "windows": "3x3|all",
    "patterns": "FILE.yaml",
}


def supports(kss: int, window: tuple[int, int]) -> tuple[tuple[int, ...], ...]:
    """Return all supports of KSS positions in an R x S window; none if the block does not fit."""
    rows, cols = window
    high, wide = BLOCKS[kss]
    return tuple(
        tuple((top + i) * cols + left + j for i in range(high) for j in range(wide))
        for top in range(rows - high + 1)
        for left in range(cols - wide + 1)
    )


@dataclass(frozen=True)
class PSConv(StructuralScheme):
    """Periodic pre-defined sparsity.

    Parameters
    ----------
    kss : {1, 2, 4}
        Kernel support size: positions kept in a sparse window.
    period : int
        P, 1 to 64.
    dense : {0, 1}
        Whether slot 0 keeps all positions.
    windows : {"3x3", "all"}
        Which windows become sparse.
    patterns : Patterns, optional
        Slots from a file, instead of all of the above.
    """

    kss: int = 4
    period: int = 8
    dense: int = 1
    windows: str = "3x3"
    patterns: Patterns | None = None

    def __str__(self) -> str:
        if self.patterns is not None:
            return f"psconv:patterns={self.patterns.file}"
        name = f"psconv:PS{'D' if self.dense else ''}{self.kss}_P{self.period}"
        return name if self.windows == "3x3" else f"{name},windows={self.windows}"

    def kernel(self, node: str, shape: WeightShape) -> Kernel | str:
        """Return the periodic kernel of a layer, or why it stays dense."""
        window = shape[2], shape[3]
        if self.patterns is not None:
            if self.patterns.window != window:
                rows, cols = self.patterns.window
                return f"{window[0]}x{window[1]} window, the patterns are {rows}x{cols}"
            return PeriodicKernel(shape, self.patterns.slots)
        if window != (3, 3) and self.windows == "3x3":
            return f"{window[0]}x{window[1]} window"
        found = supports(self.kss, window)
        if not found:
            return f"{window[0]}x{window[1]} window is too small for KSS {self.kss}"
        slots = [tuple(range(window[0] * window[1]))] if self.dense else []
        slots += [found[i % len(found)] for i in range(self.period - len(slots))]
        return PeriodicKernel(shape, tuple(slots))

    def assumptions(self) -> tuple[str, ...]:
        """Return which parts of the slot rule rest on no source."""
        found = []
        if self.patterns is None and (self.kss == 1 or not self.dense):
            found.append(f"{self}: the order of its slots is not published")
        if self.windows == "all":
            found.append(f"{self}: supports of windows other than 3x3 are not published")
        return tuple(found)


def parse(text: str) -> PSConv:
    """Return the scheme written behind ``psconv:``: a paper's name, parameters, or both.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    head, _, rest = text.partition(",")
    named = _NAME.fullmatch(head.strip())
    if named is None:
        if head.strip() and "=" not in head:
            raise SchemeError(
                f"psconv has no variant {head.strip()!r}: write PS4_P4, PSD4_P8, PSD1_P16, ..., "
                f"or {', '.join(f'{k}={v}' for k, v in _ACCEPTED.items())}"
            )
        rest = text
    given = read_parameters("psconv", rest, _ACCEPTED)
    values = {"kss": 4, "period": 8, "dense": 1}
    if named is not None:
        clash = sorted(set(given) & {*values, "patterns"})
        if clash:
            raise SchemeError(f"psconv: {head.strip()} already says what {clash[0]} says")
        values = {"kss": int(named[2]), "period": int(named[3]), "dense": len(named[1])}
    if "patterns" in given:
        others = sorted(set(given) - {"patterns"})
        if others:
            raise SchemeError(f"psconv: a pattern file says all, {others[0]!r} cannot be given beside it")
        return PSConv(patterns=load_patterns(given["patterns"]))
    for key, highest in (("kss", 25), ("period", 64), ("dense", 1)):
        lowest = 0 if key == "dense" else 1
        values[key] = integer("psconv", key, given.get(key, str(values[key])), lowest, highest)
    if values["kss"] not in BLOCKS:
        raise SchemeError(
            f"psconv has supports for kss 1, 2 and 4, not {values['kss']}; random supports of any size "
            "are psc:kss=N, supports of your own are psconv:patterns=FILE.yaml"
        )
    windows = given.get("windows", "3x3")
    if windows not in ("3x3", "all"):
        raise SchemeError(f"psconv: windows is 3x3 or all, not {windows!r}")
    return PSConv(values["kss"], values["period"], values["dense"], windows)
