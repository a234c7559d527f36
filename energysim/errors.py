"""The error family: everything that bad input can raise, and nothing else.

Every error here means exit code 2 at the command line (1 for a failed check), one
message, no traceback. All of them survive pickling, so they cross process boundaries.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable

__all__ = [
    "CapacityError",
    "CheckFailedError",
    "DataError",
    "DensityError",
    "EnergysimError",
    "ExportError",
    "FormatError",
    "GraphError",
    "LayerError",
    "ModelError",
    "SchemeError",
    "ShapeError",
    "SpecError",
    "UnknownNameError",
    "UnknownOperatorError",
    "UsageError",
    "WeightsError",
    "near_miss",
]


def near_miss(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known name, or an empty string."""
    lowered = {n.lower(): n for n in known}
    given = name.lower()
    found = difflib.get_close_matches(given, list(lowered), n=5, cutoff=0.6)
    if not found:
        return ""

    def likeness(candidate: str) -> tuple[float, int]:
        """Letters in order first; then letters at all, for two of them swapped (vgg61)."""
        shared = Counter(given) & Counter(candidate)
        return difflib.SequenceMatcher(None, candidate, given).ratio(), shared.total()

    return f"; did you mean {lowered[max(found, key=likeness)]!r}?"


class EnergysimError(Exception):
    """Base of all errors that bad input can cause.

    Parameters
    ----------
    message : str
        One complete sentence for the user: what is wrong, where, and what would be accepted.
    """

    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class UsageError(EnergysimError):
    """A wrong option or argument of a command or of the Python API."""


class LayerError(UsageError):
    """A layer that a cost model does not know."""


class UnknownNameError(EnergysimError):
    """A model, scheme, format, hardware or cost model that does not exist.

    Parameters
    ----------
    kind : str
        What was looked for, e.g. ``"model"``.
    name : str
        The name as given.
    known : iterable of str
        The names that exist; the closest one is offered.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str] = ()) -> None:
        names = sorted(known)
        hint = near_miss(name, names)
        listed = f" (known: {', '.join(names)})" if names and not hint else ""
        super().__init__(f"unknown {kind} {name!r}{hint}{listed}")
        self.kind, self.name, self.known = kind, name, names

    def __reduce__(self) -> tuple[type, tuple[str, str, list[str]]]:
        return type(self), (self.kind, self.name, self.known)


class SpecError(EnergysimError):
    """One or more errors of a data file; each line reads ``file:line:column: path: what``."""


class DensityError(SpecError):
    """An activation-density file or option that cannot be used."""


class SchemeError(EnergysimError):
    """A scheme string or pattern file that cannot be used."""


class FormatError(EnergysimError):
    """Bytes that do not decode, or a tensor that a storage format cannot hold."""


class ModelError(EnergysimError):
    """A model file that cannot be loaded."""


class WeightsError(EnergysimError):
    """Weights that do not belong to a network, or a weight file that cannot be read."""


class DataError(EnergysimError):
    """Images or labels that a network cannot take."""


class ExportError(EnergysimError):
    """A network that a file format cannot hold, or a file that cannot be written."""


class GraphError(EnergysimError):
    """A layer graph that is not well formed (cycle, unknown tensor, duplicate name)."""


class ShapeError(GraphError):
    """Shapes that do not fit; names the node and its producers."""


class UnknownOperatorError(GraphError):
    """An operator whose cost is not known: never counted as zero without being asked."""


class CapacityError(EnergysimError):
    """Not even the smallest tile of a layer fits the memory."""


class CheckFailedError(EnergysimError):
    """A check (equivalence, regression gate) that failed."""

    exit_code = 1
