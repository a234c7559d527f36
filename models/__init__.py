"""The model zoo: one builder file per family, and the index of their names.

``FAMILIES`` is: builder file -> the names of its ``MODELS``.
"""

FAMILIES: dict[str, tuple[str, ...]] = {
    "alexnet": ("alexnet", "alexnet_grouped"),
    "densenet": ("densenet121",),
    "digits": ("digits_cnn",),
    "googlenet": ("googlenet",),
    "mobilenet": ("mobilenet_v1", "mobilenet_v2", "mobilenet_v2-cifar10", "mobilenet_v2-tiny"),
    "resnet": (
        "resnet18",
        "resnet34",
        "resnet50",
        "resnet101",
        "resnet152",
        "resnet18-cifar10",
        "resnet18-tiny",
    ),
    "shufflenet": ("shufflenet_v2_x1_0", "shufflenet_v2_x1_5-cifar10", "shufflenet_v2_x1_5-tiny"),
    "squeezenet": ("squeezenet1_0", "squeezenet1_1"),
    "vgg": ("vgg11", "vgg13", "vgg16", "vgg19", "vgg16-cifar10", "vgg16-tiny"),
    "vit": ("vit_b_16",),
}
