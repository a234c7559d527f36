"""Train ``digits_cnn`` dense and with every psconv variant and random supports, over several seeds.

    pip install -e '.[train]'
    python scripts/train_digits.py

Writes ``models/digits_weights/*.npz`` and ``accuracy.json`` and prints a table. The network that is
trained is the layer graph itself, walked node by node. Positions that a kernel does not keep are zero
from the start and stay so: their gradients are set to zero (the way of Kundu et al. 2020, whose weight
decay and momentum then leave them at zero).

Unlike that work's published code: evaluation always in evaluation mode, the best epoch chosen on the
validation images and never on the test images, seeds fixed. All hyperparameters were set once, for
the dense network, before any test image was looked at.

Weights are rounded to the nearest bfloat16 number (stored as float32, so that files compress); every
accuracy is that of the rounded weights. Expect about ten minutes on one core.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import time
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from sklearn.datasets import load_digits
from torch import Tensor, nn

from energysim.data import digits_split
from energysim.graph import Activation, AdaptivePool2d, BatchNorm, Conv2d, Flatten, LayerGraph, Linear, Pool2d
from energysim.schemes import parse_scheme
from energysim.zoo import load_model

HOME = Path(__file__).resolve().parent.parent

SCHEMES = (
    "dense",
    *(f"psconv:{name}" for name in ("PSD4_P8", "PSD4_P16", "PSD2_P8", "PSD2_P16", "PSD1_P8", "PSD1_P16")),
    *(f"psconv:{name}" for name in ("PS4_P4", "PS2_P6", "PS1_P9")),
    *(f"psc:kss={kss}" for kss in (4, 2, 1)),
)
SETTING = {
    "epochs": 40,
    "batch": 64,
    "learning_rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "schedule": "cosine to 0 over all steps",
    "augmentation": "shifts by -1, 0 or 1 pixels",
}


class Network(nn.Module):
    """A chain of layers, built from a graph."""

    def __init__(self, graph: LayerGraph) -> None:
        super().__init__()
        self.graph = graph
        self.layers = nn.ModuleDict()
        self.masks: list[tuple[nn.Parameter, Tensor]] = []
        for node in graph.nodes:
            layer = self._layer(graph, node.name)
            self.layers[node.name.replace(".", "/")] = layer
            if isinstance(node.op, Conv2d):
                mask = torch.from_numpy(node.op.layout(graph.input_shapes(node)).mask()).float()
                self.masks.append((layer.weight, mask))
        self.clear()

    @staticmethod
    def _layer(graph: LayerGraph, name: str) -> Any:
        node = graph.node(name)
        op, channels = node.op, graph.input_shapes(node)[0][1]
        if isinstance(op, Conv2d):
            layer = nn.Conv2d(channels, op.out_channels, op.window, op.stride, op.padding[::2], bias=op.bias)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            return layer
        if isinstance(op, BatchNorm):
            return nn.BatchNorm2d(channels)
        if isinstance(op, Linear):
            return nn.Linear(channels, op.out_features)
        if isinstance(op, Pool2d) and op.mode == "max":
            return nn.MaxPool2d(op.window, op.stride)
        if isinstance(op, AdaptivePool2d) and op.mode == "average":
            return nn.AdaptiveAvgPool2d(op.output)
        if op == Activation("relu"):
            return nn.ReLU()
        if isinstance(op, Flatten):
            return nn.Flatten()
        raise TypeError(f"this script has no PyTorch layer for {op}")

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers.values():
            x = layer(x)
        return x

    def clear(self) -> None:
        """Set weights that do not exist to zero."""
        with torch.no_grad():
            for weight, mask in self.masks:
                weight *= mask

    def hold(self) -> None:
        """Set the gradients of weights that do not exist to zero."""
        for weight, mask in self.masks:
            if weight.grad is not None:
                weight.grad *= mask

    def arrays(self) -> dict[str, np.ndarray]:
        """Return weights and statistics by their name in the graph."""
        found = {}
        for name, tensor in self.state_dict().items():
            node, _, suffix = name.removeprefix("layers.").rpartition(".")
            if suffix != "num_batches_tracked":
                found[f"{node.replace('/', '.')}.{suffix}"] = tensor.numpy().copy()
        return found


def correct(network: Network, images: Tensor, labels: Tensor) -> tuple[int, float]:
    """Return the number of images put right and the loss, in evaluation mode."""
    network.eval()
    with torch.no_grad():
        scores = network(images)
    return int((scores.argmax(1) == labels).sum()), float(nn.functional.cross_entropy(scores, labels))


def shifted(images: Tensor, numbers: torch.Generator) -> Tensor:
    """Move each image by -1, 0 or 1 pixels in both directions; zeros come in from outside."""
    padded = nn.functional.pad(images, (1, 1, 1, 1))
    by = torch.randint(0, 3, (2, len(images)), generator=numbers)
    rows = by[0, :, None, None] + torch.arange(8)[None, :, None]
    cols = by[1, :, None, None] + torch.arange(8)[None, None, :]
    return padded[torch.arange(len(images))[:, None, None], 0, rows, cols][:, None]


def train(graph: LayerGraph, seed: int, data: dict[str, tuple[Tensor, Tensor]]) -> dict[str, Any]:
    """Train one network; return its rounded weights and its results."""
    torch.manual_seed(seed)
    numbers = torch.Generator().manual_seed(seed)
    network = Network(graph)
    images, labels = data["train"]
    steps = SETTING["epochs"] * -(-len(images) // SETTING["batch"])
    optimiser = torch.optim.SGD(
        network.parameters(),
        lr=SETTING["learning_rate"],
        momentum=SETTING["momentum"],
        weight_decay=SETTING["weight_decay"],
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    best: tuple[Any, ...] = (-1, 0.0)
    for epoch in range(1, SETTING["epochs"] + 1):
        network.train()
        for chosen in torch.randperm(len(images), generator=numbers).split(SETTING["batch"]):
            optimiser.zero_grad()
            scores = network(shifted(images[chosen], numbers))
            nn.functional.cross_entropy(scores, labels[chosen]).backward()
            network.hold()
            optimiser.step()
            schedule.step()
        right, loss = correct(network, *data["validation"])
        if (right, -loss) > best[:2]:
            state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
            best = (right, -loss, epoch, state)
    state = {n: t.bfloat16().float() if t.is_floating_point() else t for n, t in best[3].items()}
    network.load_state_dict(state)
    for weight, mask in network.masks:
        assert not (weight * (1 - mask)).any(), "a weight that does not exist is not zero"
    found = {f"{part}_correct": correct(network, *data[part])[0] for part in data}
    return {"arrays": network.arrays(), "seed": seed, "epoch": best[2], **found}


def load() -> tuple[dict[str, tuple[Tensor, Tensor]], str]:
    """Return images and labels of each part, and a digest of them all."""
    bunch = load_digits()
    images = (bunch.images / 16.0).astype(np.float32)[:, None]
    labels = bunch.target.astype(np.int64)
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    parts = {}
    for name in ("train", "validation", "test"):
        chosen = digits_split(name)
        parts[name] = (torch.from_numpy(images[chosen]), torch.from_numpy(labels[chosen]))
    return parts, digest


def save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write an npz file with bzip2, a quarter smaller than with deflate; equal arrays give equal bytes."""
    with zipfile.ZipFile(path, "w") as box:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_BZIP2
            with box.open(member, "w") as stream:
                npy.write_array(stream, np.ascontiguousarray(array, "<f4"), allow_pickle=False)


