"""Networks of papers that are not in the zoo, for the rows of their tables."""

from __future__ import annotations

from energysim.graph import GraphBuilder, LayerGraph, Pad


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


def espnet(q: int, *, decoder: bool, classes: int = 20, size: tuple[int, int] = (512, 1024)) -> LayerGraph:
    """ESPNet (``decoder``) and its encoder ESPNet-C of Mehta et al., ECCV 2018, with p = 2, before ``esp``.

    Each module is one 3x3 convolution ``esp_*`` here, which the scheme replaces. A PReLU is a ReLU: its
    parameters are counted by :func:`slopes`.
    """
    b = GraphBuilder("espnet" if decoder else "espnet_c", (3, *size))

    def normed(x: str) -> str:
        return b.relu(b.batch_norm(x))

    half = b.pool(b.input, 3, 2, 1, mode="average")
    quarter = b.pool(half, 3, 2, 1, mode="average")
    x = b.conv_bn(b.input, 16, 3, 2, 1, name="level1")
    first = normed(b.concat(x, half))
    x = down = normed(b.conv(first, 64, 3, 2, 1, bias=False, name="esp_down2"))
    for i in range(2):
        x = normed(b.conv(x, 64, 3, 1, 1, bias=False, name=f"esp_level2_{i}"))
    second = normed(b.concat(x, down, quarter))
    x = down = normed(b.conv(second, 128, 3, 2, 1, bias=False, name="esp_down3"))
    for i in range(q):
        x = normed(b.conv(x, 128, 3, 1, 1, bias=False, name=f"esp_level3_{i}"))
    x = b.conv(normed(b.concat(down, x)), classes, 1, bias=False, name="classes3")
    if not decoder:
        return b.build(x)
    x = b.conv_transpose(b.batch_norm(x), classes, 2, 2, bias=False, name="up3")
    x = normed(b.concat(b.conv(second, classes, 1, bias=False, name="classes2"), x))
    x = normed(b.conv(x, classes, 3, 1, 1, bias=False, name="esp_combine"))
    x = normed(b.conv_transpose(x, classes, 2, 2, bias=False, name="up2"))
    x = b.conv_bn(b.concat(x, first), classes, 3, 1, 1, name="joined")
    return b.build(b.conv_transpose(x, classes, 2, 2, bias=False, name="up1"))


def slopes(graph: LayerGraph) -> int:
    """Parameters of the activations if they were PReLUs: one a channel."""
    return sum(graph.output_shapes(n)[0][1] for n in graph.nodes if n.op.kind == "Activation")


def ye_convnet() -> LayerGraph:
    """The 4-layer network for CIFAR-10 of Ye et al., ICLR 2018, as in the authors' code."""
    b = GraphBuilder("ye_convnet", (3, 32, 32))
    x = b.input
    for number, (channels, window) in enumerate(((96, 5), (192, 5), (192, 3)), 1):
        x = b.conv_bn(x, channels, window, 1, window // 2, name=f"conv{number}")
        x = b.pool(x, 3, 2, (0, 1, 0, 1), name=f"pool{number}")
    x = b.conv_bn(x, 384, 4, name="fc1")
    x = b.conv_bn(x, 10, 1, function=None, name="softmax_linear")
    return b.build(b.flatten(x))


def ye_resnet20() -> LayerGraph:
    """ResNet-20 of Ye et al., ICLR 2018, as in the authors' code: 2x2 projections with stride 2."""
    b = GraphBuilder("ye_resnet20", (3, 32, 32))
    x = b.conv_bn(b.input, 16, 3, 1, 1, name="first_conv")
    for group, channels in enumerate((16, 32, 64)):
        for block in range(3):
            stride = 2 if group and not block else 1
            with b.scope(f"g{group}b{block}"):
                y = b.conv_bn(x, channels, 3, stride, 1, name="c0")
                y = b.conv_bn(y, channels, 3, 1, 1, function=None, name="c1")
                if stride == 2:
                    x = b.conv_bn(x, channels, 2, 2, function=None, name="p")
                x = b.add(x, y, name="sum")
    x = b.conv_bn(b.global_pool(x), 10, 1, function=None, name="softmax_linear")
    return b.build(b.flatten(x))


def resnet_cifar(depth: int, *, reduction: float = 1, classes: int = 10) -> LayerGraph:
    """ResNet of He et al., CVPR 2016, for CIFAR-10, with 1x1 projections (alvinwan/shiftresnet-cifar).

    ``reduction`` divides the channels between the two convolutions of a block, rounded down.
    """
    b = GraphBuilder(f"resnet{depth}_cifar", (3, 32, 32))
    x = b.conv_bn(b.input, 16, 3, 1, 1, name="stem")
    for stage, width in enumerate((16, 32, 64)):
        for block in range((depth - 2) // 6):
            stride = 2 if stage and not block else 1
            with b.scope(f"layer{stage + 1}.{block}"):
                y = b.conv_bn(x, int(width / reduction), 3, stride, 1, name="a")
                y = b.conv_bn(y, width, 3, 1, 1, function=None, name="b")
                if stride > 1:
                    x = b.conv_bn(x, width, 1, stride, function=None, name="shortcut")
                x = b.relu(b.add(y, x, name="add"), name="relu")
    return b.build(b.linear(b.flatten(b.global_pool(x)), classes, name="fc"))


def resnet_cifar_padded(depth: int) -> LayerGraph:
    """A CIFAR ResNet of He et al., CVPR 2016, section 4.2: shortcuts without weights (option A)."""
    b = GraphBuilder(f"resnet{depth}_padded", (3, 32, 32))
    x, channels = b.conv_bn(b.input, 16, 3, 1, 1, name="conv1"), 16
    for stage in range(3):
        width = 16 * 2**stage
        for block in range((depth - 2) // 6):
            stride = 2 if stage and not block else 1
            with b.scope(f"layer{stage + 1}.{block}"):
                y = b.conv_bn(x, width, 3, stride, 1, name="a")
                y = b.conv_bn(y, width, 3, 1, 1, function=None, name="b")
                if stride > 1:
                    x = b.pool(x, 1, stride, name="every_other")
                    half = (width - channels) // 2
                    (x,) = b.node(Pad((0, half, 0, 0), (0, half, 0, 0)), x, name="wider")
                x, channels = b.relu(b.add(y, x, name="add"), name="relu"), width
    return b.build(b.linear(b.flatten(b.global_pool(x)), 10, name="fc"))
