"""Weights and MACs of the papers' networks under every configuration of their figures.

The table was computed from the definitions alone; the counts here come from the graphs of the zoo
and the kernels of the schemes. First convolution, 1x1 convolutions and linear layers are dense;
biases and normalisation are not counted. 1 MAC is one multiply-add, padding included.
"""

from __future__ import annotations

from functools import cache
from math import prod

import pytest

from energysim.graph import Conv2d, Linear
from energysim.schemes import parse_scheme
from energysim.zoo import load_model

NETS = ("resnet18-cifar10", "vgg16-cifar10", "vgg16-tiny", "resnet18-tiny")

# Configuration: for each network weights of convolutions / and linear layers in millions, MACs in millions.
TABLE = """
dense     11.159/11.164 555.4  14.710/14.716 313.2  14.710/15.120 1253.2  11.159/11.569 2222.1
KSS5       6.277/6.282  312.2   8.173/8.178  174.8   8.173/8.583   699.5   6.277/6.686  1249.0
KSS4       5.056/5.061  251.3   6.539/6.544  140.2   6.539/6.949   561.1   5.056/5.466  1005.7
KSS3       3.836/3.841  190.5   4.905/4.910  105.6   4.905/5.314   422.7   3.836/4.245   762.5
KSS2       2.615/2.620  129.7   3.270/3.275   71.0   3.270/3.680   284.3   2.615/3.025   519.2
KSS1       1.394/1.399   68.9   1.636/1.641   36.4   1.636/2.046   145.9   1.394/1.804   275.9
PSD4_P8    5.819/5.824  289.3   7.560/7.566  161.8   7.560/7.970   647.6   5.819/6.229  1157.8
PSD4_P16   5.438/5.443  270.3   7.050/7.055  151.0   7.050/7.459   604.4   5.438/5.847  1081.8
PSD2_P8    3.683/3.688  182.9   4.700/4.705  101.3   4.700/5.110   405.4   3.683/4.093   732.1
PSD2_P16   3.149/3.154  156.3   3.985/3.990   86.1   3.985/4.395   344.9   3.149/3.559   625.6
PSD1_P16   2.005/2.010   99.3   2.453/2.458   53.7   2.453/2.863   215.1   2.005/2.414   397.6
"""
ROWS = {row[0]: row[1:] for row in (line.split() for line in TABLE.strip().splitlines())}

SCHEMES = [
    ("dense", "dense"),
    *((f"KSS{kss}", f"psc:kss={kss}") for kss in (5, 4, 3, 2, 1)),
    ("dense", "psc:kss=9"),
    ("KSS4", "psconv:PS4_P4"),
    ("KSS2", "psconv:PS2_P6"),
    ("KSS2", "psconv:PSD1_P8"),
    ("KSS1", "psconv:PS1_P9"),
    *((name, f"psconv:{name}") for name in ROWS if name.startswith("PSD")),
]


@cache
def counts(net: str, scheme: str) -> tuple[int, int, int]:
    """Weights of convolutions, weights of linear layers, multiply-adds of both."""
    graph = parse_scheme(scheme).apply(load_model(net)).graph
    conv = linear = macs = 0
    for node in graph:
        (shape, *_), (out, *_) = graph.input_shapes(node), graph.output_shapes(node)
        if isinstance(node.op, Conv2d):
            weights = node.op.layout((shape,)).nonzeros
            conv += weights
            macs += weights * prod(out[2:])
        elif isinstance(node.op, Linear):
            linear += shape[-1] * out[-1]
            macs += shape[-1] * out[-1]
    return conv, linear, macs


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize(("row", "scheme"), SCHEMES)
def test_table(net, row, scheme):
    conv, linear, macs = counts(net, scheme)
    column = 2 * NETS.index(net)
    assert f"{conv / 1e6:.3f}/{(conv + linear) / 1e6:.3f}" == ROWS[row][column]
    assert f"{macs / 1e6:.1f}" == ROWS[row][column + 1]


def reduction(net, scheme, which):
    dense, sparse = counts(net, "dense"), counts(net, scheme)
    pick = {"conv": lambda c: c[0], "conv+fc": lambda c: c[0] + c[1], "macs": lambda c: c[2]}[which]
    return pick(dense) / pick(sparse)


def test_headline_resnet18_cifar10():
    """82 % fewer parameters, 5.6x fewer MACs: PSD1_P16, by either way of counting weights."""
    for which in ("conv", "conv+fc"):
        assert f"{100 - 100 / reduction('resnet18-cifar10', 'psconv:PSD1_P16', which):.1f}" == "82.0"
    assert f"{reduction('resnet18-cifar10', 'psconv:PSD1_P16', 'macs'):.2f}" == "5.59"


def test_headline_vgg16_tiny():
    """83.3 % fewer parameters, 5.8x fewer MACs: PSD1_P16, weights of convolutions only."""
    assert f"{100 - 100 / reduction('vgg16-tiny', 'psconv:PSD1_P16', 'conv'):.1f}" == "83.3"
    assert f"{100 - 100 / reduction('vgg16-tiny', 'psconv:PSD1_P16', 'conv+fc'):.1f}" == "81.1"
    assert f"{reduction('vgg16-tiny', 'psconv:PSD1_P16', 'macs'):.2f}" == "5.83"


@pytest.mark.parametrize("scheme", ["psc:kss=2", "psconv:PS2_P6"])
def test_headline_allerton(scheme):
    """4.24x fewer parameters: KSS 2 on ResNet18, all parameters with normalisation, cut to two decimals."""
    graph = load_model("resnet18-cifar10")
    dense = graph.parameter_count()
    conv, *_ = counts("resnet18-cifar10", "dense")
    saved = conv - counts("resnet18-cifar10", scheme)[0]
    assert f"{dense / 1e6:.2f}" == "11.17"
    assert f"{(dense - saved) / 1e6:.2f}" == "2.63"
    assert dense * 100 // (dense - saved) == 424
    assert f"{reduction('resnet18-cifar10', scheme, 'conv'):.2f}" == "4.27"
    assert f"{reduction('resnet18-cifar10', scheme, 'conv+fc'):.2f}" == "4.26"


def test_all_parameters_of_the_dense_networks():
    found = {net: f"{load_model(net).parameter_count() / 1e6:.3f}" for net in NETS}
    assert found == {
        "resnet18-cifar10": "11.174",
        "vgg16-cifar10": "14.728",
        "resnet18-tiny": "11.579",
        "vgg16-tiny": "15.133",
    }


def test_periods_that_do_not_divide_the_channels_are_no_reason_to_stay_dense():
    """64 channels, P = 6 and 9: the layers are sparse, and the count over (f, c) is exact."""
    for name in ("PS2_P6", "PS1_P9"):
        rewrite = parse_scheme(f"psconv:{name}").apply(load_model("resnet18-cifar10"))
        kernels = [n.op.kernel for n in rewrite.graph if isinstance(n.op, Conv2d) and n.op.kernel is not None]
        assert len(kernels) == 16
        assert all(k.nonzeros == k.shape[0] * k.shape[1] * int(name[2]) for k in kernels)
