"""Measured activation sparsity: run inputs, count zeros, write what an estimate can use.

>>> text = profile("resnet18-cifar10", data="cifar-10-batches-bin").to_json()
"""

from energysim.profile.result import Profile, TensorProfile
from energysim.profile.run import profile
from energysim.profile.sizes import Sizes

__all__ = ["Profile", "Sizes", "TensorProfile", "profile"]
