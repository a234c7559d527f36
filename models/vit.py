"""Vision transformer: Dosovitskiy et al., "An image is worth 16x16 words: transformers for image
recognition at scale", ICLR 2021, section 3.1 and table 1 (ViT-Base, patches of 16 x 16).
"""

from collections.abc import Sequence

from energysim.errors import ShapeError
from energysim.graph import GraphBuilder, LayerGraph

MODELS = {"vit_b_16": {"patch": 16, "layers": 12, "heads": 12, "width": 768, "hidden": 3072}}


def embed(b: GraphBuilder, patch: int, width: int) -> str:
    """Patches as a sequence, a class token before them, plus learned positions."""
    _, _, rows, columns = b.shape(b.input)
    if rows % patch or columns % patch:
        raise ShapeError(f"patches of {patch} x {patch} do not tile an input of {rows} x {columns}")
    x = b.conv(b.input, width, patch, patch, name="conv_proj")
    x = b.reshape(x, (width, -1), name="patches")
    x = b.permute(x, (0, 2, 1), name="sequence")
    x = b.learned_token(x, name="class_token")
    return b.dropout(b.learned_add(x, name="encoder.pos_embedding"), name="encoder.dropout")


def encoder_layer(b: GraphBuilder, x: str, heads: int, hidden: int) -> str:
    """Self-attention and a two-layer perceptron, each with a shortcut around it."""
    y = b.attention(b.layer_norm(x, name="ln_1"), heads, name="attention")
    x = b.add(x, b.dropout(y, name="dropout"), name="add_1")
    y = b.layer_norm(x, name="ln_2")
    with b.scope("mlp"):
        y = b.activation(b.linear(y, hidden, name="fc1"), "gelu", name="gelu")
        y = b.linear(b.dropout(y, name="dropout1"), b.shape(x)[2], name="fc2")
        y = b.dropout(y, name="dropout2")
    return b.add(x, y, name="add_2")


def build(
    input: Sequence[int] = (3, 224, 224),
    classes: int = 1000,
    patch: int = 16,
    layers: int = 12,
    heads: int = 12,
    width: int = 768,
    hidden: int = 3072,
) -> LayerGraph:
    b = GraphBuilder("vit", input)
    x = embed(b, patch, width)
    for layer in range(layers):
        with b.scope(f"encoder.layers.{layer}"):
            x = encoder_layer(b, x, heads, hidden)
    x = b.layer_norm(x, name="encoder.ln")
    token, _ = b.split(x, (1, b.shape(x)[1] - 1), axis=1, name="heads.token")
    return b.build(b.linear(b.flatten(token, name="heads.flatten"), classes, name="heads.head"))
