"""Networks of papers that are not in the zoo, for the rows of their tables."""

from __future__ import annotations

from energysim.graph import GraphBuilder, LayerGraph


def resnet50_v1() -> LayerGraph:
    """ResNet-50 of He et al., CVPR 2016, as published: the first 1x1 of a stage halves the map."""
    b = GraphBuilder("resnet50_v1", (3, 224, 224))
    x = b.conv_bn(b.input, 64, 7, 2, 3, name="conv1")
    x = b.pool(x, 3, 2, 1, name="maxpool")
    for stage, blocks in enumerate((3, 4, 6, 3)):
        width = 64 * 2**stage
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            with b.scope(f"layer{stage + 1}.{block}"):
                y = b.conv_bn(x, width, 1, stride, name="a")
                y = b.conv_bn(y, width, 3, 1, 1, name="b")
                y = b.conv_bn(y, 4 * width, 1, function=None, name="c")
                if not block:
                    x = b.conv_bn(x, 4 * width, 1, stride, function=None, name="shortcut")
                x = b.relu(b.add(y, x, name="add"), name="relu")
    return b.build(b.linear(b.flatten(b.global_pool(x)), 1000, name="fc"))


def nin_cifar() -> LayerGraph:
    """Network in Network for CIFAR-10 (Lin, Chen, Yan, ICLR 2014), as Ioannou et al., CVPR 2017, change it.

    A 5x5, a 5x5 and a 3x3 convolution on 32, 16 and 8 pixels, each with two 1x1 behind it.
    """
    b = GraphBuilder("nin_cifar", (3, 32, 32))
    x = b.input
    stages = ((5, (192, 160, 96)), (5, (192, 192, 192)), (3, (192, 192, 10)))
    for number, (window, channels) in enumerate(stages, 1):
        for part, filters in zip("abc", channels, strict=True):
            size = window if part == "a" else 1
            x = b.relu(b.conv(x, filters, size, padding=size // 2, name=f"conv{number}{part}"))
        if number < 3:
            x = b.pool(x, 3, 2, (0, 1, 0, 1), name=f"pool{number}")
    return b.build(b.flatten(b.global_pool(x)))
