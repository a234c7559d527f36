"""ShuffleNet v2: Ma, Zhang, Zheng and Sun, "ShuffleNet V2: practical guidelines for efficient
CNN architecture design", ECCV 2018, table 5 and figure 3 (c, d).

``-cifar10`` is the usual form for 32 pixels, ``-tiny`` the same for 64: the stem keeps the map,
no max pooling, and an average pooling of 4 x 4 before the linear layer.
"""

from collections.abc import Sequence

from energysim.graph import GraphBuilder, LayerGraph

#: Width -> channels of stages 2, 3, 4 and of conv5.
CHANNELS = {"x1_0": (116, 232, 464, 1024), "x1_5": (176, 352, 704, 1024)}
BLOCKS = (4, 8, 4)

MODELS = {
    "shufflenet_v2_x1_0": {"width": "x1_0"},
    "shufflenet_v2_x1_5-cifar10": {"width": "x1_5", "small": True, "input": (3, 32, 32), "classes": 10},
    "shufflenet_v2_x1_5-tiny": {"width": "x1_5", "small": True, "input": (3, 64, 64), "classes": 200},
}


def branch(b: GraphBuilder, x: str, channels: int, stride: int, expand: bool) -> str:
    """An optional pointwise, a depthwise without activation, and a pointwise convolution."""
    if expand:
        x = b.conv_bn(x, channels, 1, name="expand")
    inside = b.shape(x)[1]
    x = b.conv_bn(x, inside, 3, stride, 1, groups=inside, function=None, name="depthwise")
    return b.conv_bn(x, channels, 1, name="pointwise")


def unit(b: GraphBuilder, x: str, channels: int, down: bool) -> str:
    """Half of the channels through a branch; a unit that halves the map feeds both its branches."""
    half = channels // 2
    if down:
        with b.scope("branch1"):
            left = branch(b, x, half, 2, expand=False)
        right = x
    else:
        left, right = b.split(x, (half, half), name="split")
    with b.scope("branch2"):
        right = branch(b, right, half, 2 if down else 1, expand=True)
    return b.channel_shuffle(b.concat(left, right, name="concat"), 2, name="shuffle")


def build(
    input: Sequence[int] = (3, 224, 224), classes: int = 1000, width: str = "x1_0", small: bool = False
) -> LayerGraph:
    b = GraphBuilder(f"shufflenet_v2_{width}", input)
    *stages, last = CHANNELS[width]
    x = b.conv_bn(b.input, 24, 3, 1 if small else 2, 1, name="conv1")
    if not small:
        x = b.pool(x, 3, 2, 1, name="maxpool")
    for stage, (channels, blocks) in enumerate(zip(stages, BLOCKS, strict=True), 2):
        for block in range(blocks):
            with b.scope(f"stage{stage}.{block}"):
                x = unit(b, x, channels, down=block == 0)
    x = b.conv_bn(x, last, 1, name="conv5")
    x = b.pool(x, 4, mode="average", name="avgpool") if small else b.global_pool(x, name="avgpool")
    return b.build(b.linear(b.flatten(x, name="flatten"), classes, name="fc"))
