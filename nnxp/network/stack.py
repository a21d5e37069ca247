"""The layers of a recipe."""

from nnxp.activations import ACTIVATIONS, Activation, Softmax
from nnxp.doors.naming import lookup
from nnxp.initializers import get_initializer
from nnxp.layers import Dense, Dropout, Layer
from nnxp.network.architecture import hidden_layers
from nnxp.network.recipe import Recipe
from nnxp.network.residual import Residual


def stack(recipe: Recipe, features: int, outputs: int) -> list[Layer]:
    """From the inputs to the outputs, before what makes probabilities of these or gives them units."""
    before: list[Layer] = [Dropout(recipe.input_dropout)] if recipe.input_dropout else []
    hidden = hidden_layers(
        features,
        recipe.hidden,
        lambda: lookup(recipe.activation, Activation, [cls for cls in ACTIVATIONS if cls is not Softmax], "activation"),
        normalization=recipe.normalization,
        dropout=recipe.dropout,
    )
    width = (features, *recipe.hidden)[-1]
    if not (recipe.shortcut and hidden):
        return [*before, *hidden, Dense(width, outputs)]
    block = Residual([*hidden, Dense(width, outputs, initializer="zeros")], projected=features == outputs)
    assert block.shortcut is not None
    block.shortcut.initializer = get_initializer("zeros")
    return [*before, block]
