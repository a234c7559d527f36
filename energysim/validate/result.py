"""What a validation found: a frozen object over tables of layers and trials."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from energysim.errors import UsageError, near_miss

__all__ = ["FORMATS", "LayerCheck", "SchemeCheck", "Setup", "Trial", "Validation"]

FORMATS = ("table", "csv", "json", "markdown")


@dataclass(frozen=True)
class LayerCheck:
    """One layer that multiplies, fed with the reference's activations; counts are for one image.

    Attributes
    ----------
    node, kind, scheme : str
        ``scheme`` made its kernel, ``dense`` if it was left alone.
    max_error : float or None
        Largest difference of an output from the reference, in integer modes in steps; None if some
        output is no number, or the layer did not run.
    relative_error : float or None
        The same over the standard deviation of the reference's outputs.
    differing : int
        Outputs that are not the same bit for bit, over all images.
    executed_macs : int or None
        Counted where the products are made, for outputs and weights that exist, taps on padding
        included; None on a transform path, whose products are no multiply-adds of the layer.
    estimated_macs : int
    overhead_macs : int
        Products executed besides: padding columns, tails.
    format : str
        Storage format; empty for a product of two computed tensors.
    encoded_bits, estimated_bits : int
        Payload of the encoded weights, and weights plus side information of the estimate.
    problems : tuple of str
        What disagrees.
    weight_error : float or None
        How far reconstructed weights (E2) are from the dense ones they were made from, over their norm.
    """

    node: str
    kind: str
    scheme: str
    max_error: float | None
    relative_error: float | None
    differing: int
    executed_macs: int | None
    estimated_macs: int
    overhead_macs: int
    format: str
    encoded_bits: int
    estimated_bits: int
    problems: tuple[str, ...] = ()
    weight_error: float | None = None


@dataclass(frozen=True)
class Trial:
    """The whole network with one set of weights.

    Attributes
    ----------
    weights : str
    max_error, relative_error : float or None
        Of the network's outputs, as in :class:`LayerCheck`.
    top1_same, top5_same : int or None
        Images on which both name the same first class, and the same five; None if the network tells
        no classes apart.
    top1_correct, top5_correct : int or None
        Images whose label is the first class, one of the five; None without labels.
    problems : tuple of str
    """

    weights: str
    max_error: float | None
    relative_error: float | None
    top1_same: int | None
    top5_same: int | None
    top1_correct: int | None
    top5_correct: int | None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class SchemeCheck:
    """One scheme.

    Attributes
    ----------
    scheme : str
    layers : tuple of LayerCheck
        With the first set of weights, in network order.
    trials : tuple of Trial
        One for each set of weights.
    macs : int
        Of the estimate, for one image; as the next three.
    stored_bits : int
        Weights and side information.
    dram_bits : int
    energy_aj : int
    transforms : tuple of str
        Layers on a transform path: their multiply-adds are not counted.
    problems : tuple of str
        What disagrees besides layers and trials.
    allowed : float
        What the network's outputs may be off, over the reference's standard deviation. More than usual
        where activations are rounded to steps (an error of rounding may move a value by a step), and where
        every layer agrees and the reference itself moves as much if its inputs change in the last bit.
    """

    scheme: str
    layers: tuple[LayerCheck, ...]
    trials: tuple[Trial, ...]
    macs: int
    stored_bits: int
    dram_bits: int
    energy_aj: int
    transforms: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    allowed: float = 0.0

    @property
    def all_problems(self) -> tuple[str, ...]:
        """All that disagrees, each with its layer or its weights."""
        found = list(self.problems)
        for layer in self.layers:
            found += [f"layer {layer.node!r}: {problem}" for problem in layer.problems]
        for trial in self.trials:
            found += [f"network with {trial.weights}: {problem}" for problem in trial.problems]
        return tuple(found)

    @property
    def passed(self) -> bool:
        """Whether all agrees."""
        return not self.all_problems

    def top1(self, images: int) -> tuple[Fraction, Fraction, Fraction] | None:
        """Return mean, least and largest share of images with the right first class over the trials."""
        shares = [Fraction(t.top1_correct, images) for t in self.trials if t.top1_correct is not None]
        return (sum(shares, Fraction(0)) / len(shares), min(shares), max(shares)) if shares else None


@dataclass(frozen=True)
class Setup:
    """What was compared, and how.

    Attributes
    ----------
    model, input : str
    images : int
    data, normalisation : str
    weights : str
        What all ran with, or how many sets each scheme has.
    seed : int
    mode, path : str
        ``path`` is the executor that is checked against the reference.
    tolerance, transform_tolerance, network_tolerance : float
        Largest error of a layer, of one on a transform path (None if there are none), and of the
        network's outputs, over the standard deviation of the reference; 0 is bit for bit.
    hardware, hardware_digest, bits : str
    """

    model: str
    input: str
    images: int
    data: str
    normalisation: str
    weights: str
    seed: int
    mode: str
    path: str
    tolerance: float
    transform_tolerance: float | None
    network_tolerance: float
    hardware: str
    hardware_digest: str
    bits: str


@dataclass(frozen=True)
class Validation:
    """The result of :func:`energysim.validate.validate`.

    Attributes
    ----------
    setup : Setup
    schemes : tuple of SchemeCheck
        The dense form first.
    """

    setup: Setup
    schemes: tuple[SchemeCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether everything agrees."""
        return all(scheme.passed for scheme in self.schemes)

    @property
    def problems(self) -> tuple[str, ...]:
        """All that disagrees, each with its scheme."""
        return tuple(f"{s.scheme}: {problem}" for s in self.schemes for problem in s.all_problems)

    def render(self, form: str = "table") -> str:
        """Return the result as text in one of :data:`FORMATS`."""
        if form not in FORMATS:
            raise UsageError(f"unknown format {form!r}{near_miss(form, FORMATS)} ({', '.join(FORMATS)})")
        from energysim.validate import machine, text

        if form == "json":
            return machine.json_text(self)
        if form == "csv":
            return machine.csv(self)
        return text.render(self, markdown=form == "markdown")

    def __str__(self) -> str:
        return self.render()
