"""A small network for handwritten digits of 8 x 8 pixels: pairs of 3 x 3 convolutions as in VGG
(Simonyan and Zisserman, ICLR 2015) with batch norm (Ioffe and Szegedy, ICML 2015), and global
average pooling before a single linear layer. Nothing about it is published: it is there to be
trained in seconds, dense and sparse, by ``scripts/train_digits.py``.

Data: the 1,797 images of ``sklearn.datasets.load_digits`` (Alpaydin and Kaynak, "Optical recognition
of handwritten digits", UCI machine learning repository, 1998), ``images / 16`` as float32 of shape
(N, 1, 8, 8), cut by ``energysim.data.digits_split``: in the order that sorts the first 1,797 raw
64-bit numbers of the generator Philox with key (0, 0) (stable sort), the first 1,077 images are for
training, the next 360 for validation (which chooses the epoch), the last 360 for the test; within a
part they are taken in ascending order.

Weights: ``digits_weights/<scheme>.npz``, the scheme's text with ``_`` for ``:``, ``=`` and ``,``;
arrays ``seed<k>/<parameter>``, bfloat16 numbers held as float32. The accuracy of each is in
``digits_weights/accuracy.json``.
"""

from collections.abc import Sequence

from energysim.graph import GraphBuilder, LayerGraph

#: Output channels of the convolutions in each of the two blocks.
CHANNELS = ((32, 32), (48, 48))

MODELS = {"digits_cnn": {}}


def build(input: Sequence[int] = (1, 8, 8), classes: int = 10) -> LayerGraph:
    b = GraphBuilder("digits_cnn", input)
    x, number = b.input, 0
    with b.scope("features"):
        for block, widths in enumerate(CHANNELS, 1):
            if block > 1:
                x = b.pool(x, 2, name=f"pool{block - 1}")
            for channels in widths:
                number += 1
                x = b.conv(x, channels, 3, padding=1, bias=False, name=f"conv{number}")
                x = b.relu(b.batch_norm(x, name=f"bn{number}"), name=f"relu{number}")
    x = b.flatten(b.global_pool(x, name="avgpool"), name="flatten")
    return b.build(b.linear(x, classes, name="classifier"))
