"""What a report says of a DRAM that is made of devices, and whether it holds the network."""

from __future__ import annotations

from energysim.cost.dram_commands import device_dram
from energysim.errors import CapacityError
from energysim.hardware import Hardware

__all__ = ["dram_notes", "need_dram_capacity"]


def dram_notes(hardware: Hardware) -> tuple[str, ...]:
    """Return the lines of a report, none for a DRAM with one price per bit."""
    dram = device_dram(hardware)
    if dram is None:
        return ()
    system = dram.system
    counts = f"{system.channels} x {system.ranks} x {system.devices_per_rank}"
    notes = (
        f"DRAM: {counts} {system.device.name} (channels x ranks x devices), addresses {system.mapping}, row "
        f"policy {system.row_policy}; energy of activations, whole bursts, standby with a row open and "
        "refresh; bits of DRAM are those of whole bursts",
        "DRAM mapping: the one that is best in commands of three that are each proven best by the price of "
        "bursts from open rows: of any tiles, of whole image rows, of whole images; the gap is to that price",
        "DRAM addresses (assumed): tensors one behind the other, each from the start of a row; maps as N, "
        "C, H, W; weights in the order in which they are first visited; rows that a refresh closes are not "
        "opened again",
    )
    if not system.device.caveat:
        return notes
    return (*notes, f"DRAM CAVEAT of {system.device.name}: {system.device.caveat}")


def need_dram_capacity(hardware: Hardware, weight_bits: int) -> None:
    """Refuse a DRAM made of devices that does not hold the weights of a network.

    Parameters
    ----------
    hardware : Hardware
    weight_bits : int
        All stored weights, with the tables, indices and pointers beside them.

    Raises
    ------
    CapacityError
        Says how many channels would do.
    """
    dram = device_dram(hardware)
    if dram is None or weight_bits <= dram.system.capacity_bits:
        return
    system = dram.system
    channels = -(-weight_bits * system.channels // system.capacity_bits)
    raise CapacityError(
        f"the weights of the network take {weight_bits} bit and the DRAM of {hardware.name!r} has "
        f"{system.capacity_bits} ({system.channels} x {system.ranks} x {system.devices_per_rank} "
        f"{system.device.name}); {channels} channels would do"
    )
