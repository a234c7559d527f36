"""What must be installed, said in one line each."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from energysim.errors import UsageError

__all__ = ["OLDEST", "need_exporter", "need_torch"]

#: The first release whose ``torch.onnx.export(dynamo=True)`` gives a program without a file. Assumed
#: from the release notes; what is run by the tests is 2.13.
OLDEST = (2, 6)
_INSTALL = "pip install 'energysim[torch]'"


def need_torch() -> Any:
    """Return the package torch.

    Raises
    ------
    UsageError
        If it is not installed, cannot be loaded, or is too old.
    """
    try:
        torch = import_module("torch")
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "torch"
        why = "" if missing else f" (it is installed, but cannot be loaded: {error})"
        raise UsageError(f"energysim.torch needs PyTorch{why}: {_INSTALL}") from None
    version = str(getattr(torch, "__version__", ""))
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise UsageError(
            f"energysim.torch needs PyTorch {wanted} or newer, not {version or 'this one'}: {_INSTALL}"
        )
    return torch


def need_exporter() -> None:
    """Raise UsageError unless the packages are there by which PyTorch writes ONNX."""
    for package in ("onnx", "onnxscript"):
        if find_spec(package) is None:
            raise UsageError(
                f"a PyTorch module is read by way of ONNX, which needs the package {package}: {_INSTALL}"
            )
