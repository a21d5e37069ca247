"""K networks of one architecture as one model: their seeds, their places in one store, and their layers side by side.

A model's own layers say what one network is. What runs are the layers that are made of them here: the same parameters,
in the same memory, in the shapes that compute all members at once (see `nnxp.network.wide`).
"""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from nnxp import random
from nnxp.activations import ACTIVATIONS, Softmax
from nnxp.backends import Backend, dtype_of
from nnxp.doors.arrays import same_length, sample_weights
from nnxp.layers import BatchNorm, Dense, Dropout, Layer, PiecewiseLinearEmbedding, Rescaling, Scaling, SharedDense
from nnxp.layers.parts import with_parts
from nnxp.losses import Loss
from nnxp.memory.parameters import Entry, Owner, ParameterStore
from nnxp.network.architecture import EACH_MEMBER
from nnxp.network.parametric import ParametricActivation
from nnxp.network.residual import Residual
from nnxp.network.shared import Shared
from nnxp.network.sharing import common, share
from nnxp.network.wide import BlockDense, ByRows, MembersDropout, MembersSharedDense, OneByOne, Spread
from nnxp.optimizers import LBFGS, Optimizer
from nnxp.optimizers.factors import of_members
from nnxp.typing import Array, ArrayLike

ELEMENTWISE = tuple(kind for kind in ACTIVATIONS if kind is not Softmax)
WIDTHS = {Scaling: "width", ParametricActivation: "width", BatchNorm: "n"}
"""Layers whose parameters are rows, and what says how wide these are."""


def seed_of(seed: int, member: int) -> int:
    """The seed of a member: a network of its own with this seed is that member."""
    return random.key(seed, "members", member) & (2**63 - 1)


# --- places in the store --------------------------------------------------------------------------------


def entries_of(found: Sequence[Entry], layers: Sequence[Layer], members: int) -> list[Entry]:
    """The entries of a model's layers and their parts, once for each of so many members."""
    beside, _ = _of_shared_inputs(layers)
    shapes = {  # of a layer that was copied, one's of those in the store that it comes from
        (position, entry.name): entry.shape
        for position, layer in with_parts(layers)
        if layer._store is not None
        for entry in layer._store.entries
        if entry.owner == layer.position
    }
    shared = common(layers)
    found = [entry._replace(shape=shapes.get((entry.owner, entry.name), entry.shape)) for entry in found]
    return [
        entry
        if (entry.owner, entry.name) in shared
        else entry._replace(members=members, beside=entry.name == "weights" and entry.owner in beside)
        for entry in found
    ]


def _of_shared_inputs(layers: Sequence[Layer], before: str = "") -> tuple[set[Owner], bool]:
    """The dense layers whose inputs all members share, and whether they share the last layer's outputs too."""
    found: set[Owner] = set()
    for i, layer in enumerate(layers):
        place: Owner = f"{before}{i}" if before else i
        if type(layer) is Dense:
            return found | {place}, False
        if type(layer) is Residual and layer.shortcut is not None:
            return found | {f"{place}.shortcut"} | _of_shared_inputs(layer.layers, f"{place}.layers.")[0], False
        if not _keeps_sharing(layer):
            return found, False
    return found, True


def _keeps_sharing(layer: Layer) -> bool:
    """Whether members that share the inputs of a layer share its outputs."""
    by_member = isinstance(layer, Rescaling) and any(isinstance(v, tuple) for v in (layer.scale, layer.offset))
    without_weights = type(layer) is PiecewiseLinearEmbedding and not layer.parameters
    return without_weights or (type(layer) in (*ELEMENTWISE, Softmax, Rescaling, Shared) and not by_member)


def bind(
    layer: Layer, store: ParameterStore, position: Owner, seed: int, following: Layer | None, seeds: Sequence[int]
) -> None:
    """Gives every member's parameters of a layer their values: those assigned, drawn or trained before, or each its
    seed's; what members share, or begin alike with, is of the model's seed."""
    own, old, members = layer.__dict__.pop("_of_members", {}), layer._store, len(seeds)
    several = {entry.members for entry in old.entries if entry.owner == layer.position} if old is not None else {None}
    if others := several - {None, members}:
        raise ValueError(f"got a layer of {others.pop()} members in a model of {members}, expected as many")
    for number, name in enumerate(layer.stored()):
        once = (position, name) in store.common or name in layer.alike
        if once and name not in {**own, **layer._assigned} and layer._store is None:
            layer._assigned[name] = layer.initial(name, random.key(seed, "weights", position, number), following)
    for k, own_seed in enumerate(seeds):
        twin = copy.copy(layer)
        if old is not None and members in several:
            twin._store = MemberStore(old, k)  # type: ignore[assignment]
        twin._assigned = {**layer._assigned, **{name: values[k] for name, values in own.items()}}
        twin.bind(MemberStore(store, k), position, own_seed, following)  # type: ignore[arg-type]
    layer.attach(store, position)


