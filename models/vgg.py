"""VGG: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
recognition", ICLR 2015, table 1 (configurations A, B, D, E).

The 224-pixel networks have biases and no batch norm, as published. The small ones are the
form used with pre-defined sparse kernels (Kundu, Nazemi, Pedram, Chugg and Beerel, IEEE Trans.
Computers 69(7), 2020): batch norm after every convolution and a single linear layer.
"""

from collections.abc import Sequence

from energysim.graph import GraphBuilder, LayerGraph

#: Convolutions in each of the five blocks; the blocks have 64, 128, 256, 512 and 512 channels.
BLOCKS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
CHANNELS = (64, 128, 256, 512, 512)

MODELS = {
    "vgg11": {"depth": 11},
    "vgg13": {"depth": 13},
    "vgg16": {"depth": 16},
    "vgg19": {"depth": 19},
    "vgg16-cifar10": {"depth": 16, "small": True, "input": (3, 32, 32), "classes": 10},
    "vgg16-tiny": {"depth": 16, "small": True, "input": (3, 64, 64), "classes": 200},
}


def build(
    input: Sequence[int] = (3, 224, 224), classes: int = 1000, depth: int = 16, small: bool = False
) -> LayerGraph:
    b = GraphBuilder(f"vgg{depth}", input)
    x = b.input
    with b.scope("features"):
        for block, (count, channels) in enumerate(zip(BLOCKS[depth], CHANNELS, strict=True), 1):
            for layer in range(1, count + 1):
                x = b.conv(x, channels, 3, padding=1, name=f"conv{block}_{layer}")
                if small:
                    x = b.batch_norm(x, name=f"bn{block}_{layer}")
                x = b.relu(x, name=f"relu{block}_{layer}")
            x = b.pool(x, 2, name=f"pool{block}")
    if small:
        return b.build(b.linear(b.flatten(x, name="flatten"), classes, name="classifier.fc"))
    x = b.adaptive_pool(x, 7, name="avgpool")
    x = b.flatten(x, name="flatten")
    with b.scope("classifier"):
        for number in (6, 7):
            x = b.linear(x, 4096, name=f"fc{number}")
            x = b.relu(x, name=f"relu{number}")
            x = b.dropout(x, name=f"dropout{number}")
        x = b.linear(x, classes, name="fc8")
    return b.build(x)
