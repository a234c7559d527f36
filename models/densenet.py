"""DenseNet: Huang, Liu, van der Maaten and Weinberger, "Densely connected convolutional
networks", CVPR 2017, table 1 (DenseNet-BC, growth rate 32, compression 0.5).
"""

from collections.abc import Sequence

from energysim.graph import GraphBuilder, LayerGraph

GROWTH = 32
#: Layers in each of the four dense blocks.
BLOCKS = {121: (6, 12, 24, 16)}

MODELS = {"densenet121": {"depth": 121}}


def norm_relu_conv(b: GraphBuilder, x: str, channels: int, window: int, number: str = "") -> str:
    """The layer of DenseNet: normalisation and activation come before the convolution."""
    x = b.relu(b.batch_norm(x, name=f"norm{number}"), name=f"relu{number}")
    return b.conv(x, channels, window, padding=window // 2, bias=False, name=f"conv{number}")


def dense_layer(b: GraphBuilder, x: str) -> str:
    """A bottleneck whose output is put behind all the maps before it."""
    y = norm_relu_conv(b, x, 4 * GROWTH, 1, "1")
    y = norm_relu_conv(b, y, GROWTH, 3, "2")
    return b.concat(x, y, name="concat")


def build(input: Sequence[int] = (3, 224, 224), classes: int = 1000, depth: int = 121) -> LayerGraph:
    b = GraphBuilder(f"densenet{depth}", input)
    with b.scope("features"):
        x = b.conv(b.input, 2 * GROWTH, 7, 2, 3, bias=False, name="conv0")
        x = b.relu(b.batch_norm(x, name="norm0"), name="relu0")
        x = b.pool(x, 3, 2, 1, name="pool0")
        for block, layers in enumerate(BLOCKS[depth], 1):
            for layer in range(1, layers + 1):
                with b.scope(f"denseblock{block}.denselayer{layer}"):
                    x = dense_layer(b, x)
            if block < len(BLOCKS[depth]):
                with b.scope(f"transition{block}"):
                    x = norm_relu_conv(b, x, b.shape(x)[1] // 2, 1)
                    x = b.pool(x, 2, mode="average", name="pool")
        x = b.relu(b.batch_norm(x, name="norm5"), name="relu5")
    x = b.flatten(b.global_pool(x, name="avgpool"), name="flatten")
    return b.build(b.linear(x, classes, name="classifier"))