class MemberStore:
    """A store as one member's layers see it."""

    def __init__(self, store: ParameterStore, member: int) -> None:
        self.store, self.member = store, member
        self.backend: Backend = store.backend
        self.dtype, self.token, self.former, self.computed = store.dtype, store.token, store.former, store.computed

    def view(self, owner: Owner, name: str) -> Array:
        """The member's own of `ParameterStore.view`, or what all share."""
        view = self.store.view(owner, name)
        return view if (owner, name) in self.store.common else view[self.member, ...]

    def gradient(self, owner: Owner, name: str) -> Array:
        """The member's own of `ParameterStore.gradient`."""
        return self.store.gradient(owner, name)[self.member, ...]

    def write(self, view: Array, value: ArrayLike, name: str) -> None:
        """As `ParameterStore.write`."""
        self.store.write(view, value, name)

    def freeze(self, owner: Owner, frozen: bool) -> None:
        """As `ParameterStore.freeze`."""
        self.store.freeze(owner, frozen)


class WideStore:
    """A store as a layer of all members side by side sees it: each array in that layer's shape."""

    def __init__(self, store: ParameterStore, position: Owner, shapes: dict[str, tuple[int, ...]]) -> None:
        self.backend: Backend = store.backend
        self.dtype, self.computed = store.dtype, store.computed
        trained = {entry.name for entry in store.entries if entry.owner == position and entry.kind != "state"}
        self._views = {name: store.reshaped(position, name, shape) for name, shape in shapes.items()}
        self._gradients = {name: store.reshaped(position, name, shapes[name], gradient=True) for name in trained}

    def view(self, owner: Owner, name: str) -> Array:
        """As `ParameterStore.view`."""
        return self._views[name]

    def gradient(self, owner: Owner, name: str) -> Array:
        """As `ParameterStore.gradient`."""
        return self._gradients[name]


