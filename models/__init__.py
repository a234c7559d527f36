"""The model zoo: one builder file per family, and the index of their names.

``FAMILIES`` is: builder file -> the names of its ``MODELS``.
"""

FAMILIES: dict[str, tuple[str, ...]] = {
    "vgg": ("vgg11", "vgg13", "vgg16", "vgg19", "vgg16-cifar10", "vgg16-tiny"),
}
