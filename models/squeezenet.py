"""SqueezeNet: Iandola, Han, Moskewicz, Ashraf, Dally and Keutzer, "SqueezeNet: AlexNet-level
accuracy with 50x fewer parameters and <0.5MB model size", arXiv 1602.07360, 2016, table 1.

1.1 is the authors' later release: a smaller stem and earlier pooling, 2.4 times fewer MACs.
"""

from collections.abc import Sequence

from energysim.graph import GraphBuilder, LayerGraph

#: Stem (channels, window), and the numbers of the layers that are followed by pooling.
VERSIONS = {"1_0": ((96, 7), (1, 4, 8)), "1_1": ((64, 3), (1, 3, 5))}
#: Squeeze channels of fire2 to fire9; each expansion has four times as many.
SQUEEZE = (16, 16, 32, 32, 48, 48, 64, 64)

MODELS = {"squeezenet1_0": {"version": "1_0"}, "squeezenet1_1": {"version": "1_1"}}


def fire(b: GraphBuilder, x: str, squeeze: int) -> str:
    """A squeezing 1x1 convolution, then 1x1 and 3x3 convolutions side by side."""
    x = b.relu(b.conv(x, squeeze, 1, name="squeeze"), name="squeeze_relu")
    one = b.relu(b.conv(x, 4 * squeeze, 1, name="expand1x1"), name="expand1x1_relu")
    three = b.relu(b.conv(x, 4 * squeeze, 3, padding=1, name="expand3x3"), name="expand3x3_relu")
    return b.concat(one, three, name="concat")


def build(input: Sequence[int] = (3, 224, 224), classes: int = 1000, version: str = "1_0") -> LayerGraph:
    b = GraphBuilder(f"squeezenet{version}", input)
    (channels, window), pooled = VERSIONS[version]
    with b.scope("features"):
        x = b.relu(b.conv(b.input, channels, window, 2, name="conv1"), name="relu1")
        x = b.pool(x, 3, 2, ceil_mode=True, name="pool1")
        for number, squeeze in enumerate(SQUEEZE, 2):
            with b.scope(f"fire{number}"):
                x = fire(b, x, squeeze)
            if number in pooled:
                x = b.pool(x, 3, 2, ceil_mode=True, name=f"pool{number}")
    with b.scope("classifier"):
        x = b.dropout(x, name="dropout")
        x = b.relu(b.conv(x, classes, 1, name="conv10"), name="relu10")
        x = b.global_pool(x, name="avgpool")
    return b.build(b.flatten(x, name="flatten"))
