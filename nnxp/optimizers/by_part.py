"""Updates of a part of a store, while others have the other parts."""

from collections.abc import Callable

from nnxp.memory.parameters import ParameterStore
from nnxp.optimizers.base import Optimizer
from nnxp.optimizers.rules import SGD, Adagrad, Adam, AdamW, Lion, RMSprop
from nnxp.typing import Array

BY_ELEMENT = {rule.step for rule in (SGD, Adagrad, RMSprop, Adam, AdamW, Lion)}
"""The rules of which every element is updated by its own numbers alone; who overrides one may write another."""


def updates_parts(optimizer: Optimizer) -> bool:
    """Whether updates of parts, each by itself, are the bits of one of all: no norm of all gradients is asked for."""
    own = type(optimizer)
    return own.step in BY_ELEMENT and own.update_params is Optimizer.update_params and optimizer.clip_norm is None


def has_one_factor(optimizer: Optimizer, store: ParameterStore) -> bool:
    """Whether no stretch has several factors: a part of one may have one, which is multiplied, and rounded, before."""
    layout, spans = optimizer._layout(store), store.spans(None, optimizer.by_kind)
    found = (table.within(span.start, span.stop) for table in (layout.rates, layout.decays) for span in spans)
    return all(isinstance(factor, float) for factor in found)


def move_state(optimizer: Optimizer, store: ParameterStore, to: Callable[[Array], Array]) -> list[Array]:
    """Has what an optimizer keeps for a store in other memory, which `to` gives for each array, filled."""
    optimizer._state[store.token] = moved = [to(kept) for kept in optimizer.state(store)]
    optimizer._laid_out.clear()
    return moved


def has_state(optimizer: Optimizer, store: ParameterStore, moved: list[Array]) -> bool:
    """Whether what an optimizer keeps for a store still is what `move_state` gave."""
    return optimizer._state.get(store.token) is moved
