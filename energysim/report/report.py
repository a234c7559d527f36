"""The report: a frozen object over two tidy tables."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from energysim.errors import UsageError, near_miss
from energysim.report.rows import PARTS, Run, Setup
from energysim.report.totals import Totals, totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd
    from matplotlib.figure import Figure

    from energysim.hardware import Hardware
    from energysim.report.plots.buffer_curve import CurvePoint

__all__ = ["FORMATS", "Report"]

FORMATS = ("table", "csv", "json", "markdown")

#: What totals can be asked for -> the parts they sum.
_SUMS = {**{part: (part,) for part in PARTS}, "mac": tuple(part for part in PARTS if part != "other")}


@dataclass(frozen=True, repr=False)
class Report:
    """Estimates of one network on one piece of hardware under one or more schemes.

    Attributes
    ----------
    setup : Setup
        Model, hardware, rules: all that the numbers depend on.
    runs : tuple of Run
        One per scheme, the dense reference first.
    skipped : tuple of (str, str)
        Schemes that ``all`` stood for and that do not apply, and why.
    """

    setup: Setup
    runs: tuple[Run, ...]
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def schemes(self) -> tuple[str, ...]:
        """The schemes, in order."""
        return tuple(run.scheme for run in self.runs)

    def run(self, scheme: str | None = None) -> Run:
        """Return the run of a scheme, by default the last one; raise UsageError for an unknown one."""
        if scheme is None:
            return self.runs[-1]
        for run in self.runs:
            if run.scheme == scheme:
                return run
        hint = near_miss(scheme, self.schemes)
        raise UsageError(f"the report has no scheme {scheme!r}{hint} (it has {', '.join(self.schemes)})")

    def sorted_by(self, quantity: str) -> Report:
        """Return the report with its schemes in ascending order of a total, the first one (dense) first.

        Parameters
        ----------
        quantity : str
            One of :data:`energysim.report.comparison.QUANTITIES`, or ``scheme`` for the names' order.
        """
        from energysim.report.comparison import in_order

        return in_order(self, quantity)

    def totals(self, scheme: str | None = None, part: str | None = None) -> Totals:
        """Return exact sums for the whole batch.

        Parameters
        ----------
        scheme : str, optional
            By default the last scheme of the report.
        part : {"convolution", "linear", "matmul", "other", "mac"}, optional
            Which layers; ``mac`` are all but ``other``; by default all.
        """
        if part is None:
            return totals(self.run(scheme))
        if part not in _SUMS:
            raise UsageError(f"unknown part {part!r}{near_miss(part, _SUMS)} ({', '.join(_SUMS)})")
        kept = _SUMS[part]
        return totals(self.run(scheme), lambda row: row.part in kept)

    def assumed_share(self, scheme: str | None = None) -> Fraction:
        """Return the share of the energy that rests on assumed constants, exact."""
        assumed = {use.path for use in self.setup.constants if use.kind == "assumed"}
        rows = self.run(scheme).accesses
        total = sum(row.energy_aj for row in rows)
        resting = sum(row.energy_aj for row in rows if row.constant in assumed)
        return Fraction(resting, total) if total else Fraction(0)

    def to_frame(self, table: str = "layers") -> pd.DataFrame:
        """Return a tidy frame; its columns are documented in :mod:`energysim.report.columns`.

        Parameters
        ----------
        table : {"layers", "accesses", "levels", "tensors", "actions"}
            ``layers``: a row per scheme and node, with energy per level; ``accesses``: a row per
            scheme, node, level, tensor and action; the others are sums of accesses, a row per scheme and
            level, with tensor or action. Counts are for the whole batch.
        """
        from energysim.report import frames

        return frames.frame(self, table)

    def per_layer(self, scheme: str | None = None) -> pd.DataFrame:
        """Return the layer table of one scheme, by default the last, indexed by node."""
        return self._of("layers", scheme, ["node"])

    def per_level(self, scheme: str | None = None) -> pd.DataFrame:
        """Return elements, bits and energy of one scheme, by default the last, indexed by level."""
        return self._of("levels", scheme, ["level"])

    def per_tensor(self, scheme: str | None = None) -> pd.DataFrame:
        """Return elements, bits and energy of one scheme, indexed by level and tensor."""
        return self._of("tensors", scheme, ["level", "tensor"])

    def per_action(self, scheme: str | None = None) -> pd.DataFrame:
        """Return elements, bits and energy of one scheme, indexed by level and action."""
        return self._of("actions", scheme, ["level", "action"])

    def _of(self, table: str, scheme: str | None, index: list[str]) -> pd.DataFrame:
        """The rows of one scheme."""
        frame = self.to_frame(table)
        chosen = frame[frame["scheme"] == self.run(scheme).scheme]
        return chosen.drop(columns="scheme").set_index(index)

    def compare(self, reference: str | None = None, by: str = "layer") -> pd.DataFrame:
        """Return every scheme beside a reference, with the factors by which it shrank.

        Parameters
        ----------
        reference : str, optional
            By default the first scheme, the dense network.
        by : {"layer", "part", "network"}
            Sums by layer of the original network, whatever a scheme made of it, by part, or of all.

        Returns
        -------
        pandas.DataFrame
            ``layer``, ``part`` or ``network``, ``scheme``, and for each quantity its value and
            ``<quantity>_factor`` = reference / value, missing where the value is 0.
        """
        from energysim.report import comparison

        return comparison.frame(self, by, reference)

    def plot_energy(self, by: str | None = None) -> Figure:
        """Return a figure of the energies by memory level: see :mod:`energysim.report.plots.energy`.

        Parameters
        ----------
        by : {"layer", "part", "network"}, optional
            What a bar stands for; by default ``layer``, or ``network`` for more than six schemes.
        """
        from energysim.report.plots.energy import plot_energy

        return plot_energy(self, by)

    def plot_traffic(self, level: str = "dram", by: str | None = None) -> Figure:
        """Return a figure of a memory's traffic by tensor: see :mod:`energysim.report.plots.traffic`."""
        from energysim.report.plots.traffic import plot_traffic

        return plot_traffic(self, level, by)

    def plot_storage(self, by: str | None = None) -> Figure:
        """Return a figure of the stored weights: see :mod:`energysim.report.plots.storage`."""
        from energysim.report.plots.storage import plot_storage

        return plot_storage(self, by)

    def plot_roofline(self, hardware: Hardware | str | Path | None = None) -> Figure:
        """Return the roofline of all layers: see :mod:`energysim.report.plots.roofline`.

        Parameters
        ----------
        hardware : Hardware, str or Path, optional
            The specification the report was made with; by default the one of its name.
        """
        from energysim.report.plots.roofline import plot_roofline

        return plot_roofline(self, hardware)

    def plot_patterns(self, window: tuple[int, int] = (3, 3)) -> Figure:
        """Return a figure of the periodic support sets: see :mod:`energysim.report.plots.patterns`."""
        from energysim.report.plots.patterns import plot_patterns

        return plot_patterns(self, window)

    def plot_tradeoff(
        self, accuracies: Mapping[str, float] | None = None, label: str = "accuracy [%]"
    ) -> Figure:
        """Return accuracy against energy with the Pareto front: see :mod:`energysim.report.plots.tradeoff`.

        Parameters
        ----------
        accuracies : mapping of str to float, optional
            Scheme to percent; by default those measured or published for the network, never any other.
        label : str
            What given accuracies are.
        """
        from energysim.report.plots.tradeoff import plot_tradeoff

        return plot_tradeoff(self, accuracies, label)

    def plot_buffer_curve(self, points: Iterable[CurvePoint], layer: str | None = None) -> Figure:
        """Return DRAM traffic against the size of the buffer: see :mod:`energysim.report.plots.buffer_curve`.

        Parameters
        ----------
        points : iterable of BufferPoint
            What :func:`energysim.curves.buffer_curve` returns for the network of this report: other sizes
            of the buffer are other estimates, which a report does not hold.
        layer : str, optional
            The layer that they are of; all layers with multiply-adds if not given.
        """
        from energysim.report.plots.buffer_curve import plot_curve, title_of_curve

        return plot_curve(points, title_of_curve(f"{self.setup.model} {self.setup.input}", layer))

    def to_html(self) -> str:
        """Return one self-contained HTML page, for several reports see :mod:`energysim.report.page`."""
        from energysim.report.page import render_page

        return render_page([self])

    def to_json(self) -> str:
        """Return the report as JSON text: exact, without path, time or host name."""
        from energysim.report.json_form import to_json

        return to_json(self)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Return the report written by :meth:`to_json`; raise UsageError for anything else."""
        from energysim.report.json_form import from_json

        return from_json(text)

    def render(self, form: str = "table") -> str:
        """Return the report as text in one of :data:`FORMATS`."""
        if form not in FORMATS:
            raise UsageError(f"unknown format {form!r}{near_miss(form, FORMATS)} ({', '.join(FORMATS)})")
        if form == "json":
            return self.to_json()
        if form == "csv":
            from energysim.report.csv_form import csv_text
            from energysim.report.frames import layer_records

            return csv_text(layer_records(self), ["folded_into"])
        from energysim.report.text import render

        return render(self, markdown=form == "markdown")

    def save(self, path: str | Path, form: str | None = None) -> None:
        """Write the report to a file, by default in the format of its suffix; all or nothing."""
        from energysim.report.files import form_of, write_text

        write_text(Path(path), self.render(form or form_of(Path(path))))

    def __repr__(self) -> str:
        return f"Report({self.setup.model!r} on {self.setup.hardware!r}: {', '.join(self.schemes)})"

    def __str__(self) -> str:
        return self.render()

    def _repr_html_(self) -> str:
        from energysim.report.html import summary

        return summary(self)
