"""Dataflows by name: which loops an array of two axes and the levels inside it may have.

A preset fills in what a specification leaves open (``loops`` of axes and of levels inside the array,
``keep`` and ``bypass`` of those levels); what the specification states itself stands.

* Weight, output and input stationary: what is spread over rows and columns, and what streams past
  what the multipliers keep, as in the table of SCALE-Sim (Samajdar, Zhu, Whatmough, Mattina, Krishna,
  arXiv 1811.02883, 2018): rows and columns hold K = C R S and M (weights), N P Q and M (outputs), K
  and N P Q (inputs). Inside a PE only the loops that leave the kept tensor alone are left; the
  classes themselves are those of Chen, Emer, Sze (ISCA 2016, doi 10.1109/ISCA.2016.40).
* Row stationary (ibid.; Chen, Krishna, Emer, Sze, JSSC 2017, doi 10.1109/JSSC.2016.2616357): rows
  hold taps of one kernel axis, with channels and filters beside each other, columns hold outputs
  along the same axis and filters; a PE works through the taps of the other axis, channels, filters.
* NVDLA-like (NVIDIA, nvdla.org): input channels times kernels at a time, weights kept for a stripe
  of outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

from energysim.hardware.hierarchy import DIMENSIONS, TENSORS

__all__ = ["DATAFLOWS", "Dataflow"]


@dataclass(frozen=True)
class Dataflow:
    """Loops that a dataflow allows.

    Attributes
    ----------
    meaning : str
    columns, rows : str
        Of the first and the second axis.
    inside : str
        Of levels inside both axes.
    kept : tuple of str
        Tensors that these levels hold; the others bypass them.
    """

    meaning: str
    columns: str = DIMENSIONS
    rows: str = DIMENSIONS
    inside: str = DIMENSIONS
    kept: tuple[str, ...] = TENSORS


DATAFLOWS = {
    "free": Dataflow("any loops anywhere"),
    "row-stationary": Dataflow("kernel rows on rows, output rows on columns", "QM", "SCM", "RCM"),
    "weight-stationary": Dataflow(
        "weights stay in the array, outputs stream", "M", "CRS", "NPQ", ("weights",)
    ),
    "output-stationary": Dataflow("sums stay in the array", "M", "NPQ", "CRS", ("outputs",)),
    "input-stationary": Dataflow("inputs stay in the array", "NPQ", "CRS", "M", ("inputs",)),
    "nvdla-like": Dataflow("channels x kernels at a time", "M", "C", "NPQ", ("weights",)),
}
