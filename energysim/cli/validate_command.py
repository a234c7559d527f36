"""``energysim validate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from energysim.cli.options import Target, output_options, read_shape, run_options
from energysim.cli.progress import Progress

__all__ = ["command"]


@click.command("validate")
@click.argument("model")
@click.option(
    "--sparsity",
    "-s",
    multiple=True,
    default=["psconv"],
    show_default=True,
    metavar="SCHEMES",
    help="As for estimate; the dense form is checked too.",
)
@run_options
@click.option(
    "--path",
    type=click.Choice(["compact", "fast"]),
    default="compact",
    show_default=True,
    help="Executor to check: packed weights for any kernel, or the fast layouts.",
)
@click.option("--strict", is_flag=True, help="A layer that a scheme leaves as it is is an error.")
@click.option("--winograd", is_flag=True, help="Let the fast path transform dense layers.")
@click.option("--tolerance", type=float, help="Allowed error over the standard deviation; 2e-5 for float32.")
@click.option("--hardware", "-w", default="edge45", show_default=True, help="Name or YAML file.")
@click.option("--bits", help="Widths: 16, or w=8,a=8,acc=32; by default the hardware's.")
@click.option("--format-weights", metavar="FORMAT", help="How sparse weights are stored.")
@output_options
def command(
    model: str,
    sparsity: tuple[str, ...],
    hardware: str,
    shape: str | None,
    form: str | None,
    output: Path | None,
    **options: Any,
) -> None:
    """Run MODEL in its compact form and check it against the dense form and the estimate.

    Layer by layer: errors of the outputs, executed multiply-adds, bits of the encoded weights; then
    the whole network. Exit code 1 if anything disagrees.
    """
    from energysim.errors import CheckFailedError
    from energysim.validate import validate

    target = Target(form, output)
    with Progress() as progress:
        found = validate(
            model,
            sparsity,
            hardware,
            input=read_shape(shape),
            tell=progress.tell,
            step=progress.step,
            **options,
        )
    target.put(found.render)
    if not found.passed:
        more = f" (and {len(found.problems) - 1} more)" if len(found.problems) > 1 else ""
        raise CheckFailedError(f"{found.setup.model}: {found.problems[0]}{more}")
