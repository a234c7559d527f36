"""``psconv``: pre-defined sparse kernels whose support repeats periodically.

Source: Kundu, Nazemi, Pedram, Chugg, Beerel, "Pre-defined Sparsity for Low-Complexity
Convolutional Neural Networks", IEEE Trans. Computers 69(7), 2020, with supports and slot order as
in the authors' public repository (KSS 4 and KSS 2 with a dense slot). First convolution, 1x1,
depthwise and linear layers stay dense.

Supports of a window, in row-major order of their top left position:

* KSS 4: the 2 x 2 blocks; KSS 2: the horizontal pairs (both as in the repository for 3 x 3);
* KSS 1: the single positions (assumed).

Slot 0 of a period is dense where ``dense=1`` (names ``PSD<kss>_P<period>``); the other slots cycle
through the supports from the first one on. That order is read for KSS 4 at P 8 and 16 and KSS 2 at
P 8, and assumed for all others, those without a dense slot (``PS<kss>_P<period>``) included. Windows
other than 3 x 3 stay dense unless ``windows=all`` extends the same families of supports to them
(assumed).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from energysim.errors import SchemeError, near_miss
from energysim.kernels import Kernel, PeriodicKernel, WeightShape
from energysim.schemes.base import StructuralScheme
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.parameters import check_range, check_windows, integer, read_parameters
from energysim.schemes.patterns import MOST_SLOTS, Patterns, load_patterns

__all__ = ["KIND", "PSConv", "parse", "supports"]

#: KSS -> rows and columns of the block that a support covers.
BLOCKS = {1: (1, 1), 2: (1, 2), 4: (2, 2)}
#: (KSS, P, dense) whose slots the authors' repository holds.
_PUBLISHED = {(4, 8, 1), (4, 16, 1), (2, 8, 1)}
#: The configurations of the paper's figures.
_VARIANTS = ("PS4_P4", "PS2_P6", "PS1_P9", *(f"PSD{kss}_P{p}" for kss in (4, 2, 1) for p in (8, 16)))
_NAME = re.compile(r"PS(D?)([0-9]+)_P([0-9]+)", re.ASCII | re.IGNORECASE)
_ACCEPTED = {
    "kss": "1|2|4",
    "period": f"1..{MOST_SLOTS}",
    "dense": "0|1",
    "windows": "3x3|all",
    "patterns": "FILE.yaml",
}


def supports(kss: int, window: tuple[int, int]) -> tuple[tuple[int, ...], ...]:
    """Return all supports of KSS 1, 2 or 4 in an R x S window; none if the block does not fit."""
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
        P, 1 to 64; at least 2 with a dense slot.
    dense : {0, 1}
        Whether slot 0 keeps all positions.
    windows : {"3x3", "all"}
        Which windows become sparse.
    patterns : Patterns, optional
        Slots from a file, instead of all of the above.

    Raises
    ------
    SchemeError
        For any other value, and for patterns beside other parameters.
    """

    kss: int = 4
    period: int = 8
    dense: int = 1
    windows: str = "3x3"
    patterns: Patterns | None = None

    def __post_init__(self) -> None:
        if type(self.kss) is not int or self.kss not in BLOCKS:
            raise SchemeError(
                f"psconv has supports for kss 1, 2 and 4, not {self.kss}; random supports of any size "
                "are psc:kss=N, supports of your own are psconv:patterns=FILE.yaml"
            )
        check_range("psconv", "period", self.period, 1, MOST_SLOTS)
        check_range("psconv", "dense", self.dense, 0, 1)
        check_windows("psconv", self.windows)
        if self.dense and self.period == 1:
            raise SchemeError("psconv with a dense slot and period 1 has no sparse slot: write dense")
        default = (PSConv.kss, PSConv.period, PSConv.dense, PSConv.windows)
        if self.patterns is not None and (self.kss, self.period, self.dense, self.windows) != default:
            raise SchemeError("psconv: a pattern file says all, nothing can be given beside it")

    def __str__(self) -> str:
        if self.patterns is not None:
            return f"psconv:patterns={self.patterns.file}"
        name = f"psconv:PS{'D' if self.dense else ''}{self.kss}_P{self.period}"
        return name if self.windows == "3x3" else f"{name},windows={self.windows}"

    def kernel(self, node: str, shape: WeightShape) -> Kernel | str:
        """Return the periodic kernel of a layer, or why it stays dense."""
        rows, cols = window = shape[2], shape[3]
        if self.patterns is not None:
            if self.patterns.window != window:
                return f"{rows}x{cols} window, the patterns are {'x'.join(map(str, self.patterns.window))}"
            return PeriodicKernel(shape, self.patterns.slots)
        if window != (3, 3) and self.windows == "3x3":
            return f"{rows}x{cols} window"
        found = supports(self.kss, window)
        if not found:
            return f"{rows}x{cols} window has no room for a {'x'.join(map(str, BLOCKS[self.kss]))} block"
        slots = [tuple(range(rows * cols))] if self.dense else []
        slots += [found[i % len(found)] for i in range(self.period - len(slots))]
        return PeriodicKernel(shape, tuple(slots))

    def assumptions(self) -> tuple[str, ...]:
        """Return which parts of the slot rule rest on no source."""
        if self.patterns is not None:
            return ()
        found = []
        if self.kss == 1:
            found.append(f"{self}: its supports and their order in a period are not published")
        elif (self.kss, self.period, self.dense) not in _PUBLISHED:
            found.append(f"{self}: the order of its supports in a period is not published")
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
    head = head.strip()
    named = _NAME.fullmatch(head)
    if named is None and head and "=" not in head and head.lower() not in _ACCEPTED:
        raise SchemeError(
            f"psconv has no variant {head!r}{near_miss(head, _VARIANTS)} (there are {', '.join(_VARIANTS)} "
            f"and the like, or {', '.join(f'{k}={v}' for k, v in _ACCEPTED.items())})"
        )
    given = read_parameters("psconv", text if named is None else rest, _ACCEPTED)
    if "patterns" in given:
        others = ([head] if named else []) + sorted(set(given) - {"patterns"})
        if others:
            raise SchemeError(f"psconv: a pattern file says all, {others[0]!r} cannot be given beside it")
        return PSConv(patterns=load_patterns(given["patterns"]))
    texts: dict[str, str] = {key: given[key] for key in ("kss", "period", "dense") if key in given}
    if named is not None:
        if texts:
            raise SchemeError(f"psconv: {head} already says what {min(texts)} is")
        texts = {"kss": named[2], "period": named[3], "dense": str(len(named[1]))}
    numbers = {key: integer("psconv", key, value) for key, value in texts.items()}
    return PSConv(
        numbers.get("kss", PSConv.kss),
        numbers.get("period", PSConv.period),
        numbers.get("dense", PSConv.dense),
        given.get("windows", PSConv.windows),
    )


KIND = SchemeKind(
    parse,
    "2D supports that repeat with a period over filters and channels",
    ("psconv:PSD4_P8", "psconv:PSD1_P16"),
)
