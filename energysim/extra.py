"""What a node does and stores besides what its operator says: stated by a scheme, costed by the models.

Plain integers, for the whole batch of the graph they are stated for. Everything is nothing by default.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from energysim.errors import SchemeError

__all__ = ["NOTHING", "Extra", "Generated", "Table"]


@dataclass(frozen=True)
class Generated:
    """Weights that are not stored but computed from fewer values.

    Attributes
    ----------
    values : int
        What is stored in the place of the weights.
    value_bits : int or None
        Width of each [bit]; None: that of a weight.
    macs : int
        Multiply-adds that make the whole weight tensor from them.
    on_chip : bool
        True: only the values cross DRAM, and the weights are made anew with every pass over them. False:
        made once when the network is loaded and written to DRAM, which then holds all of them.
    """

    values: int
    value_bits: int | None
    macs: int = 0
    on_chip: bool = True

    def bits(self, width: int) -> int:
        """Return what is stored [bit], where a weight has ``width`` bits."""
        return self.values * (self.value_bits or width)


@dataclass(frozen=True)
class Table:
    """A table that several layers share: stored once in a network.

    Attributes
    ----------
    name : str
    values : int
    value_bits : int or None
        Width of each [bit]; None: that of a weight.
    at_load : bool
        Whether it is read only when the network is loaded; else once in every run.
    """

    name: str
    values: int
    value_bits: int | None
    at_load: bool = False

    def bits(self, width: int) -> int:
        """Return what is stored [bit], where a weight has ``width`` bits."""
        return self.values * (self.value_bits or width)


@dataclass(frozen=True)
class Extra:
    """Quantities of one node.

    Attributes
    ----------
    weight_bits : int or None
        Width of a stored weight [bit]; None: that of the setting.
    weight_format : str or None
        Storage format of a sparse weight tensor, if the scheme fixes one; it goes before what is asked for.
    side_bits : int
        Scales, counts, indices that are read with every pass over the weights, besides those of the
        storage format [bit].
    table_bits : int
        Tables of this layer that are read once and stay on chip [bit].
    float_macs, float_bits : int
        Multiply-adds in floating point besides those of the loop nest, and their width [bit].
    additions : bool
        Whether the products of the loop nest are additions: weights of -1, 0 and 1.
    other_ops : int
        Elementary operations besides those of the operator.
    gathers : int
        Elements read from the buffer at computed addresses, besides the reads of the loop nest.
    spilled : int
        Values that are written to DRAM and read back besides the outputs, where the parts of a rewritten
        layer do not run in step (the samples of a deformable convolution, a spectrum).
    generated : Generated or None
        If the weights are not stored as such.
    tied : bool
        Whether the weights are those of another node: read with every pass, stored there.
    """

    weight_bits: int | None = None
    weight_format: str | None = None
    side_bits: int = 0
    table_bits: int = 0
    float_macs: int = 0
    float_bits: int = 32
    additions: bool = False
    other_ops: int = 0
    gathers: int = 0
    spilled: int = 0
    generated: Generated | None = None
    tied: bool = False

    def with_more(self, node: str, other: Extra) -> Extra:
        """Return the quantities that either states.

        Raises
        ------
        SchemeError
            If both state one differently, or what one states contradicts the other; names the node.
        """
        found = {}
        for entry in fields(Extra):
            one, two = getattr(self, entry.name), getattr(other, entry.name)
            if one != entry.default and two not in (entry.default, one):
                if isinstance(one, Generated) and isinstance(two, Generated):
                    made = f"each make its weights from fewer values, {one.values} and {two.values}"
                    raise SchemeError(f"layer {node!r}: two schemes {made}")
                raise SchemeError(f"layer {node!r}: its {entry.name} is stated twice, {one} and {two}")
            found[entry.name] = one if two == entry.default else two
        for one, two in ((self, other), (other, self)):
            if one.generated is not None and two.weight_bits is not None and one.weight_bits is None:
                raise SchemeError(
                    f"layer {node!r}: one scheme makes its weights from fewer values, another stores them in "
                    f"{two.weight_bits} bits"
                )
        return Extra(**found)


#: Nothing besides what the operator says.
NOTHING = Extra()