def weights_file(scheme: str) -> str:
    """Return the name of the weight file of a scheme's text."""
    return scheme.translate(str.maketrans(":=,", "___")) + ".npz"


def summary(runs: list[dict[str, Any]], count: int) -> dict[str, float]:
    """Return mean, sample deviation, least and largest test accuracy in per cent."""
    values = [100 * run["test_correct"] / count for run in runs]
    return {
        "mean": round(float(np.mean(values)), 3),
        "deviation": round(float(np.std(values, ddof=1)), 3) if len(values) > 1 else 0.0,
        "least": round(min(values), 3),
        "largest": round(max(values), 3),
    }


def main() -> None:
    """Train everything, write the files, print the table."""
    parser = argparse.ArgumentParser(description="Train digits_cnn dense and sparse.")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--schemes", nargs="*", default=SCHEMES)
    parser.add_argument("-o", "--output", type=Path, default=HOME / "models" / "digits_weights")
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    given.output.mkdir(parents=True, exist_ok=True)
    data, digest = load()
    sizes = {part: len(labels) for part, (_, labels) in data.items()}
    results: dict[str, Any] = {}
    print(
        f"{'scheme':20} {'weights':>8} {'test % mean':>11} {'dev.':>6} {'least':>7} {'most':>7}  of {sizes}"
    )
    for text in given.schemes:
        scheme = parse_scheme(text)
        graph = scheme.apply(load_model("digits_cnn")).graph
        began = time.process_time()
        runs = [train(graph, seed, data) for seed in range(given.seeds)]
        arrays = {f"seed{r['seed']}/{name}": a for r in runs for name, a in r.pop("arrays").items()}
        save(given.output / weights_file(str(scheme)), arrays)
        kept = sum(
            node.op.layout(graph.input_shapes(node)).nonzeros
            for node in graph.nodes
            if isinstance(node.op, Conv2d)
        )
        found = summary(runs, sizes["test"])
        results[str(scheme)] = {
            "file": weights_file(str(scheme)),
            "convolution_weights": kept,
            "test_percent": found,
            "runs": runs,
        }
        print(
            f"{scheme!s:20} {kept:8} {found['mean']:11.2f} {found['deviation']:6.2f} {found['least']:7.2f} "
            f"{found['largest']:7.2f}  {time.process_time() - began:.0f} s",
            flush=True,
        )
    record = {
        "schema_version": 1,
        "model": "digits_cnn",
        "data": {"source": "sklearn.datasets.load_digits", "sha256": digest, "images": sizes},
        "setting": {**SETTING, "seeds": given.seeds},
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "scikit-learn", "numpy")},
        },
        "schemes": results,
    }
    (given.output / "accuracy.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
