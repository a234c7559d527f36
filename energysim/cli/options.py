"""Options that several commands share, and how they print."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = ["estimate_options", "output_options", "print_result", "read_shape"]

Function = TypeVar("Function", bound=Callable[..., Any])


def _stack(*decorators: Callable[[Any], Any]) -> Callable[[Function], Function]:
    def apply(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


estimate_options = _stack(
    click.argument("model"),
    click.option(
        "--sparsity",
        "-s",
        multiple=True,
        metavar="SCHEMES",
        help="psconv, a list (dense,psconv:PSD1_P16), or rules ('features.*=psconv; classifier.*=dense').",
    ),
    click.option("--hardware", "-w", default="edge45", show_default=True, help="Name or YAML file."),
    click.option("--input", "shape", metavar="CxHxW", help="Shape of one sample, e.g. 3x64x64."),
    click.option("--classes", type=int, help="Number of classes."),
    click.option("--batch", type=int, help="Batch size; counts are for the whole batch."),
    click.option("--bits", help="Widths: 16, or w=8,a=8,acc=32; by default the hardware's."),
    click.option(
        "--activations", help="Zero fractions: a number, TENSOR=NUMBER pairs (globs), or a JSON file."
    ),
    click.option("--format-weights", metavar="FORMAT", help="How sparse weights are stored."),
    click.option("--format-activations", metavar="FORMAT", help="How activations are stored in DRAM."),
    click.option(
        "--objective",
        default="energy",
        show_default=True,
        help="What mappings minimise: energy, dram, delay, edp.",
    ),
    click.option("--rules", help="Counting rules: timeloop, or RULE=VALUE pairs (energysim list rules)."),
    click.option(
        "--fuse",
        "fusion",
        default="epilogue",
        show_default=True,
        help="What runs in place: epilogue, pool, none.",
    ),
    click.option("--cost-model", help="By default the one the hardware is written for."),
    click.option("--allow-unknown", is_flag=True, help="Leave operators of unknown cost out, and say so."),
)

output_options = _stack(
    click.option(
        "--format",
        "form",
        type=click.Choice(["table", "csv", "json", "markdown"]),
        help="By default table, or the suffix of --output.",
    ),
    click.option(
        "--output", "-o", type=click.Path(path_type=Path), help="Write to a file instead of stdout."
    ),
)


def read_shape(text: str | None) -> tuple[int, ...] | None:
    """Return the lengths of ``3x64x64``; raise UsageError for anything else."""
    from energysim.errors import UsageError

    if text is None:
        return None
    parts = text.lower().split("x")
    if not all(p.isascii() and p.isdigit() and len(p) <= 9 and int(p) > 0 for p in parts):
        raise UsageError(f"--input is CxHxW with positive lengths, e.g. 3x64x64, not {text!r}")
    return tuple(map(int, parts))


def print_result(render: Callable[[str], str], form: str | None, output: Path | None) -> None:
    """Print a result, or write it to a file in one step."""
    from energysim.report.files import form_of, write_text

    if output is None:
        click.echo(render(form or "table"), nl=False)
    else:
        write_text(output, render(form or form_of(output)))
        click.echo(f"wrote {output}", err=True)
