"""ResNet: He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016,
table 1.

The bottleneck halves the map in its 3x3 convolution, not in the first 1x1 (the common "v1.5").
The small networks are the form that fits the reductions published for pre-defined sparse kernels
(Kundu, Nazemi, Pedram, Chugg and Beerel, IEEE Trans. Computers 69(7), 2020): a 3x3 stem with
stride 1, no max pooling, and an average pooling of 4 x 4 before the linear layer, so that 64 pixels
leave 2 x 2 x 512.
"""

from collections.abc import Sequence

from energysim.graph import GraphBuilder, LayerGraph

#: Blocks in each of the four stages.
STAGES = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}

MODELS = {
    "resnet18": {"depth": 18},
    "resnet34": {"depth": 34},
    "resnet50": {"depth": 50},
    "resnet101": {"depth": 101},
    "resnet152": {"depth": 152},
    "resnet18-cifar10": {"depth": 18, "small": True, "input": (3, 32, 32), "classes": 10},
    "resnet18-tiny": {"depth": 18, "small": True, "input": (3, 64, 64), "classes": 200},
}


def residual(b: GraphBuilder, x: str, convolutions: Sequence[tuple[int, int, int]]) -> str:
    """Convolutions of (channels, window, stride), added to their input or to a projection of it."""
    shortcut, y = x, x
    for number, (channels, window, stride) in enumerate(convolutions, 1):
        y = b.conv(y, channels, window, stride, window // 2, bias=False, name=f"conv{number}")
        y = b.batch_norm(y, name=f"bn{number}")
        if number < len(convolutions):
            y = b.relu(y, name=f"relu{number}")
    stride = max(stride for _, _, stride in convolutions)
    if stride > 1 or b.shape(x)[1] != channels:
        shortcut = b.conv_bn(x, channels, 1, stride, function=None, name="downsample")
    return b.relu(b.add(y, shortcut, name="add"), name="relu")


def build(
    input: Sequence[int] = (3, 224, 224), classes: int = 1000, depth: int = 50, small: bool = False
) -> LayerGraph:
    b = GraphBuilder(f"resnet{depth}", input)
    stem = (3, 1, 1) if small else (7, 2, 3)
    x = b.conv(b.input, 64, *stem, bias=False, name="conv1")
    x = b.relu(b.batch_norm(x, name="bn1"), name="relu")
    if not small:
        x = b.pool(x, 3, 2, 1, name="maxpool")
    for stage, blocks in enumerate(STAGES[depth], 1):
        width = 64 * 2 ** (stage - 1)
        for block in range(blocks):
            stride = 2 if stage > 1 and block == 0 else 1
            if depth < 50:
                convolutions = [(width, 3, stride), (width, 3, 1)]
            else:
                convolutions = [(width, 1, 1), (width, 3, stride), (4 * width, 1, 1)]
            with b.scope(f"layer{stage}.{block}"):
                x = residual(b, x, convolutions)
    x = b.pool(x, 4, mode="average", name="avgpool") if small else b.global_pool(x, name="avgpool")
    return b.build(b.linear(b.flatten(x, name="flatten"), classes, name="fc"))
