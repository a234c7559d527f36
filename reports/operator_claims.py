"""What papers claim of their operators, and how the same figure comes out here.

Only claims that were read: in the paper or its abstract, or in the authors' files (README, code). Networks
that are not in the zoo are those of the tests (tests/schemes/published_networks.py).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import prod
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests" / "schemes"))

import published_networks as published

from energysim import GraphBuilder, estimate, load_model
from energysim.graph import LayerGraph
from energysim.report.totals import Totals
from energysim.schemes import parse_scheme

__all__ = ["CLAIMS", "Claim"]


@dataclass(frozen=True)
class Claim:
    """A published figure.

    Attributes
    ----------
    scheme, claim, source : str
        Text of the scheme, what is claimed, where it was read.
    computed : function
        () -> the same figure by this program, in words.
    remark : str
        Why both agree or do not.
    """

    scheme: str
    claim: str
    source: str
    computed: Callable[[], str]
    remark: str


def parameters(graph: LayerGraph, scheme: str = "dense") -> int:
    """Parameters as frameworks count them: weights that exist, biases, scale and offset of batch norms."""
    found = parse_scheme(scheme).apply(graph).graph
    absent = sum(
        prod(node.op.kernel.shape) - node.op.kernel.nonzeros
        for node in found
        if getattr(node.op, "kernel", None) is not None
    )
    return sum(map(prod, found.parameters().values())) - absent


@cache
def totals(network: str, scheme: str, part: str | None = None) -> tuple[Totals, Totals]:
    """Sums of the dense network and of a scheme, of a network by its name in the zoo."""
    report = estimate(network, scheme)
    return report.totals("dense", part), report.totals(report.schemes[-1], part)


def macs(graph: LayerGraph, scheme: str = "dense") -> int:
    """Multiply-adds of a network."""
    report = estimate(graph, scheme)
    return report.totals(report.schemes[-1]).macs


def less(dense: int, found: int) -> str:
    """How much less, in percent."""
    return f"{float(100 - Fraction(100 * found, dense)):.1f} %"


def times(dense: int, found: int) -> str:
    """How many times less."""
    return f"{float(Fraction(dense, found)):.2f}x"


def comb() -> str:
    dense, found = totals("vgg16", "comb", "convolution")
    return f"{less(dense.macs, found.macs)} fewer MACs in the convolutions of VGG-16"


def slim(scheme: str) -> Callable[[], str]:
    def computed() -> str:
        graph = load_model("resnet50")
        return f"{parameters(graph, scheme):,} parameters, {macs(graph, scheme):,} MACs"

    return computed


def roots() -> str:
    graph = published.resnet50_v1()
    few, many = parameters(graph, "roots:m=64"), parameters(graph)
    return f"{less(many, few)} fewer parameters, {less(macs(graph), macs(graph, 'roots:m=64'))} fewer MACs"


def shift(depth: int, scheme: str = "dense") -> Callable[[], str]:
    def computed() -> str:
        graph = published.resnet_cifar(depth)
        return f"{parameters(graph, scheme):,} parameters, {macs(graph, scheme):,} MACs"

    return computed


def dsconv() -> str:
    dense, found = totals("resnet50", "dsconv:bits=2,block=128", "convolution")
    dense_bits = dense.weight_bits * 4  # floating point of 32 bits against weights of 8
    return f"{times(dense_bits, found.stored_weight_bits)} over all convolutions of ResNet-50"


def penni() -> str:
    dense, found = totals("resnet18-cifar10", "penni:d=5,density=0.1")
    stored = times(dense.stored_weight_bits, found.stored_weight_bits)
    return (
        f"{less(dense.weight_bits, found.weight_bits)} of the weights, {less(dense.macs, found.macs)} of the "
        f"MACs with d=5 and a tenth of the coefficients; with their bitmap {stored} fewer bits"
    )


def csg(depth: int) -> Callable[[], str]:
    def computed() -> str:
        graph = published.resnet_cifar_padded(depth)
        report = estimate(graph, "csg:s=12,c=72")
        plain, found = (report.totals(name).stored_weight_bits // 8 for name in report.schemes)
        many = parameters(graph)
        few = many - plain + found
        return f"{few:,} for {many:,} parameters: {times(many, few)}; MACs the same"

    return computed


def layer(channels: int, filters: int) -> LayerGraph:
    """One 3x3 convolution behind another; 28 x 28."""
    b = GraphBuilder("layer", (3, 28, 28))
    x = b.conv(b.input, channels, 3, padding=1, bias=False, name="first")
    return b.build(b.conv(x, filters, 3, padding=1, bias=False, name="layer"))


def of_layer(scheme: str, channels: int, filters: int, bits: int = 8) -> tuple[int, int]:
    """Stored bits of the second of two layers, dense and with a scheme."""
    report = estimate(layer(channels, filters), scheme, bits=bits)
    dense, found = (
        sum(row.weight_bits + row.side_bits for row in run.layers if row.origin == "layer")
        for run in report.runs
    )
    return dense, found


def lean() -> str:
    one, eight = (times(*of_layer(s, 256, 256)) for s in ("lean", "lean:groups=8"))
    return f"{one} (depthwise), {eight} (8 groups) for 256 to 256 channels"


def sparse(bits: int) -> Callable[[], str]:
    return lambda: times(*of_layer("nm:2:4", 64, 128, bits))


def esp() -> str:
    graph = parse_scheme("esp_*=esp").apply(published.espnet(8, decoder=True)).graph
    return f"{parameters(graph) + published.slopes(graph):,} parameters"


def dilated() -> str:
    one, two = (totals("resnet18-cifar10", s)[1] for s in ("dwseparable", "dwdilated:rates=1/2"))
    return f"{two.macs - one.macs} more MACs, {two.weight_bits - one.weight_bits} more bits than dwseparable"


def csc() -> str:
    b = GraphBuilder("square", (1024, 1, 1))
    graph = b.build(b.linear(b.flatten(b.input), 1024, bias=False, name="fc"))
    report = estimate(graph, "csc:fan=4")
    dense, found = (report.totals(name).weight_bits // 8 for name in report.schemes)
    return f"{found:,} for {dense:,} weights of a 1024 x 1024 layer, fan-in 4: {times(dense, found)}"


def psconv(network: str, scheme: str) -> Callable[[], str]:
    def computed() -> str:
        dense, found = totals(network, scheme, "convolution")
        fewer = less(dense.weight_bits, found.weight_bits)
        stored = times(dense.weight_bits, found.weight_bits)
        return f"{fewer} ({stored}) fewer weights of convolutions, {times(dense.macs, found.macs)} fewer MACs"

    return computed


def deform() -> str:
    graph = load_model("resnet50")
    layers = [f"layer{stage}.*conv2=deform" for stage in (2, 3, 4)]
    more = parameters(graph, "; ".join(layers)) - parameters(graph)
    return f"{more:,} more parameters of ResNet-50 ({float(Fraction(100 * more, parameters(graph))):.1f} %)"


def nothing() -> str:
    return "not computed"


SHIFT_COUNTER = (
    "parameters exact; the README counts the first convolution as 9\\*64\\*32\\*32 instead of "
    "27\\*16\\*32\\*32 MACs, 147,456 too many"
)
CLAIMS = (
    Claim(
        "comb",
        "about 50 % fewer FLOPs (VGG)",
        "Li et al., arXiv 1911.00387, abstract",
        comb,
        "the first convolution stays; weights, and so their DRAM traffic, do not shrink",
    ),
    Claim(
        "csc",
        "memory and work O(N log N) instead of O(N^2)",
        "Hosseini et al., TVLSI 2021, abstract",
        csc,
        "LeNet-300-100 46x (CSCMAC, ISQED 2020) was read too, its layer parameters were not",
    ),
    Claim(
        "csg:s=12,c=72",
        "about 2x on average, up to 5x fewer parameters",
        "Associative Convolutional Layers, AISTATS 2021, abstract",
        csg(20),
        "ResNet-20; a deeper network shares the generator among more layers",
    ),
    Claim("csg:s=12,c=72", "up to 5x fewer parameters", "the same", csg(56), "ResNet-56"),
    Claim(
        "deform",
        "about 1 % more parameters (Mask R-CNN)",
        "DefT, abstract",
        deform,
        "all 3x3 of the last three stages; a detector has more parameters beside its backbone",
    ),
    Claim(
        "dsconv:bits=2,block=128",
        "up to 14x less kernel memory",
        "Nascimento et al., ICCV 2019, abstract",
        dsconv,
        "2 bits and a 32-bit scale for 128 weights; MACs are not fewer, and some are floating-point",
    ),
    Claim(
        "dwdilated",
        "dilation rates side by side at no extra parameters or computation",
        "J. Theor. Appl. Inf. Tech. 98(15), 2020, abstract",
        dilated,
        "if channels are split among the rates (assumed)",
    ),
    Claim(
        "esp",
        "as many parameters as ENet, 0.36M",
        "sacmehta/ESPNet, README; ENet's figure elsewhere",
        esp,
        "ESPNet, q = 8, 20 classes, with the slopes of its PReLUs",
    ),
    Claim(
        "freq:rate=0.01",
        "LeNet-5 of 0.4M to 776 values of 16 bits, more than 1100x",
        "Frequency Regularization, IEEE Access 11, 2023, abstract",
        nothing,
        "not reproducible: nonzeros after training, below the floors per layer in the authors' code",
    ),
    Claim(
        "lean",
        "3 to 10 times fewer weights and FLOPs",
        "Ephrath et al., arXiv 1904.06952 and 1910.13157, abstracts",
        lean,
        "layer by layer; the 1x1 part is 1/9 of the dense one",
    ),
    Claim(
        "nm:2:4",
        "16 bits: 64 bits become 36, 1.78x",
        "format notes of 2:4 sparsity in library documentation",
        sparse(16),
        "two bits a kept weight: never 2x",
    ),
    Claim("nm:2:4", "8 bits: 32 bits become 20, 1.6x", "the same", sparse(8), "the same"),
    Claim(
        "penni:d=5",
        "97 % of parameters and 92 % of FLOPs removed, ResNet-18 on CIFAR-10",
        "Li et al., ICML 2020, abstract",
        penni,
        "how many coefficients are left is a result of training, given here; the paper counts no positions",
    ),
    Claim(
        "psconv:PSD1_P16",
        "82 % fewer parameters, 5.6x fewer FLOPs, ResNet-18 on CIFAR-10",
        "Kundu et al., IEEE Trans. Computers 69(7), 2020, abstract",
        psconv("resnet18-cifar10", "psconv:PSD1_P16"),
        "mean support (1*15 + 9)/16 = 1.5 of 9; first, 1x1 and linear layers dense",
    ),
    Claim(
        "psconv:PSD1_P16",
        "83.3 % fewer parameters, 5.8x fewer FLOPs, VGG-16 on Tiny ImageNet",
        "the same",
        psconv("vgg16-tiny", "psconv:PSD1_P16"),
        "convolutions only: with its linear layer the network loses less",
    ),
    Claim(
        "psc:kss=2",
        "up to 4.24x fewer parameters",
        "Kundu et al., Allerton 2019, abstract",
        psconv("resnet18-cifar10", "psc:kss=2"),
        "which configuration is meant is inferred; with batch norms and biases 4.25x",
    ),
    Claim(
        "roots:m=64",
        "ResNet-50: 40 % fewer parameters, 45 % fewer FLOPs",
        "Ioannou et al., CVPR 2017, abstract",
        roots,
        "stride on the first 1x1 (v1); 1x1 layers stay whole",
    ),
    Claim(
        "shift:block",
        "ResNet-20: 272,474 parameters, 40,960,640 FLOPs",
        "alvinwan/shiftresnet-cifar, README",
        shift(20),
        SHIFT_COUNTER,
    ),
    Claim(
        "shift:block,expansion=3",
        "ShiftResNet-20: 95,642 parameters, 16,581,248 FLOPs",
        "the same",
        shift(20, "shift:block,expansion=3"),
        "the same",
    ),
    Claim(
        "shift:block,expansion=3",
        "ShiftResNet-56 and 110: 0.29M and 0.59M parameters",
        "Wu et al., CVPR 2018, table",
        lambda: "; ".join(shift(depth, "shift:block,expansion=3")() for depth in (56, 110)),
        "rounded in the table",
    ),
    Claim(
        "slim:r1=2,r2=4",
        "ResNet-50: 16.76M parameters, 2.65G FLOPs",
        "Qiu et al., IEEE TIP 2021; JiaxiongQ/SlimConv",
        slim("slim:r1=2,r2=4"),
        "with batch norms and biases; stride on the 3x3",
    ),
    Claim(
        "slim:r1=4,r2=8",
        "ResNet-50: 12.10M parameters, 1.88G FLOPs",
        "the same",
        slim("slim:r1=4,r2=8"),
        "the same",
    ),
)
