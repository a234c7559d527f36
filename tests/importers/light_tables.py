"""Multiply-adds of the networks in the onnx package (``light_*.onnx``), counted by hand.

Channels, windows and strides are those of the papers' tables; the sizes of maps follow from the files'
pooling, which rounds down. Plain sums of numbers; nothing is imported from the package under test.
"""

from __future__ import annotations


def conv(c: int, m: int, k: int, size: int, groups: int = 1) -> int:
    """Multiply-adds of a k x k convolution from c to m channels with a square output."""
    return m * (c // groups) * k * k * size * size


def alexnet() -> int:
    """Krizhevsky et al., NIPS 2012, with two groups; 224 pixels, no padding: maps 54, 26, 12, 6."""
    convs = conv(3, 96, 11, 54) + conv(96, 256, 5, 26, 2) + conv(256, 384, 3, 12)
    convs += conv(384, 384, 3, 12, 2) + conv(384, 256, 3, 12, 2)
    return convs + 256 * 6 * 6 * 4096 + 4096 * 4096 + 4096 * 1000


def zfnet512() -> int:
    """Zeiler and Fergus, ECCV 2014, model with 512 maps: 109, 54, 25, 12, 6."""
    convs = conv(3, 96, 7, 109) + conv(96, 256, 5, 25) + conv(256, 512, 3, 12) + 2 * conv(512, 512, 3, 12)
    return convs + 512 * 6 * 6 * 4096 + 4096 * 1024 + 1024 * 1000


def vgg19() -> int:
    """Simonyan and Zisserman, ICLR 2015, table 1, column E."""
    total, c, size = 0, 3, 224
    for m, times in ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)):
        for _ in range(times):
            total, c = total + conv(c, m, 3, size), m
        size //= 2
    return total + 512 * 7 * 7 * 4096 + 4096 * 4096 + 4096 * 1000


def squeezenet() -> int:
    """Iandola et al., arXiv 1602.07360, version 1.1: 64 filters of 3 x 3 first, pools after 1, 3, 5."""
    total, c = conv(3, 64, 3, 111), 64
    sizes = (55, 55, 27, 27, 13, 13, 13, 13)
    fires = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
    for (squeeze, expand), size in zip(fires, sizes, strict=True):
        total += conv(c, squeeze, 1, size) + conv(squeeze, expand, 1, size) + conv(squeeze, expand, 3, size)
        c = 2 * expand
    return total + conv(c, 1000, 1, 13)


def resnet50() -> int:
    """He et al., CVPR 2016, table 1; the stride of a block is in its 3 x 3 convolution."""
    total, c, size = conv(3, 64, 7, 112), 64, 56
    for stage, (m, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for block in range(blocks):
            out = size // 2 if stage and not block else size
            total += conv(c, m, 1, size) + conv(m, m, 3, out) + conv(m, 4 * m, 1, out)
            if not block:
                total += conv(c, 4 * m, 1, out)
            c, size = 4 * m, out
    return total + c * 1000


def densenet121() -> int:
    """Huang et al., CVPR 2017, table 1: growth 32, bottlenecks of 128, transitions halve the channels."""
    total, c, size = conv(3, 64, 7, 112), 64, 56
    for number, layers in enumerate((6, 12, 24, 16)):
        for _ in range(layers):
            total += conv(c, 128, 1, size) + conv(128, 32, 3, size)
            c += 32
        if number < 3:
            total, c, size = total + conv(c, c // 2, 1, size), c // 2, size // 2
    return total + c * 1000


def shufflenet() -> int:
    """Zhang et al., CVPR 2018: 0.5x with four groups (136, 272, 544), but bottlenecks as wide as outputs."""
    total, c, size = conv(3, 24, 3, 112), 24, 28
    for m, units in ((136, 4), (272, 8), (544, 4)):
        for unit in range(units):
            wide = m if unit else m - c  # the first unit of a stage joins its pooled input
            before = size if unit else 2 * size
            total += conv(c, wide, 1, before, 4) + wide * 9 * size * size + conv(wide, wide, 1, size, 4)
            c = m
        size //= 2
    return total + c * 1000


def inception_v1() -> int:
    """Szegedy et al., CVPR 2015, table 1; pools round down: maps 112, 55, 27, 13, 6."""
    table = {
        27: ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
        13: (
            (192, 96, 208, 16, 48, 64),
            (160, 112, 224, 24, 64, 64),
            (128, 128, 256, 24, 64, 64),
            (112, 144, 288, 32, 64, 64),
            (256, 160, 320, 32, 128, 128),
        ),
        6: ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
    }
    total, c = conv(3, 64, 7, 112) + conv(64, 64, 1, 55) + conv(64, 192, 3, 55), 192
    for size, modules in table.items():
        for one, before3, three, before5, five, pool in modules:
            total += conv(c, one, 1, size) + conv(c, before3, 1, size) + conv(before3, three, 3, size)
            total += conv(c, before5, 1, size) + conv(before5, five, 5, size) + conv(c, pool, 1, size)
            c = one + three + five + pool
    return total + c * 1000


def inception_v2() -> int:
    """Ioffe and Szegedy, ICML 2015, figure 5: two 3 x 3 in the place of 5 x 5; 3c and 4e halve the map."""
    table: tuple[tuple[int, tuple[int, ...]], ...] = (
        (28, (64, 64, 64, 64, 96, 32)),
        (28, (64, 64, 96, 64, 96, 64)),
        (28, (0, 128, 160, 64, 96, 0)),
        (14, (224, 64, 96, 96, 128, 128)),
        (14, (192, 96, 128, 96, 128, 128)),
        (14, (160, 128, 160, 128, 160, 96)),
        (14, (96, 128, 192, 160, 192, 96)),
        (14, (0, 128, 192, 192, 256, 0)),
        (7, (352, 192, 320, 160, 224, 128)),
        (7, (352, 192, 320, 192, 224, 128)),
    )
    total, c = conv(3, 64, 7, 112) + conv(64, 64, 1, 56) + conv(64, 192, 3, 56), 192
    for size, (one, before, three, double, last, pool) in table:
        out = size if one else size // 2
        total += conv(c, one, 1, size) + conv(c, before, 1, size) + conv(before, three, 3, out)
        total += conv(c, double, 1, size) + conv(double, last, 3, size) + conv(last, last, 3, out)
        total += conv(c, pool, 1, size)
        c = one + three + last + (pool or c)
    return total + c * 1000


#: File in the package -> multiply-adds.
MACS = {
    "bvlc_alexnet": alexnet(),
    "densenet121": densenet121(),
    "inception_v1": inception_v1(),
    "inception_v2": inception_v2(),
    "resnet50": resnet50(),
    "shufflenet": shufflenet(),
    "squeezenet": squeezenet(),
    "vgg19": vgg19(),
    "zfnet512": zfnet512(),
}
