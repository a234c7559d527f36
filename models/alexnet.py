"""AlexNet, in the two forms that are in use.

``alexnet``          Krizhevsky, "One weird trick for parallelizing convolutional neural
                     networks", arXiv 1404.5997, 2014: no groups, 61.1 M parameters.
``alexnet_grouped``  Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep
                     convolutional neural networks", NIPS 2012: conv2, conv4 and conv5 see half
                     the channels (two GPUs), local response norm; 227 pixels make the published
                     55 x 55 map, 61.0 M parameters. The form that accelerators are measured on.
"""

from collections.abc import Sequence

from energysim.graph import GraphBuilder, LayerGraph

#: Per convolution: output channels, window, stride, padding, groups.
CONVOLUTIONS = {
    "single": ((64, 11, 4, 2, 1), (192, 5, 1, 2, 1), (384, 3, 1, 1, 1), (256, 3, 1, 1, 1), (256, 3, 1, 1, 1)),
    "grouped": (
        (96, 11, 4, 0, 1),
        (256, 5, 1, 2, 2),
        (384, 3, 1, 1, 1),
        (384, 3, 1, 1, 2),
        (256, 3, 1, 1, 2),
    ),
}

MODELS = {
    "alexnet": {"form": "single"},
    "alexnet_grouped": {"form": "grouped", "input": (3, 227, 227)},
}


def build(input: Sequence[int] = (3, 224, 224), classes: int = 1000, form: str = "single") -> LayerGraph:
    b = GraphBuilder("alexnet", input)
    x = b.input
    with b.scope("features"):
        for number, (channels, window, stride, padding, groups) in enumerate(CONVOLUTIONS[form], 1):
            x = b.conv(x, channels, window, stride, padding, groups=groups, name=f"conv{number}")
            x = b.relu(x, name=f"relu{number}")
            if number in (1, 2) and form == "grouped":
                x = b.local_response_norm(x, 5, name=f"norm{number}")
            if number in (1, 2, 5):
                x = b.pool(x, 3, 2, name=f"pool{number}")
    if form == "single":
        x = b.adaptive_pool(x, 6, name="avgpool")
    x = b.flatten(x, name="flatten")
    with b.scope("classifier"):
        for number in (6, 7):
            x = b.dropout(x, name=f"dropout{number}")
            x = b.linear(x, 4096, name=f"fc{number}")
            x = b.relu(x, name=f"relu{number}")
        x = b.linear(x, classes, name="fc8")
    return b.build(x)
