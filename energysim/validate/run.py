"""``validate``: the compact form of a network against its dense equivalent, and against the estimate."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energysim.data import Data, load_data
from energysim.errors import EnergysimError, SchemeError, UsageError, WeightsError
from energysim.graph import BlockFloat, LayerGraph
from energysim.graph.shapes import text as shape_text
from energysim.hardware import Hardware, load_hardware
from energysim.model_weights import weights_of
from energysim.reconstruction import weight_errors
from energysim.schemes import Rewrite, Scheme, need_all_changed, parse_schemes
from energysim.schemes.bind import bound as with_weights
from energysim.schemes.bind import wants_weights
from energysim.schemes.family import expanded, why_nothing
from energysim.validate.conditioning import sensitivity
from energysim.validate.execute import Step, execute, executors
from energysim.validate.expected import Expected, expected
from energysim.validate.layers import Encoder, layer_checks, support_problems
from energysim.validate.result import LayerCheck, SchemeCheck, Setup, Validation
from energysim.validate.trials import trial
from energysim.weight_sets import RANDOM, WeightSet, loaded, weight_sets
from energysim.widths import Bits, read_bits, read_widths
from energysim.zoo import load_model

__all__ = ["NETWORK_FACTOR", "TOLERANCE", "TRANSFORM_FACTOR", "validate"]

#: Allowed error of a float32 layer, over the standard deviation of its outputs.
TOLERANCE = 2e-5
#: How much of it a layer may reach on a transform path: F(4 x 4) loses about a digit.
TRANSFORM_FACTOR = 10
#: How much of it the network's outputs may reach, where errors of rounding have grown layer by layer.
NETWORK_FACTOR = 50
#: Errors of rounding that may come together on the way through a network; how far they may move its outputs.
_ROUNDINGS = 4
_MOST_SENSITIVE = 0.25
#: Memory from which on it is told before the run [B].
_MUCH = 10**9

Tell = Callable[[str], None]


def validate(
    model: str | Path | LayerGraph,
    sparsity: str | Scheme | Iterable[str | Scheme] = "psconv",
    hardware: str | Path | Hardware = "edge45",
    *,
    weights: Sequence[str | Path] = (),
    seed: int = 0,
    data: str | Path | Data = "random",
    inputs: int | None = None,
    normalise: str | None = None,
    mode: str = "float32",
    path: str = "compact",
    tolerance: float | None = None,
    winograd: bool = False,
    input: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    classes: int | None = None,
    bits: Bits | None = None,
    format_weights: str | None = None,
    strict: bool = False,
    tell: Tell | None = None,
    step: Step | None = None,
) -> Validation:
    """Run a network in its compact form and compare: outputs, multiply-adds, stored bits.

    The reference is the dense network with zeros where the kernels keep no weight, each operator by
    its definition. Layer by layer both get the reference's activations; then both run from end to
    end. Executed multiply-adds, for outputs and weights that exist, taps on padding included, must be
    those of the estimate, and the payload of the encoded weights its stored bits.

    Parameters
    ----------
    model : str, Path or LayerGraph
    sparsity : str, Scheme or several
        The dense form is always checked too; ``"all"``: every scheme that applies, ``tell`` hears which
        do not.
    hardware : str, Path or Hardware
        What the estimate is made for.
    weights : sequence of str or Path
        Files or folders, several for several trials: see :func:`energysim.weight_sets.weight_sets`.
    seed : int
        Of random weights and random images.
    data : str, Path or Data
        See :func:`energysim.data.load_data`.
    inputs : int, optional
        Number of images.
    normalise : str, optional
    mode : {"float32", "int8", "int16"}
    path : {"compact", "fast"}
    tolerance : float, optional
        Allowed error of a layer over the standard deviation of its outputs: 2e-5 by default, and
        always 0 in integer modes. Layers on a transform path may reach 10 times that, the network's
        outputs 50 times.
    winograd : bool
        Whether the fast path may multiply in a transformed domain; such layers are named, and their
        multiply-adds not counted.
    input, classes, bits, format_weights, strict
        See :func:`energysim.estimate`.
    tell, step : function, optional
        Called with messages, and with progress.

    Returns
    -------
    Validation

    Raises
    ------
    EnergysimError
        For anything that cannot be used. What disagrees is no exception but part of the result.
    """
    bound = _tolerance(mode, tolerance)
    if winograd and path != "fast":
        raise UsageError("transforms are for the fast path")
    graph = load_model(model, input, classes, 1)
    if not any(node.op.category == "mac" for node in graph):
        raise UsageError(f"{graph.name!r} has no layer that multiplies: there is nothing to validate")
    spec = hardware if isinstance(hardware, Hardware) else load_hardware(hardware)
    given = read_bits(bits)
    if given.layers:
        raise UsageError("bits: validate takes widths for all layers together, such as w=8,a=8,acc=32")
    widths = read_widths(bits, (spec.weight_bits, spec.activation_bits, spec.accumulator_bits))
    (dense,) = parse_schemes("dense")
    applying, optional = _applying(graph, sparsity, tell)
    images = (
        data if isinstance(data, Data) else load_data(data, graph, inputs, seed=seed, normalise=normalise)
    )
    name = None if isinstance(model, LayerGraph) else str(model)
    # A scheme that looks at weights makes its own from those of the dense network.
    by_scheme = _sets(weights, name, [dense, *(s for s in applying if s != dense)], seed, optional, tell)
    arrays: Mapping[str, Any] = {}
    if any(map(wants_weights, by_scheme)):
        arrays, _ = weights_of(graph, model, weights[0] if weights else None)

    def given_weights(scheme: Scheme) -> Scheme:
        return with_weights(scheme, arrays, lambda layer: widths[0])

    if strict:
        for asked in by_scheme:
            need_all_changed(asked, given_weights(asked).apply(graph))
    unsupported = support_problems(dense.apply(graph).graph)
    encoder = Encoder(spec, widths[0], format_weights, stated="w" not in dict(given.base))
    job = _Job(graph, images, encoder, mode, path, winograd, bound)
    checks: list[SchemeCheck] = []
    used: list[tuple[WeightSet, ...]] = []
    # One scheme after the other from its weights to its result: those of all would not fit in memory.
    for asked, own in by_scheme.items():
        scheme = given_weights(asked)
        try:
            rewrite = scheme.apply(graph)
            problems = support_problems(rewrite.graph)
            if problems or unsupported:
                checks.append(SchemeCheck(str(scheme), (), (), 0, 0, 0, 0, problems=problems or unsupported))
            else:
                numbers = expected(graph, scheme, spec, bits, format_weights)
                checks.append(job.check(scheme, rewrite, own, numbers, tell, step))
            used.append(own)
        except (SchemeError, WeightsError) as error:
            if asked not in optional:
                raise
            _skip(str(scheme), str(error), tell)
    setup = Setup(
        graph.name,
        shape_text(graph.tensors[graph.inputs[0]].shape[1:]),
        images.count,
        images.source,
        images.normalisation,
        _weights(used),
        seed,
        mode,
        path,
        bound,
        bound * TRANSFORM_FACTOR if winograd else None,
        bound * NETWORK_FACTOR,
        spec.name,
        spec.digest,
        ",".join(f"{key}={value}" for key, value in zip(("w", "a", "acc"), widths, strict=True)),
    )
    return Validation(setup, tuple(checks))


def _applying(
    graph: LayerGraph, sparsity: str | Scheme | Iterable[str | Scheme], tell: Tell | None
) -> tuple[list[Scheme], frozenset[Scheme]]:
    """The schemes asked for, and of those that ``all`` stands for the ones that change a layer; and these."""
    schemes, optional, skipped = expanded(parse_schemes(sparsity))
    found, left_out = [], dict(skipped)
    for scheme in schemes:
        if scheme in optional:
            try:
                rewrite = scheme.apply(graph)
            except EnergysimError as error:
                left_out[str(scheme)] = str(error)
                continue
            if not rewrite.changed:
                left_out[str(scheme)] = why_nothing(entry.reason for entry in rewrite.left)
                continue
        found.append(scheme)
    for name, reason in left_out.items():
        _skip(name, reason, tell)
    return found, optional


def _skip(scheme: str, reason: str, tell: Tell | None) -> None:
    if tell is not None:
        tell(f"skipped: {scheme}: {reason}")


def _sets(
    weights: Sequence[str | Path],
    model: str | None,
    schemes: Iterable[Scheme],
    seed: int,
    optional: Collection[Scheme],
    tell: Tell | None,
) -> dict[Scheme, tuple[WeightSet, ...]]:
    """The weights of each scheme; those that only ``all`` asked for do with random ones if none come with
    the model, and are skipped if those that are given are not theirs.
    """
    found: dict[Scheme, tuple[WeightSet, ...]] = {}
    for scheme in schemes:
        wanted = "dense" if wants_weights(scheme) else str(scheme)
        try:
            found[scheme] = weight_sets(weights, model, wanted, seed)
        except WeightsError as error:
            if scheme not in optional:
                raise
            if weights:
                _skip(str(scheme), str(error), tell)
            else:
                found[scheme] = weight_sets([RANDOM], model, wanted, seed)
    return found


def _weights(sets: Sequence[tuple[WeightSet, ...]]) -> str:
    labels = {each.label for own in sets for each in own}
    if len(labels) == 1:
        return labels.pop()
    return f"{max(map(len, sets))} set{'s' if max(map(len, sets)) > 1 else ''} for each scheme, listed below"


def _tolerance(mode: str, given: float | None) -> float:
    if mode != "float32":
        if given:
            raise UsageError(f"{mode} is checked bit for bit: there is no tolerance to give")
        return 0.0
    if given is None:
        return TOLERANCE
    if not (math.isfinite(given) and 0 <= given < 1):
        raise UsageError(f"a tolerance is a share of a standard deviation, from 0 to below 1, not {given:g}")
    return float(given)


@dataclass(frozen=True)
class _Job:
    """What is the same for all schemes."""

    graph: LayerGraph
    data: Data
    encoder: Encoder
    mode: str
    path: str
    winograd: bool
    tolerance: float

    def check(
        self,
        scheme: Scheme,
        rewrite: Rewrite,
        sets: tuple[WeightSet, ...],
        numbers: Expected,
        tell: Tell | None,
        step: Step | None,
    ) -> SchemeCheck:
        """Check one scheme: layers with the first set of weights, the network with all of them."""
        totals = numbers.macs, numbers.stored_bits, numbers.dram_bits, numbers.energy_aj
        layers: tuple[LayerCheck, ...] = ()
        transforms: tuple[str, ...] = ()
        allowed = max(self.tolerance * NETWORK_FACTOR, _largest_step(rewrite.graph))
        trials = []
        for number, each in enumerate(sets):
            weights = loaded(each, self.graph, rewrite, self.data)
            both = executors(self.graph, rewrite, weights, self.mode, self.path, self.winograd, self.data)
            if tell is not None and not number and both.memory_bytes > _MUCH:
                tell(f"{scheme}: this run needs about {both.memory_bytes / 1e9:.1f} GB of memory")
            outcome = execute(both, self.data, not number, _named(str(scheme), step))
            if not number:
                layers = layer_checks(
                    rewrite,
                    outcome,
                    numbers,
                    weights,
                    self.encoder,
                    self.data.count,
                    (self.tolerance, self.tolerance * TRANSFORM_FACTOR),
                    weight_errors(self.graph, rewrite, each, weights),
                )
                transforms = tuple(n for n, e in outcome.alone.items() if not e.counted)
            found = trial(each.label, outcome, allowed)
            if found.problems and not any(row.problems for row in layers) and self.tolerance >= TOLERANCE:
                # Each layer agrees: is it the network that makes this much of an error of rounding?
                moved = min(_ROUNDINGS * sensitivity(both.reference, self.data), _MOST_SENSITIVE)
                if moved > allowed:
                    allowed, found = moved, trial(each.label, outcome, moved)
            trials.append(found)
        return SchemeCheck(str(scheme), layers, tuple(trials), *totals, transforms, allowed=allowed)


def _largest_step(graph: LayerGraph) -> float:
    """Return by how much of a block's largest value an error of rounding may move one of its values."""
    return max((2.0 ** (2 - n.op.mantissa) for n in graph if isinstance(n.op, BlockFloat)), default=0.0)


def _named(scheme: str, step: Step | None) -> Step | None:
    return None if step is None else lambda what, done, total: step(f"{scheme} {what}", done, total)
