"""Deliberate corruption: each kind must be found, with the layer and what disagrees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from energysim.cli import cli
from energysim.formats.periodic import PeriodicFormat
from energysim.graph import GraphBuilder, LayerGraph
from energysim.inference import MacCounter
from energysim.inference.compact import CompactConv
from energysim.kernels import KernelClass, PeriodicKernel
from energysim.report import Report
from energysim.schemes.psconv import supports
from energysim.validate import expected, validate

SLOTS = supports(2, (3, 3))


class ShiftedMask(PeriodicKernel):
    """Says its slots lie one filter further than they are walked."""

    def mask(self) -> NDArray[np.bool_]:
        return np.roll(super().mask(), 1, axis=0)


class DoubleWalk(PeriodicKernel):
    """Walks its first rows twice."""

    def classes(self) -> tuple[KernelClass, ...]:
        return tuple(
            KernelClass(k.filters, np.append(k.channels, k.channels[0]), np.append(k.taps, k.taps[0]))
            for k in super().classes()
        )


class Outside(PeriodicKernel):
    """Walks a channel that does not exist."""

    def classes(self) -> tuple[KernelClass, ...]:
        return tuple(KernelClass(k.filters, k.channels + 1, k.taps) for k in super().classes())


class Miscounted(PeriodicKernel):
    """Says it holds one weight more than it does."""

    @property
    def nonzeros(self) -> int:  # type: ignore[override]
        return super().nonzeros + 1


class ChangedWeight(PeriodicKernel):
    """Stores a weight that is not the one it was given."""

    def pack(self, weights: NDArray[Any]) -> NDArray[Any]:
        packed = super().pack(weights).copy()
        packed[17] += packed.dtype.type(1)
        return packed


def network(kernel: type[PeriodicKernel] = PeriodicKernel) -> LayerGraph:
    b = GraphBuilder("net", input=(3, 8, 8))
    x = b.relu(b.conv(b.input, 8, 3, padding=1, name="first"))
    x = b.relu(b.conv(x, 8, 3, padding=1, name="second"))
    graph = b.build(b.linear(b.flatten(b.global_pool(x)), 10, name="fc"))
    op = replace(graph.node("second").op, kernel=kernel((8, 8, 3, 3), SLOTS))  # type: ignore[call-arg]
    return graph.with_operators({"second": op})


def problems(graph: LayerGraph | None = None, **options: Any) -> str:
    found = validate(graph or network(), "dense", inputs=2, **options)
    assert not found.passed
    assert "DISAGREES" in found.render()
    assert "FAILED" in found.render()
    return "\n".join(found.problems)


def test_the_untouched_network_passes() -> None:
    assert validate(network(), "dense", inputs=2).passed


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (ShiftedMask, "layer 'second': the kernel's mask and its classes disagree on "),
        (DoubleWalk, "layer 'second': the kernel's classes walk 8 weights more than once"),
        (Outside, "layer 'second': the kernel's classes walk weights outside its shape (8, 8, 3, 3)"),
        (Miscounted, "layer 'second': the kernel's mask keeps 128 weights, its count is 129"),
    ],
)
def test_kernels_that_contradict_themselves(kernel: type[PeriodicKernel], message: str) -> None:
    assert message in problems(network(kernel))


@pytest.mark.parametrize("mode", ["float32", "int8", "int16"])
def test_a_packed_weight_changed(mode: str) -> None:
    found = problems(network(ChangedWeight), mode=mode)
    assert "layer 'second': " in found
    assert "outputs differ from the dense form" in found
    assert "'first'" not in found
    assert "'fc'" not in found
    assert ("network with random weights" in found) == (mode == "float32")  # integers round it away


def test_a_tolerance_that_no_rounding_meets() -> None:
    assert "none may" in problems(tolerance=0.0)


def changed_report(change: Callable[[Any], Any]) -> Callable[..., Report]:
    honest = expected.estimate

    def estimate(*arguments: Any, **options: Any) -> Report:
        report = honest(*arguments, **options)
        runs = []
        for run in report.runs:
            layers = tuple(change(row) if row.node == "second" else row for row in run.layers)
            runs.append(replace(run, layers=layers))
        return Report(report.setup, tuple(runs))

    return estimate


def test_an_estimate_of_macs_off_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expected, "estimate", changed_report(lambda row: replace(row, macs=row.macs + 1)))
    assert problems() == "dense: layer 'second': 16384 multiply-adds were executed, the estimate counts 16386"


def test_an_estimate_of_bits_off_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        expected, "estimate", changed_report(lambda row: replace(row, side_bits=row.side_bits - 1))
    )
    bits = 128 * 8 + 6 * 9
    message = f"layer 'second': its weights are encoded in {bits} bits, the estimate stores {bits - 1}"
    assert message in problems()


def test_a_loop_that_walks_more_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = CompactConv.__call__

    def call(self: CompactConv, x: Any) -> tuple[Any, int]:
        out, macs = honest(self, x)
        return out, macs + 5

    monkeypatch.setattr(CompactConv, "__call__", call)
    assert "layer 'second': 16389 multiply-adds were executed, the estimate counts 16384" in problems()


def test_only_the_run_from_end_to_end_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    honest, resets = MacCounter.add, []

    def add(self: MacCounter, node: str, macs: int, overhead: int = 0, counted: bool = True) -> None:
        honest(self, node, macs + (node == "fc" and "first" in self.nodes), overhead, counted)

    monkeypatch.setattr(MacCounter, "add", add)
    assert not resets
    assert (
        "layer 'fc': 161 multiply-adds were executed from end to end, the estimate counts 160" in problems()
    )


def test_bytes_that_do_not_give_back_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = PeriodicFormat.decode

    def decode(self: PeriodicFormat, content: bytes) -> Any:
        found = honest(self, content)
        found.reshape(-1)[np.flatnonzero(found)[0]] += 1
        return found

    monkeypatch.setattr(PeriodicFormat, "decode", decode)
    assert "layer 'second': the encoded bytes do not give back the weights" in problems()


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\1"])
def test_bytes_that_cannot_be_read_back(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[bytes], bytes]
) -> None:
    """What our own encoder wrote is no bad input: it fails the check."""
    honest = PeriodicFormat.decode
    monkeypatch.setattr(PeriodicFormat, "decode", lambda self, data: honest(self, change(data)))
    found = problems()
    assert "layer 'second': the encoded bytes cannot be read back: " in found
    assert "encoded in" not in found


def test_exit_code_one_names_the_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("energysim.validate.run.load_model", lambda *_: network(ChangedWeight))
    result = CliRunner().invoke(cli, ["validate", "net", "-s", "dense", "--inputs", "2"])
    assert result.exit_code == 1
    assert "layer 'second'" in str(result.exception)
    assert "DISAGREES: dense: layer 'second': " in result.stdout


def test_counting_imports_nothing_that_knows_costs(process: Any) -> None:
    script = (
        "import sys; import energysim.validate.stored, energysim.inference.compact, energysim.inference.fast;"
        "print([m for m in sys.modules if m.startswith(('energysim.cost', 'energysim.walker'))"
        " and not m.startswith('energysim.validate')])"
    )
    # The package's own face imports the estimate: the modules that count are loaded beside it.
    face = "import sys, types; m = types.ModuleType('energysim.validate'); import energysim, os;"
    face += "m.__path__ = [os.path.join(energysim.__path__[0], 'validate')]; sys.modules[m.__name__] = m;"
    done = process("-c", face + "import energysim.validate.execute;" + script)
    assert done.stdout.strip() == "[]", done.stderr