def loss_backward(
    loss: Loss, output: Array, y: ArrayLike, sample_weight: ArrayLike | None, members: int, layers: Sequence[Layer]
) -> Array:
    """The gradient of each member's mean loss by the outputs, side by side, (n, K · m); where members share parameters,
    of the mean of these."""
    backend, (n, width) = loss.backend, output.shape
    rows = (n * members, width // members)
    y = loss.prepare(y, rows[1], dtype_of(output))
    same_length(n, int(y.shape[0]), "labels")
    w = sample_weights(backend, sample_weight, n, dtype_of(output))
    with backend.context():
        xp = backend.xp
        y, w = [None if a is None else xp.repeat(a, members, axis=0) for a in (y, w)]
        dvalues = loss.backward(xp.reshape(output, rows), y, w)
        dvalues = xp.reshape(dvalues, (n, width))
        return dvalues if share(layers) else dvalues * members


def check_optimizer(optimizer: Optimizer, members: int, shares: bool) -> None:
    """Raises ValueError where an update of all members together is not that of each by itself, or of what they are
    together where they share parameters."""
    norm = optimizer.clip_norm is not None and not shares
    if norm or isinstance(optimizer, LBFGS):
        raise ValueError(
            f"got {'clip_norm' if norm else 'LBFGS'} for a model of {members} members, expected an update that each "
            "makes by itself: take clip_value, or another optimizer, or train them one by one (model.member(i))"
        )
    if shares and of_members(optimizer):
        raise ValueError(
            "got factors by member for members that share weights, expected factors of parameters or layers: what all "
            "share has one rate"
        )


# --- layers side by side --------------------------------------------------------------------------------


def options_of(layers: Sequence[Layer]) -> list[Any]:
    """The options that layers and their parts have now."""
    return [getattr(layer, name, None) for _, layer in with_parts(layers) for name in layer.options]


def side_by_side(layers: Sequence[Layer], seeds: Sequence[int], shared: bool = True) -> list[list[Layer]]:
    """For each of a model's bound layers, what computes it for all members: the last ones' outputs lie side by side, as
    the first ones' inputs do where they are not shared."""
    return [*_Making(seeds, shared).row(layers)]


class _Making:
    """One pass over layers in a row; `shared` while all members have the same inputs."""

    def __init__(self, seeds: Sequence[int], shared: bool = True) -> None:
        self.members, self.seeds, self.shared = len(seeds), seeds, shared

    def row(self, layers: Sequence[Layer]) -> Iterator[list[Layer]]:
        for i, layer in enumerate(layers):
            made = self.made(layer)
            if self.shared and i == len(layers) - 1:
                made.append(self.spread(layer))
            yield made

    def made(self, layer: Layer) -> list[Layer]:
        kind = type(layer)
        if kind in ELEMENTWISE or (self.shared and _keeps_sharing(layer)):
            return [layer]
        if kind is Dense or (kind is Residual and layer.shortcut is not None):
            return [self.wide(layer)]
        if kind in (Dropout, Residual, Rescaling, SharedDense, *WIDTHS, Softmax, Shared):
            before = [self.spread(layer)] if self.shared else []
            return [*before, self.wide(layer)]
        if layer.common:
            raise TypeError(
                f"got {kind.__name__}, a layer of your own with parameters that {self.members} members share, expected "
                "one of nnxp's: put yours in nnxp.Shared([...])"
            )
        shared, self.shared = self.shared, False
        row = OneByOne([_single(layer, MemberStore(layer.store, k), s) for k, s in enumerate(self.seeds)], shared)
        return [_placed(row, layer)]

    def spread(self, layer: Layer) -> Layer:
        self.shared = False
        return _placed(Spread(self.members), layer)

    def wide(self, layer: Layer) -> Layer:
        """All members of a layer in one."""
        shared, self.shared, K = self.shared, False, self.members
        if isinstance(layer, Softmax | Shared):
            return _placed(ByRows(copy.copy(layer), K), layer)
        if isinstance(layer, Dropout):
            return _twin(layer, MembersDropout, seeds=self.seeds)
        if isinstance(layer, Rescaling):
            return _twin(layer, **layer.of_members(K))
        if isinstance(layer, Residual):
            inner = _Making(self.seeds, shared)
            parts = [made for row in inner.row(layer.layers) for made in row]
            beside = layer.shortcut and _Making(self.seeds, shared).wide(layer.shortcut)
            n_in, n_out = layer.n_in and layer.n_in * (1 if shared else K), layer.n_out and layer.n_out * K
            return _twin(layer, layers=parts, shortcut=beside, n_in=n_in, n_out=n_out)
        if isinstance(layer, SharedDense):
            return _twin(layer, MembersSharedDense, n_in=K * layer.n_in, n_out=K * layer.n_out, members=K)
        if isinstance(layer, Dense) and shared:
            return _penalised(_twin(layer, n_out=K * layer.n_out), layer)
        if isinstance(layer, Dense):
            blocks = _twin(layer, BlockDense, n_in=K * layer.n_in, n_out=K * layer.n_out, blocks=K)
            return _penalised(blocks, layer)
        name = WIDTHS[type(layer)]
        return _twin(layer, **{name: K * getattr(layer, name)})


def _twin(layer: Layer, kind: type[Layer] | None = None, **changed: Any) -> Layer:
    """A layer like another, of its parameters, but for what is changed."""
    twin = object.__new__(kind or type(layer))
    twin.__dict__.update(layer.__getstate__(), **changed)
    if layer.stored():
        twin.__dict__["_store"] = WideStore(layer.store, layer.position, twin.parameter_shapes())
    return _placed(twin, layer)


def _penalised(twin: Layer, layer: Dense) -> Layer:
    """The twin of a dense layer, its penalties' factors as its parameters are, where there is one for each member."""
    backend = layer.backend
    for entry in layer.store.entries:
        for name in ("l1", "l2"):
            option = name if entry.name == "weights" else f"bias_{name}"
            if entry.owner == layer.position and isinstance(numbers := getattr(layer, option), tuple):
                factors = backend.asarray(entry.spread(numbers), dtype=layer.dtype)
                twin.__dict__[option] = entry.shaped(factors, tuple(getattr(twin, entry.name).shape), backend.xp)
    return twin


def _placed(made: Layer, layer: Layer) -> Layer:
    """Puts what is made where the layer is: backend, dtype, model, position, whether it trains."""
    for name in ("_backend", "_dtype", "_named", "_model", "position", "seed"):
        if name in layer.__dict__:
            made.__dict__[name] = layer.__dict__[name]
    made.__dict__["trainable"] = layer.trainable
    return made


def _single(layer: Layer, store: Any, seed: int) -> Layer:
    """A member's own of a layer and its parts."""
    twin = copy.copy(layer)
    for (_, part), (_, own) in zip(with_parts([twin]), with_parts([layer]), strict=True):
        each = {
            name: value[store.member]
            for name, value in part.__dict__.items()
            if name in EACH_MEMBER and isinstance(value, tuple)
        }
        part.__dict__.update(_store=store, position=own.position, seed=seed, **each)
        part.__dict__["_model"] = own.__dict__.get("_model")
    return twin
