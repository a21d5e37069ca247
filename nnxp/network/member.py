"""Some of a model's members as a model of their own."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from nnxp.doors.options import whole
from nnxp.layers.parts import with_parts
from nnxp.memory.parameters import Owner, ParameterStore
from nnxp.network.architecture import EACH_MEMBER
from nnxp.network.history import MEMBER, of_each
from nnxp.network.model import Model
from nnxp.optimizers import Optimizer
from nnxp.typing import Array

M = TypeVar("M", bound=Model)


def member(model: M, i: int) -> M:
    """Member i of a model: see `Sequential.member`."""
    one = subset(model, [i])
    if model.members > 1:
        (one.seed,), one.seeded, one._seeds = one.seeds, True, None
    return one


def subset(model: M, indices: Sequence[int]) -> M:
    """A model of some of a model's members, in this order: their weights, seeds and optimizer's state. Trained on, it
    takes batches in the order that the whole model does, and its members go on as they would have there."""
    indices, members = [whole("i", i) for i in indices], model.members
    for i in indices:
        if not 0 <= i < members:
            raise IndexError(f"got member {i}, expected one from 0 to {members - 1}: the model has {members} members")
    store, optimizer = model.store, _optimizer(model.optimizer, indices)
    layers = [copy.copy(layer) for layer in model.layers]
    for position, layer in with_parts(layers):
        views = {name: store.view(position, name) for name in layer.stored()}
        layer.__dict__["_store"] = None
        for name in EACH_MEMBER:
            if isinstance(numbers := layer.__dict__.get(name), tuple):
                layer.__dict__[name] = _of_each(numbers, indices)
        layer._assigned = {
            name: store.backend.to_numpy(v if (position, name) in store.common else v[0, ...])
            for name, v in views.items()
        }
    given: dict[str, Any] = {"dtype": model.dtype, "seed": model.seed, "members": len(indices)}
    some = type(model)(layers, copy.copy(model.loss), optimizer, **given)
    some.seeded = model.seeded
    if members > 1 or model._seeds is not None:
        some.seeds = [model.seeds[i] for i in indices]
    some._backend, some._named = model._backend, model._named
    some._bind(draw=False)
    transfer(model, some, list(zip(indices, range(len(indices)), strict=True)))
    for name in ("classes", "preprocessing", "encoder"):
        setattr(some, name, copy.deepcopy(getattr(model, name)))
    some.history = _history(model, indices)
    return some


def transfer(source: Model, target: Model, pairs: Iterable[tuple[int, int]]) -> None:
    """Gives each second member of the pairs, of the target, the weights and the optimizer's state of the first, of the
    source; and the target the source's place in its course."""
    pairs = list(pairs)
    kept = source.optimizer.saved_state(source.store)
    moved = [(source.store.values, target.store.values)]
    if kept:
        moved += zip(kept.values(), target.optimizer.state(target.store), strict=True)
    with target.store.backend.context():
        for old, new in moved:
            theirs, own = _by_member(source.store, old), _by_member(target.store, new)
            for place, array in own.items():
                for i, k in pairs:
                    array[min(k, array.shape[0] - 1), ...] = theirs[place][min(i, theirs[place].shape[0] - 1), ...]
    target.optimizer.resume(source.optimizer.progress())
    target.epoch, target.step = source.epoch, source.step


def _by_member(store: ParameterStore, flat: Array) -> dict[tuple[Owner, str], Array]:
    """Views of an array that is laid out as a store is, or as what it trains is: (members, ...), also of one, and
    (1, ...) of what all share."""
    found = {}
    for entry, start in zip(store.entries, store.offsets, strict=False):
        if (stop := start + entry.size) <= flat.shape[0]:
            seen = entry.seen(flat[start:stop], store.backend.xp)
            found[entry.owner, entry.name] = seen[None, ...] if entry.members is None else seen
    return found


def _optimizer(optimizer: Optimizer, indices: Sequence[int]) -> Optimizer:
    """A copy without state, by what the members at these indices have of their own."""
    twin = copy.copy(optimizer)
    twin.resume(optimizer.progress())
    for name, rate in (("factors", "learning_rate"), ("decay_factors", "weight_decay")):
        given = dict(getattr(twin, name, None) or {})
        if "members" in given:
            numbers = _of_each(given.pop("members"), indices)
            if isinstance(numbers, tuple):
                given["members"] = numbers
            else:
                setattr(twin, rate, getattr(twin, rate) * numbers)
            setattr(twin, name, given or None)
    return twin


def _of_each(numbers: tuple[Any, ...], indices: Sequence[int]) -> Any:
    """Those at the indices; of one, the number, or the row of them."""
    return tuple(numbers[i] for i in indices) if len(indices) > 1 else numbers[indices[0]]


def _history(model: Model, indices: Sequence[int]) -> dict[str, list[Any]]:
    """The model's with the losses and scores of these members, and their means as those of the training; of one member
    its own, also of a validation."""
    each = {  # of an epoch without a validation there is NaN, and no list
        name: [[entry[i] if isinstance(entry, list) else entry for i in indices] for entry in values]
        for name, values in model.history.items()
        if of_each(name)
    }
    history = {name: list(values) for name, values in model.history.items() if name not in each}
    for name in each:
        if name.startswith(MEMBER) or len(indices) == 1:
            history[name.replace(MEMBER, "", 1)] = [sum(values) / len(values) for values in each[name]]
    return history | (each if len(indices) > 1 else {})
