"""Options that several commands share, and how they print."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = [
    "Target",
    "estimate_options",
    "network_options",
    "objective_option",
    "output_options",
    "read_shape",
    "run_options",
]

Function = TypeVar("Function", bound=Callable[..., Any])


def _stack(*decorators: Callable[[Any], Any]) -> Callable[[Function], Function]:
    def apply(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def objective_option(default: str) -> Callable[[Function], Function]:
    """Return the option that says what mappings minimise."""
    return click.option(
        "--objective",
        default=default,
        show_default=True,
        help="What mappings minimise: energy, dram, delay, edp.",
    )


network_options = _stack(
    click.argument("model"),
    click.option(
        "--sparsity",
        "-s",
        multiple=True,
        metavar="SCHEMES",
        help="psconv, a list (dense,psconv:PSD1_P16), or rules ('features.*=psconv; classifier.*=dense').",
    ),
    click.option("--hardware", "-w", default="edge45", show_default=True, help="Name or YAML file."),
    click.option(
        "--input",
        "shape",
        metavar="CxHxW",
        help="Shape of one sample, e.g. 3x64x64; of an ONNX file also NAME=NxCxHxW.",
    ),
    click.option("--classes", type=int, help="Number of classes."),
    click.option("--batch", type=int, help="Batch size; counts are for the whole batch."),
    click.option(
        "--bits",
        help="Widths: 16, or w=8,a=8,acc=32, or by layer w=8;features.*:w=4; by default the model's, "
        "else the hardware's.",
    ),
    click.option(
        "--activations",
        metavar="ZEROS",
        help="Zero fractions: a number, TENSOR=NUMBER pairs (globs), or a JSON file.",
    ),
    click.option("--format-weights", metavar="FORMAT", help="How sparse weights are stored."),
    click.option("--format-activations", metavar="FORMAT", help="How activations are stored in DRAM."),
    click.option(
        "--rules", help="Counting rules: timeloop, larger, or RULE=VALUE pairs (energysim list rules)."
    ),
    click.option(
        "--fuse",
        "fusion",
        default="epilogue",
        show_default=True,
        help="What runs in place: epilogue, pool, split, none.",
    ),
    click.option("--cost-model", metavar="NAME", help="By default the one the hardware is written for."),
    click.option("--allow-unknown", is_flag=True, help="Leave operators of unknown cost out, and say so."),
)

estimate_options = _stack(
    network_options,
    objective_option("energy"),
    click.option(
        "--weights",
        metavar="FILE",
        help="For the scheme auto: .npz or safetensors file; by default those that come with the model.",
    ),
    click.option("--strict", is_flag=True, help="A layer that a scheme leaves as it is is an error."),
    click.option(
        "--mapping",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Mappings of layers onto a memory hierarchy; those of all others are searched.",
    ),
    click.option(
        "--search-seconds",
        type=float,
        metavar="SECONDS",
        help="Time for the search of a layer's mapping; stopped, it says how much a better one could save.",
    ),
)

run_options = _stack(
    click.option(
        "--weights",
        multiple=True,
        metavar="PATH",
        help=".npz or safetensors file, a folder of them, or random.",
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="Of random weights and images."),
    click.option(
        "--data",
        default="random",
        show_default=True,
        metavar="DATA",
        help="random, digits, an .npz of images and labels, a CIFAR-10 .bin, or a folder of images.",
    ),
    click.option(
        "--inputs", type=int, metavar="N", help="Number of images; by default 8 random, else up to 400."
    ),
    click.option("--normalise", metavar="RULE", help="none, cifar10, imagenet, or MEAN,STD."),
    click.option(
        "--mode",
        type=click.Choice(["float32", "int8", "int16"]),
        default="float32",
        show_default=True,
        help="Numbers the network runs on.",
    ),
    click.option(
        "--input",
        "shape",
        metavar="CxHxW",
        help="Shape of one sample, e.g. 3x64x64; of an ONNX file also NAME=NxCxHxW.",
    ),
    click.option("--classes", type=int, help="Number of classes."),
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


def read_shape(text: str | None) -> tuple[int, ...] | dict[str, tuple[int, ...]] | None:
    """Return the lengths of ``3x64x64``, or those of ``image=1x3x64x64,mask=1x64`` by name.

    Raises
    ------
    UsageError
        For anything else.
    """
    from energysim.errors import UsageError

    if text is None:
        return None
    found: dict[str, tuple[int, ...]] = {}
    for item in text.split(","):
        name, _, lengths = item.rpartition("=")
        parts = lengths.lower().split("x")
        good = all(p.isascii() and p.isdigit() and len(p) <= 9 and int(p) > 0 for p in parts)
        if not good or name.strip() in found or ("," in text and not name):
            raise UsageError(
                "--input is CxHxW with positive lengths, e.g. 3x64x64, or of an ONNX file NAME=NxCxHxW "
                f"for each input, not {text!r}"
            )
        found[name.strip()] = tuple(map(int, parts))
    return found.get("", found)


class Target:
    """Where a result goes, and in which format; wrong options are found before anything is computed.

    Parameters
    ----------
    form : str or None
        By default a table, or what the suffix of the file asks for.
    output : Path or None
        None is stdout.
    """

    def __init__(self, form: str | None, output: Path | None) -> None:
        from energysim.errors import UsageError
        from energysim.report.files import form_of

        self.output = output
        if output is None:
            self.form = form or "table"
            return
        self.form = form or form_of(output)
        if output.is_dir():
            raise UsageError(f"{output}: cannot be written: it is a directory")
        if not output.parent.is_dir():
            raise UsageError(f"{output}: cannot be written: there is no directory {str(output.parent)!r}")
        place = output if output.exists() else output.parent
        if not os.access(place, os.W_OK):
            raise UsageError(f"{output}: cannot be written: no permission to write to {str(place)!r}")

    def put(self, render: Callable[[str], str]) -> None:
        """Print what ``render`` makes of the format, or write it to the file in one step."""
        if self.output is None:
            click.echo(render(self.form), nl=False)
            return
        from energysim.report.files import write_text

        write_text(self.output, render(self.form))
        click.echo(f"wrote {self.output}", err=True)
