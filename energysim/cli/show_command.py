"""``energysim show``."""

from __future__ import annotations

import click

from energysim.cli.groups import NearGroup
from energysim.cli.options import read_shape

__all__ = ["command"]


@click.group("show", cls=NearGroup)
def command() -> None:
    """Show what a name stands for."""


@command.command("hardware")
@click.argument("name")
@click.option("--sources", is_flag=True, help="Every constant with its kind, node and source.")
def hardware(name: str, sources: bool) -> None:
    """Show the hardware specification NAME (a name or a YAML file)."""
    from tabulate import tabulate

    from energysim.hardware import describe_constants, describe_hardware, load_hardware

    spec = load_hardware(name)
    click.echo(tabulate(describe_hardware(spec), tablefmt="plain", disable_numparse=True))
    if not sources:
        return
    rows = describe_constants(spec)
    citations = list(dict.fromkeys(row.source for row in rows if row.source))
    table = [
        [r.path, r.value, r.kind, r.node, f"[{citations.index(r.source) + 1}]" if r.source else "", r.note]
        for r in rows
    ]
    header = ["constant", "value", "kind", "node", "source", "note"]
    click.echo("\n" + tabulate(table, header, maxcolwidths=[None] * 5 + [70], disable_numparse=True))
    click.echo()
    for number, citation in enumerate(citations, start=1):
        click.echo(f"[{number}] {citation}")


@command.command("model")
@click.argument("name")
@click.option("--input", "shape", metavar="CxHxW", help="Shape of one sample.")
@click.option("--classes", type=int, help="Number of classes.")
def model(name: str, shape: str | None, classes: int | None) -> None:
    """Show the nodes of a model, NAME of the zoo or a file: operator, shapes, parameters, multiply-adds."""
    from tabulate import tabulate

    from energysim.errors import UnknownOperatorError
    from energysim.graph.shapes import product, text
    from energysim.workload import MacWorkload, lower
    from energysim.zoo import load_model

    graph = load_model(name, read_shape(shape), classes)
    rows, macs, unknown = [], 0, 0
    for node in graph:
        weights = sum(product(s) for s in node.op.parameters(graph.input_shapes(node)).values())
        try:
            work = lower(graph, node)
            own = work.nest.macs if isinstance(work, MacWorkload) else 0
            shown = f"{own:,}" if own else ""
            macs += own
        except UnknownOperatorError:
            shown = "unknown"
            unknown += 1
        outputs = " ".join(text(s) for s in graph.output_shapes(node))
        rows.append([node.name, node.op.kind, outputs, f"{weights:,}" if weights else "", shown])
    header = ["node", "operator", "output", "parameters", "MACs"]
    align = ["left", "left", "left", "right", "right"]
    click.echo(tabulate(rows, header, colalign=align, disable_numparse=True))
    click.echo(f"\n{graph.name}: {graph.parameter_count():,} parameters, {macs:,} MACs, {len(graph)} nodes")
    if unknown:
        click.echo(f"NOT COUNTED: {unknown} operators of unknown cost")


@command.command("scheme")
@click.argument("text", metavar="SCHEME")
@click.option("--window", default="3x3", show_default=True, metavar="RxS", help="Window to draw.")
@click.option("--model", metavar="MODEL", help="Show what becomes of each layer of this network.")
@click.option(
    "--weights",
    metavar="FILE",
    help="With --model: its weights, or random; by default those that ship with it.",
)
def scheme(text: str, window: str, model: str | None, weights: str | None) -> None:
    """Show SCHEME: the supports of its slots, and what it assumes.

    With --model: layer by layer what it becomes and, where weights are reconstructed, how far they are
    from those they were made from.
    """
    from energysim.errors import UsageError

    if model is not None:
        return _of_layers(text, model, weights)
    if weights is not None:
        raise UsageError("--weights are those of a network: give --model too")
    return _of_itself(text, window)


def _of_layers(text: str, model: str, weights: str | None) -> None:
    """Print what a scheme makes of each layer of a network."""
    from tabulate import tabulate

    from energysim.reconstruction import weight_errors
    from energysim.schemes import parse_scheme, weighted_nodes
    from energysim.schemes.bind import bound
    from energysim.schemes.block import EXACTNESS
    from energysim.weight_sets import uncalibrated, weight_sets
    from energysim.zoo import load_model

    graph = load_model(model)
    own = weight_sets(() if weights is None else (weights,), model, "dense")[0]
    found = bound(parse_scheme(text), own.read(graph), lambda _: 8)
    rewrite = found.apply(graph)
    rebuilt = any(origin.exactness == "E2" for origin in rewrite.trace.values())
    errors = weight_errors(graph, rewrite, own, uncalibrated(own, graph, rewrite)) if rebuilt else {}
    left = {entry.node: entry.reason for entry in rewrite.left}
    rows = []
    for node in weighted_nodes(graph):
        ends = rewrite.trace[node.name]
        parts = [n.op.kind for n in rewrite.graph if rewrite.trace[n.name].node == node.name]
        said = EXACTNESS[ends.exactness] if ends.scheme != "dense" else left.get(node.name, "as it is")
        off = f"{100 * errors[node.name]:.3g} %" if node.name in errors else ""
        rows.append([node.name, " + ".join(parts), said, off])
    click.echo(f"{found} on {graph.name}, {own.label}\n")
    header = ["layer", "becomes", "", "weights off"]
    align = ("left", "left", "left", "right")
    click.echo(tabulate(rows, header, colalign=align, disable_numparse=True))
    if errors:
        click.echo("\nweights off: |W' - W| / |W|, W the weights as they were, W' those that it is equal to")
    for statement in rewrite.assumed:
        click.echo(f"assumed: {statement}")


def _of_itself(text: str, window: str) -> None:
    """Print a scheme, and the supports it makes of a window."""
    from energysim.errors import SchemeError
    from energysim.kernels import PeriodicKernel
    from energysim.schemes import RewritingScheme, StructuralScheme, kind_of, parse_scheme

    size = read_shape(window)
    if not isinstance(size, tuple) or len(size) != 2 or max(size) > 32:
        raise SchemeError(f"--window is RxS with lengths from 1 to 32, not {window!r}")
    found = parse_scheme(text)
    click.echo(str(found))
    if not isinstance(found, StructuralScheme):
        if isinstance(found, RewritingScheme):
            click.echo(kind_of(str(found).partition(":")[0]).summary)
            for statement in found.assumptions():
                click.echo(f"assumed: {statement}")
        return
    rows, cols = size
    kernel = found.kernel("layer", (64, 64, rows, cols))
    if isinstance(kernel, str):
        click.echo(f"{window} windows stay dense: {kernel}")
        return
    share = kernel.nonzeros / (64 * 64)
    click.echo(f"{share:g} of {rows * cols} positions kept on average in 64x64 windows")
    if isinstance(kernel, PeriodicKernel):
        click.echo(f"the window of filter f and channel c uses slot (f + c + 1) mod {kernel.period}\n")
        for first in range(0, kernel.period, 8):
            slots = list(enumerate(kernel.slots))[first : first + 8]
            click.echo("  ".join(f"{n:<{max(2 * cols - 1, 2)}}" for n, _ in slots).rstrip())
            for row in range(rows):
                line = "  ".join(
                    " ".join("#" if row * cols + col in slot else "." for col in range(cols)).ljust(2)
                    for _, slot in slots
                )
                click.echo(line.rstrip())
            click.echo()
    for statement in found.assumptions():
        click.echo(f"assumed: {statement}")
