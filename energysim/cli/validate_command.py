"""``energysim validate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from energysim.cli.options import Target, output_options, read_shape
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
@click.option(
    "--weights", multiple=True, metavar="PATH", help=".npz or safetensors file, or a folder of them."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of random weights and images.")
@click.option(
    "--data",
    default="random",
    show_default=True,
    metavar="DATA",
    help="random, digits, an .npz of images and labels, a CIFAR-10 .bin, or a folder of images.",
)
@click.option(
    "--inputs", type=int, metavar="N", help="Number of images; by default 8 random, else up to 400."
)
@click.option("--normalise", metavar="RULE", help="none, cifar10, imagenet, or MEAN,STD.")
@click.option(
    "--mode",
    type=click.Choice(["float32", "int8", "int16"]),
    default="float32",
    show_default=True,
    help="Numbers the network runs on.",
)
@click.option(
    "--path",
    type=click.Choice(["compact", "fast"]),
    default="compact",
    show_default=True,
    help="Executor: the reference, or the fast one.",
)
@click.option("--winograd", is_flag=True, help="Let the fast path transform dense layers.")
@click.option("--tolerance", type=float, help="Allowed error over the standard deviation; 2e-5 for float32.")
@click.option("--hardware", "-w", default="edge45", show_default=True, help="Name or YAML file.")
@click.option("--input", "shape", metavar="CxHxW", help="Shape of one sample, e.g. 3x64x64.")
@click.option("--classes", type=int, help="Number of classes.")
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
