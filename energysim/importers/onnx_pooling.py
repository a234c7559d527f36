"""Lowering of pooling: windows, global, and powers (LpPool)."""

from __future__ import annotations

from typing import Literal

from energysim.errors import GraphError
from energysim.graph import AdaptivePool2d, Elementwise, Pool2d, Reduce
from energysim.importers.onnx_convolutions import padded
from energysim.importers.onnx_sheet import Known, Lower, Site, UnsupportedError
from energysim.importers.onnx_windows import as_map, axes_of_image, from_map, read_window

__all__ = ["POOLING"]


def _pool(site: Site, mode: Literal["max", "average"], tensor: str, include: bool) -> str:
    """Pool a map."""
    call = site.call
    image = site.value(0).shape[2:]
    window = read_window(call, call.integers("kernel_shape"), image)
    tensor, pads = padded(site, tensor, window, float("-inf") if mode == "max" else 0.0)
    op = Pool2d(
        mode,
        window.size,
        window.stride,
        pads,
        window.dilation,
        # With auto_pad the size of the output is given: nothing hangs over.
        bool(call.integer("ceil_mode", 0)) and not call.string("auto_pad", "NOTSET").startswith("SAME"),
        include,
    )
    return site.one(op, tensor)


def max_pool(site: Site) -> list[Known | None]:
    """MaxPool; the places of the maxima, its second output, are not known here."""
    x = site.value(0)
    axes = axes_of_image(x)
    return [from_map(site, _pool(site, "max", as_map(site, x), True), axes), None]


def average_pool(site: Site) -> list[Known]:
    """AveragePool."""
    x = site.value(0)
    axes = axes_of_image(x)
    include = bool(site.call.integer("count_include_pad", 0))
    return [from_map(site, _pool(site, "average", as_map(site, x), include), axes)]


def lp_pool(site: Site) -> list[Known]:
    """LpPool: (sum of |x| ** p) ** (1 / p), the sum as an average times the size of the window."""
    x = site.value(0)
    axes, power = axes_of_image(x), float(site.call.integer("p", 2))
    if site.call.integer("ceil_mode", 0):
        raise UnsupportedError("its windows hang over the end (ceil_mode)")
    if power < 1:
        raise GraphError(f"a power of {power:g}")
    count = 1
    for size in site.call.integers("kernel_shape"):
        count *= size
    tensor = site.one(Elementwise("abs"), as_map(site, x), part="abs")
    tensor = site.one(Elementwise("power", (power,)), tensor, part="powers")
    tensor = _pool(site, "average", tensor, True)
    tensor = site.one(Elementwise("multiply", (float(count),)), tensor, part="sum")
    return [from_map(site, site.one(Elementwise("power", (1 / power,)), tensor, part="root"), axes)]


def _global(mode: Literal["max", "average"]) -> Lower:
    def lower(site: Site) -> list[Known]:
        x = site.value(0)
        if len(x.shape) < 3:
            raise GraphError(f"global pooling of {len(x.shape)} dimensions")
        tensor = site.batched(x)
        if len(x.shape) == 4:
            return [site.result(site.one(AdaptivePool2d(mode), tensor), True)]
        _, channels, *image = x.shape
        size = 1
        for length in image:
            size *= length
        made = site.one(AdaptivePool2d(mode), site.view(tensor, (channels, 1, size)))
        return [site.result(site.view(made, (channels, *(1 for _ in image))), True)]

    return lower


def global_lp_pool(site: Site) -> list[Known]:
    """GlobalLpPool: a reduction over all image axes."""
    x = site.value(0)
    power = site.call.integer("p", 2)
    if power not in (1, 2):
        raise UnsupportedError(f"its power is {power}; 1 and 2 are known")
    op = Reduce("l1" if power == 1 else "l2", tuple(range(2, len(x.shape))))
    return [site.result(site.one(op, site.batched(x)), True)]


POOLING: dict[tuple[str, int], Lower] = {
    ("AveragePool", 1): average_pool,
    ("GlobalAveragePool", 1): _global("average"),
    ("GlobalLpPool", 2): global_lp_pool,
    ("GlobalMaxPool", 1): _global("max"),
    ("LpPool", 2): lp_pool,
    ("MaxPool", 1): max_pool,
}
