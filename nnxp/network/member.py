"""One of a model's members as a model of its own."""

import copy
from typing import TypeVar

from nnxp.doors.options import whole
from nnxp.layers.parts import with_parts
from nnxp.memory.parameters import ParameterStore
from nnxp.network.architecture import EACH_MEMBER
from nnxp.network.members import seed_of
from nnxp.network.model import Model
from nnxp.typing import Array

M = TypeVar("M", bound=Model)


def member(model: M, i: int) -> M:
    """Member i of a model: see `Sequential.member`."""
    i, members = whole("i", i), model.members
    if not 0 <= i < members:
        raise IndexError(f"got member {i}, expected one from 0 to {members - 1}: the model has {members} members")
    store, optimizer = model.store, copy.copy(model.optimizer)
    optimizer.resume(model.optimizer.progress())
    for name, rate in (("factors", "learning_rate"), ("decay_factors", "weight_decay")):
        given = dict(getattr(optimizer, name, None) or {})
        if "members" in given:
            setattr(optimizer, rate, getattr(optimizer, rate) * given.pop("members")[i])
            setattr(optimizer, name, given or None)
    layers = [copy.copy(layer) for layer in model.layers]
    for position, layer in with_parts(layers):
        views = {name: store.view(position, name) for name in layer.stored()}
        layer.__dict__["_store"] = None
        for name in EACH_MEMBER:
            if isinstance(numbers := layer.__dict__.get(name), tuple):
                layer.__dict__[name] = numbers[i]
        layer._assigned = {
            name: store.backend.to_numpy(v if (position, name) in store.common else v[i, ...])
            for name, v in views.items()
        }
    one = type(model)(layers, copy.copy(model.loss), optimizer, dtype=model.dtype, seed=model.seed)
    if members > 1:
        one.seed, one.seeded = seed_of(model.seed, i), True
    one._backend, one._named = model._backend, model._named
    one._bind()
    slots = model.optimizer.saved_state(store)
    if slots:
        one.restore_optimizer({name: _own(slot, store, one.store, i) for name, slot in slots.items()})
    for name in ("epoch", "step", "classes", "preprocessing", "encoder"):
        setattr(one, name, copy.deepcopy(getattr(model, name)))
    one.history = {name: list(values) for name, values in model.history.items() if "member" not in name}
    if "member_loss" in model.history:
        one.history["loss"] = [losses[i] for losses in model.history["member_loss"]]
    return one


def _own(slot: Array, store: ParameterStore, own: ParameterStore, i: int) -> Array:
    """A member's part of what an optimizer keeps, laid out as its own store is."""
    xp = store.backend.xp
    places = {(e.owner, e.name): (e, start) for e, start in zip(store.entries, store.offsets, strict=False)}
    parts = []
    for entry in own.entries:
        if entry.kind != "state":
            whole_entry, start = places[entry.owner, entry.name]
            seen = whole_entry.seen(slot[start : start + whole_entry.size], xp)
            parts.append(xp.reshape(seen if whole_entry.members is None else seen[i, ...], (-1,)))
    return xp.concat(parts)
