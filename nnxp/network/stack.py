"""The layers of a recipe."""

from nnxp.activations import ACTIVATIONS, Activation, Softmax
from nnxp.doors.naming import lookup
from nnxp.initializers import get_initializer
from nnxp.layers import Dense, Dropout, Layer
from nnxp.network.architecture import hidden_layers
from nnxp.network.recipe import Recipe
from nnxp.network.residual import Residual


def stack(recipe: Recipe, features: int, outputs: int, embedding: Layer | None = None) -> list[Layer]:
    """From the inputs to the outputs, before what makes probabilities of these or gives them units.

    An embedding stands before the hidden layers: the shortcut has the inputs as they are.
    """
    before: list[Layer] = [Dropout(recipe.input_dropout)] if recipe.input_dropout else []
    embedded = [] if embedding is None else [embedding]
    given = features if embedding is None else embedding.output_width(features)
    assert given is not None
    hidden = embedded + hidden_layers(
        given,
        recipe.hidden,
        lambda: lookup(recipe.activation, Activation, [cls for cls in ACTIVATIONS if cls is not Softmax], "activation"),
        normalization=recipe.normalization,
        dropout=recipe.dropout,
    )
    width = (given, *recipe.hidden)[-1]
    if not (recipe.shortcut and recipe.hidden):
        return [*before, *hidden, Dense(width, outputs)]
    block = Residual([*hidden, Dense(width, outputs, initializer="zeros")], projected=features == outputs)
    assert block.shortcut is not None
    block.shortcut.initializer = get_initializer("zeros")
    return [*before, block]
