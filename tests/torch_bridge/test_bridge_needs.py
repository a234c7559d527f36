"""The bridge without PyTorch, with an old one, without the exporter; and who imports PyTorch."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import energysim.torch
from energysim.errors import UsageError
from energysim.torch import needs

INSTALL = "pip install 'energysim[torch]'"


def with_torch(monkeypatch: pytest.MonkeyPatch, found: Any) -> None:
    def load(name: str) -> Any:
        assert name == "torch"
        if isinstance(found, Exception):
            raise found
        return SimpleNamespace(__version__=found)

    monkeypatch.setattr(needs, "import_module", load)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (
            ModuleNotFoundError("No module named 'torch'", name="torch"),
            f"energysim.torch needs PyTorch: {INSTALL}",
        ),
        (
            ImportError("libtorch.so is broken"),
            "energysim.torch needs PyTorch (it is installed, but cannot be loaded: libtorch.so is broken): "
            + INSTALL,
        ),
        ("2.5.1+cu121", f"energysim.torch needs PyTorch 2.6 or newer, not 2.5.1+cu121: {INSTALL}"),
        ("1.13.0", f"energysim.torch needs PyTorch 2.6 or newer, not 1.13.0: {INSTALL}"),
        ("", f"energysim.torch needs PyTorch 2.6 or newer, not this one: {INSTALL}"),
    ],
)
@pytest.mark.parametrize("name", ["sparsify", "estimate"])
def test_torch_missing_broken_or_old(
    name: str, found: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_torch(monkeypatch, found)
    with pytest.raises(UsageError) as caught:
        getattr(energysim.torch, name)
    assert str(caught.value) == message


@pytest.mark.parametrize("version", ["2.6.0", "2.13.0+cpu", "10.0"])
def test_new_enough(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_torch(monkeypatch, version)
    assert needs.need_torch().__version__ == version


@pytest.mark.parametrize("missing", ["onnx", "onnxscript"])
def test_the_exporter_is_missing(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "find_spec", lambda name: None if name == missing else object())
    with pytest.raises(UsageError) as caught:
        needs.need_exporter()
    assert str(caught.value) == (
        f"a PyTorch module is read by way of ONNX, which needs the package {missing}: {INSTALL}"
    )


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match=r"^module 'energysim\.torch' has no attribute 'sparsity'$"):
        energysim.torch.sparsity  # noqa: B018
    assert set(energysim.torch.__all__) <= set(dir(energysim.torch))


def test_nothing_imports_torch_unasked(process: Any) -> None:
    code = "import sys, energysim.torch, energysim as es\n"
    code += "es.estimate('digits_cnn'); print('torch' in sys.modules)"
    found = process("-c", code)
    assert (found.stdout, found.stderr) == ("False\n", "")
