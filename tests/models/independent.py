"""Parameters and multiply-adds of the zoo's networks, counted a second time.

Plain loops on numbers, written from the tables of the papers. Nothing here knows a graph, an
operator or a builder, and nothing is imported from the package under test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Size = tuple[int, int]


def windows(size: Size, k: int, s: int = 1, p: int = 0) -> Size:
    """Places of a window: its first elements, counted one by one."""
    return tuple(len(range(-p, n + p - k + 1, s)) for n in size)  # type: ignore[return-value]


def hanging(size: Size, k: int, s: int, p: int = 0) -> Size:
    """Places of a pooling window of which the last may hang over the end, but not start there."""

    def places(n: int) -> int:
        count, start = 1, -p
        while start + k < n + p and start + s < n:
            count, start = count + 1, start + s
        return count

    return places(size[0]), places(size[1])


@dataclass
class Tally:
    """Running sums; every call adds one layer."""

    params: int = 0
    conv_weights: int = 0
    linear_weights: int = 0
    conv_macs: int = 0
    depthwise_macs: int = 0
    linear_macs: int = 0
    attention_macs: int = 0
    n_conv: int = 0
    n_linear: int = 0

    @property
    def macs_total(self) -> int:
        return self.conv_macs + self.linear_macs + self.attention_macs

    def conv(self, c: int, m: int, k: int, out: Size, *, bias: bool = False, bn: bool = True) -> None:
        weights = m * c * k * k
        self.conv_weights += weights
        self.params += weights + (m if bias else 0) + (2 * m if bn else 0)
        self.conv_macs += weights * out[0] * out[1]
        self.n_conv += 1

    def depthwise(self, c: int, out: Size) -> None:
        """3x3, one filter a channel, with batch norm."""
        self.conv(1, c, 3, out)
        self.depthwise_macs += 9 * c * out[0] * out[1]

    def linear(self, f: int, m: int, rows: int = 1, counted: bool = True) -> None:
        self.linear_weights += f * m
        self.params += (f + 1) * m
        self.linear_macs += f * m * rows
        self.n_linear += counted


def alexnet(size: Size, classes: int, c: int, grouped: bool) -> Tally:
    t = Tally()
    if grouped:
        rows = [(c, 96), (48, 256), (256, 384), (192, 384), (192, 256)]
    else:
        rows = [(c, 64), (64, 192), (192, 384), (384, 256), (256, 256)]
    for number, ((c_group, m), k) in enumerate(zip(rows, (11, 5, 3, 3, 3), strict=True)):
        if number == 0:
            size = windows(size, 11, 4, 0 if grouped else 2)
        t.conv(c_group, m, k, size, bias=True, bn=False)
        if number in (0, 1, 4):
            size = windows(size, 3, 2)
    features = 256 * size[0] * size[1] if grouped else 256 * 36
    for f, m in ((features, 4096), (4096, 4096), (4096, classes)):
        t.linear(f, m)
    return t


VGG = {
    "A": "64 M 128 M 256 256 M 512 512 M 512 512 M",
    "B": "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M",
    "D": "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M",
    "E": "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M",
}


def vgg(size: Size, classes: int, c: int, column: str, small: bool) -> Tally:
    t = Tally()
    for word in VGG[column].split():
        if word == "M":
            size = size[0] // 2, size[1] // 2
        else:
            t.conv(c, int(word), 3, size, bias=True, bn=small)
            c = int(word)
    if small:
        t.linear(512 * size[0] * size[1], classes)
    else:
        t.linear(7 * 7 * 512, 4096)
        t.linear(4096, 4096)
        t.linear(4096, classes)
    return t


def resnet(size: Size, classes: int, c: int, blocks: str, bottleneck: bool, small: bool = False) -> Tally:
    t = Tally()
    if not small:
        size = windows(size, 7, 2, 3)
    t.conv(c, 64, 3 if small else 7, size)
    if not small:
        size = windows(size, 3, 2, 1)
    have = 64
    for stage, count in enumerate(map(int, blocks.split())):
        inner = 64 << stage
        for block in range(count):
            before = size
            if stage and not block:
                size = windows(size, 3, 2, 1)
            if bottleneck:
                out = 4 * inner
                t.conv(have, inner, 1, before)
                t.conv(inner, inner, 3, size)
                t.conv(inner, out, 1, size)
            else:
                out = inner
                t.conv(have, inner, 3, size)
                t.conv(inner, inner, 3, size)
            if have != out:
                t.conv(have, out, 1, size)
            have = out
    t.linear(have * ((size[0] // 4) * (size[1] // 4) if small else 1), classes)
    return t


def mobilenet_v1(size: Size, classes: int, c: int) -> Tally:
    t = Tally()
    size = windows(size, 3, 2, 1)
    t.conv(c, 32, 3, size)
    have = 32
    for m in (64, -128, 128, -256, 256, -512, 512, 512, 512, 512, 512, -1024, 1024):
        if m < 0:  # a stride of 2
            size = windows(size, 3, 2, 1)
        t.depthwise(have, size)
        t.conv(have, abs(m), 1, size)
        have = abs(m)
    t.linear(1024, classes)
    return t


def mobilenet_v2(size: Size, classes: int, c: int, small: bool) -> Tally:
    t = Tally()
    if not small:
        size = windows(size, 3, 2, 1)
    t.conv(c, 32, 3, size)
    have = 32
    widths = [16] + 2 * [24] + 3 * [32] + 4 * [64] + 3 * [96] + 3 * [160] + [320]
    halving = {3, 6, 13} if small else {1, 3, 6, 13}
    for number, m in enumerate(widths):
        inner = have * (6 if number else 1)
        if number or small:
            t.conv(have, inner, 1, size)
        if number in halving:
            size = windows(size, 3, 2, 1)
        t.depthwise(inner, size)
        t.conv(inner, m, 1, size)
        if small and number not in halving and have != m:
            t.conv(have, m, 1, size)
        have = m
    t.conv(320, 1280, 1, size)
    t.linear(1280 * ((size[0] // 4) * (size[1] // 4) if small else 1), classes)
    return t


def squeezenet(size: Size, classes: int, c: int, one_one: bool) -> Tally:
    t = Tally()
    stem, k = (64, 3) if one_one else (96, 7)
    size = windows(size, k, 2)
    t.conv(c, stem, k, size, bias=True, bn=False)
    have = stem
    order = "P16 16 P32 32 P48 48 64 64" if one_one else "P16 16 32 P32 48 48 64 P64"
    for word in order.split():  # P: pooling comes before the fire module
        if word[0] == "P":
            size = hanging(size, 3, 2)
        s = int(word.lstrip("P"))
        for f, m, window in ((have, s, 1), (s, 4 * s, 1), (s, 4 * s, 3)):
            t.conv(f, m, window, size, bias=True, bn=False)
        have = 8 * s
    t.conv(512, classes, 1, size, bias=True, bn=False)
    return t


def shufflenet(size: Size, classes: int, c: int, width: int, small: bool) -> Tally:
    t = Tally()
    if not small:
        size = windows(size, 3, 2, 1)
    t.conv(c, 24, 3, size)
    if not small:
        size = windows(size, 3, 2, 1)
    have = 24
    for doubling, units in enumerate((3, 7, 3)):
        half = (width << doubling) // 2
        half_size = windows(size, 3, 2, 1)
        t.depthwise(have, half_size)
        t.conv(have, half, 1, half_size)
        t.conv(have, half, 1, size)
        t.depthwise(half, half_size)
        t.conv(half, half, 1, half_size)
        size, have = half_size, 2 * half
        for _ in range(units):
            t.conv(half, half, 1, size)
            t.depthwise(half, size)
            t.conv(half, half, 1, size)
    t.conv(have, 1024, 1, size)
    t.linear(1024 * ((size[0] // 4) * (size[1] // 4) if small else 1), classes)
    return t


def densenet121(size: Size, classes: int, c: int) -> Tally:
    t = Tally()
    size = windows(size, 7, 2, 3)
    t.conv(c, 64, 7, size)
    size = windows(size, 3, 2, 1)
    have = 64
    for layers in (6, 12, 24, 16):
        if have > 64:
            t.params += 2 * have
            t.conv(have, have // 2, 1, size, bn=False)
            have //= 2
            size = size[0] // 2, size[1] // 2
        for _ in range(layers):
            t.params += 2 * have
            t.conv(have, 128, 1, size)
            t.conv(128, 32, 3, size, bn=False)
            have += 32
    t.params += 2 * have
    t.linear(have, classes)
    return t


INCEPTION = """
192  64  96 128 16  32  32
256 128 128 192 32  96  64
P
480 192  96 208 16  48  64
512 160 112 224 24  64  64
512 128 128 256 24  64  64
512 112 144 288 32  64  64
528 256 160 320 32 128 128
Q
832 256 160 320 32 128 128
832 384 192 384 48 128 128
"""


def googlenet(size: Size, classes: int, c: int) -> Tally:
    t = Tally()
    size = windows(size, 7, 2, 3)
    t.conv(c, 64, 7, size)
    size = hanging(size, 3, 2)
    t.conv(64, 64, 1, size)
    t.conv(64, 192, 3, size)
    size = hanging(size, 3, 2)
    for line in INCEPTION.split("\n")[1:-1]:
        if line in "PQ":
            size = hanging(size, 3 if line == "P" else 2, 2)
            continue
        have, a, b0, b1, c0, c1, d = map(int, line.split())
        for f, m, k in (
            (have, a, 1),
            (have, b0, 1),
            (b0, b1, 3),
            (have, c0, 1),
            (c0, c1, 3),
            (have, d, 1),
        ):
            t.conv(f, m, k, size)
    t.linear(1024, classes)
    return t


def vit_b_16(size: Size, classes: int, c: int) -> Tally:
    t = Tally()
    d, patches = 768, (size[0] // 16) * (size[1] // 16)
    t.conv(c, d, 16, (size[0] // 16, size[1] // 16), bias=True, bn=False)
    tokens = patches + 1
    t.params += d + tokens * d  # class token, positions
    for _ in range(12):
        t.params += 2 * 2 * d  # two layer norms
        for _ in "QKVO":
            t.linear(d, d, tokens, counted=False)
        t.attention_macs += 2 * tokens * tokens * d  # scores and mixing, over all heads
        t.linear(d, 4 * d, tokens)
        t.linear(4 * d, d, tokens)
    t.params += 2 * d
    t.linear(d, classes)
    return t


def digits_cnn(size: Size, classes: int, c: int) -> Tally:
    t = Tally()
    for channels, scale in ((32, 1), (32, 1), (48, 2), (48, 2)):
        t.conv(c, channels, 3, (size[0] // scale, size[1] // scale))
        c = channels
    t.linear(c, classes)
    return t


Counter = Callable[[Size, int, int], Tally]

COUNTERS: dict[str, Counter] = {
    "alexnet": lambda s, n, c: alexnet(s, n, c, False),
    "alexnet_grouped": lambda s, n, c: alexnet(s, n, c, True),
    "vgg11": lambda s, n, c: vgg(s, n, c, "A", False),
    "vgg13": lambda s, n, c: vgg(s, n, c, "B", False),
    "vgg16": lambda s, n, c: vgg(s, n, c, "D", False),
    "vgg19": lambda s, n, c: vgg(s, n, c, "E", False),
    "vgg16-cifar10": lambda s, n, c: vgg(s, n, c, "D", True),
    "vgg16-tiny": lambda s, n, c: vgg(s, n, c, "D", True),
    "resnet18": lambda s, n, c: resnet(s, n, c, "2 2 2 2", False),
    "resnet34": lambda s, n, c: resnet(s, n, c, "3 4 6 3", False),
    "resnet50": lambda s, n, c: resnet(s, n, c, "3 4 6 3", True),
    "resnet101": lambda s, n, c: resnet(s, n, c, "3 4 23 3", True),
    "resnet152": lambda s, n, c: resnet(s, n, c, "3 8 36 3", True),
    "resnet18-cifar10": lambda s, n, c: resnet(s, n, c, "2 2 2 2", False, True),
    "resnet18-tiny": lambda s, n, c: resnet(s, n, c, "2 2 2 2", False, True),
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": lambda s, n, c: mobilenet_v2(s, n, c, False),
    "mobilenet_v2-cifar10": lambda s, n, c: mobilenet_v2(s, n, c, True),
    "mobilenet_v2-tiny": lambda s, n, c: mobilenet_v2(s, n, c, True),
    "squeezenet1_0": lambda s, n, c: squeezenet(s, n, c, False),
    "squeezenet1_1": lambda s, n, c: squeezenet(s, n, c, True),
    "shufflenet_v2_x1_0": lambda s, n, c: shufflenet(s, n, c, 116, False),
    "shufflenet_v2_x1_5-cifar10": lambda s, n, c: shufflenet(s, n, c, 176, True),
    "shufflenet_v2_x1_5-tiny": lambda s, n, c: shufflenet(s, n, c, 176, True),
    "densenet121": densenet121,
    "digits_cnn": digits_cnn,
    "googlenet": googlenet,
    "vit_b_16": vit_b_16,
}
