"""GoogLeNet (Inception v1): Szegedy et al., "Going deeper with convolutions", CVPR 2015, table 1.

As torchvision has it: batch norm after every convolution, no local response norm, a 3x3
convolution in the branch the paper calls "5x5", and at inference no auxiliary classifiers.
"""

from collections.abc import Sequence

from energysim.graph import GraphBuilder, LayerGraph

#: Per module: 1x1, 3x3 reduce, 3x3, "5x5" reduce, "5x5", pool projection.
INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}

MODELS: dict[str, dict[str, object]] = {"googlenet": {}}


def inception(b: GraphBuilder, x: str, channels: Sequence[int]) -> str:
    """Four branches side by side."""
    one, reduce3, three, reduce5, five, projection = channels
    first = b.conv_bn(x, one, 1, name="branch1")
    second = b.conv_bn(x, reduce3, 1, name="branch2.0")
    second = b.conv_bn(second, three, 3, padding=1, name="branch2.1")
    third = b.conv_bn(x, reduce5, 1, name="branch3.0")
    third = b.conv_bn(third, five, 3, padding=1, name="branch3.1")
    fourth = b.pool(x, 3, 1, 1, ceil_mode=True, name="branch4.pool")
    fourth = b.conv_bn(fourth, projection, 1, name="branch4")
    return b.concat(first, second, third, fourth, name="concat")


def build(input: Sequence[int] = (3, 224, 224), classes: int = 1000) -> LayerGraph:
    b = GraphBuilder("googlenet", input)
    x = b.conv_bn(b.input, 64, 7, 2, 3, name="conv1")
    x = b.pool(x, 3, 2, ceil_mode=True, name="maxpool1")
    x = b.conv_bn(x, 64, 1, name="conv2")
    x = b.conv_bn(x, 192, 3, padding=1, name="conv3")
    x = b.pool(x, 3, 2, ceil_mode=True, name="maxpool2")
    for module, channels in INCEPTIONS.items():
        with b.scope(f"inception{module}"):
            x = inception(b, x, channels)
        if module == "3b":
            x = b.pool(x, 3, 2, ceil_mode=True, name="maxpool3")
        elif module == "4e":
            x = b.pool(x, 2, 2, ceil_mode=True, name="maxpool4")
    x = b.flatten(b.global_pool(x, name="avgpool"), name="flatten")
    return b.build(b.linear(b.dropout(x, name="dropout"), classes, name="fc"))
