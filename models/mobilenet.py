"""MobileNet v1 and v2.

v1: Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision
applications", arXiv 1704.04861, 2017, table 1.
v2: Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: inverted residuals and linear
bottlenecks", CVPR 2018, table 2.

``-cifar10`` is the usual form for 32 pixels, ``-tiny`` the same for 64: stem and second stage
keep the map, every block with stride 1 has a shortcut (a 1x1 convolution where the channels
change), and an average pooling of 4 x 4 comes before the linear layer.
"""

from collections.abc import Sequence

from energysim.graph import GraphBuilder, LayerGraph

#: v1, per separable block: output channels, stride.
BLOCKS_V1 = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *5 * ((512, 1),),
    (1024, 2),
    (1024, 1),
)

#: v2, per stage: expansion t, output channels c, repeats n, stride s of the first.
STAGES_V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)

MODELS = {
    "mobilenet_v1": {"version": 1},
    "mobilenet_v2": {"version": 2},
    "mobilenet_v2-cifar10": {"version": 2, "small": True, "input": (3, 32, 32), "classes": 10},
    "mobilenet_v2-tiny": {"version": 2, "small": True, "input": (3, 64, 64), "classes": 200},
}


def separable(b: GraphBuilder, x: str, channels: int, stride: int) -> str:
    """The block of v1: depthwise, then pointwise."""
    inside = b.shape(x)[1]
    x = b.conv_bn(x, inside, 3, stride, 1, groups=inside, name="depthwise")
    return b.conv_bn(x, channels, 1, name="pointwise")


def inverted_residual(
    b: GraphBuilder, x: str, expansion: int, channels: int, stride: int, small: bool
) -> str:
    """The block of v2: expand, depthwise, project without activation, and a shortcut."""
    outside = b.shape(x)[1]
    inside, function = expansion * outside, "relu" if small else "relu6"
    y = x
    if expansion > 1 or small:
        y = b.conv_bn(y, inside, 1, function=function, name="expand")
    y = b.conv_bn(y, inside, 3, stride, 1, groups=inside, function=function, name="depthwise")
    y = b.conv_bn(y, channels, 1, function=None, name="project")
    if stride == 1 and outside == channels:
        return b.add(y, x, name="add")
    if stride == 1 and small:
        return b.add(y, b.conv_bn(x, channels, 1, function=None, name="shortcut"), name="add")
    return y


def build_v1(b: GraphBuilder) -> str:
    with b.scope("features"):
        x = b.conv_bn(b.input, 32, 3, 2, 1, name="0")
        for number, (channels, stride) in enumerate(BLOCKS_V1, 1):
            with b.scope(str(number)):
                x = separable(b, x, channels, stride)
    return b.global_pool(x, name="avgpool")


def build_v2(b: GraphBuilder, small: bool) -> str:
    function = "relu" if small else "relu6"
    number = 0
    with b.scope("features"):
        x = b.conv_bn(b.input, 32, 3, 1 if small else 2, 1, function=function, name="0")
        for stage, (expansion, channels, repeats, first) in enumerate(STAGES_V2):
            for repeat in range(repeats):
                number += 1
                stride = 1 if repeat or (small and stage == 1) else first
                with b.scope(str(number)):
                    x = inverted_residual(b, x, expansion, channels, stride, small)
        x = b.conv_bn(x, 1280, 1, function=function, name=str(number + 1))
    return b.pool(x, 4, mode="average", name="avgpool") if small else b.global_pool(x, name="avgpool")


def build(
    input: Sequence[int] = (3, 224, 224), classes: int = 1000, version: int = 2, small: bool = False
) -> LayerGraph:
    b = GraphBuilder(f"mobilenet_v{version}", input)
    x = build_v1(b) if version == 1 else build_v2(b, small)
    x = b.flatten(x, name="flatten")
    if version == 2 and not small:
        x = b.dropout(x, name="classifier.dropout")
    return b.build(b.linear(x, classes, name="classifier.fc"))
