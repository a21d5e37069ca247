"""What the members of a model share: layers made so that all have them in common."""

import itertools
from collections.abc import Iterable, Sequence

from nnxp.layers import Dense, Layer, SharedDense
from nnxp.layers.columnwise import Columnwise
from nnxp.layers.parts import with_parts
from nnxp.memory.parameters import Owner
from nnxp.network.shared import Shared


def common(layers: Iterable[Layer]) -> frozenset[tuple[Owner, str]]:
    """What there is one of for all members of these layers: places and names."""
    found, within = set[tuple[Owner, str]](), list[str]()
    for place, layer in with_parts(layers):
        shared = any(str(place).startswith(f"{whole}.") for whole in within)
        if isinstance(layer, Shared):
            within.append(str(place))
        found |= {(place, name) for name in (layer.stored() if shared else layer.common)}
    return frozenset(found)


def shapes_of(layers: Iterable[Layer], members: int) -> dict[tuple[Owner, str], tuple[int, ...]]:
    """The shape of each stored array, by places and names: of several members theirs in a row, (members, ...)."""
    layers = [*layers]
    alone, found = common(layers), dict[tuple[Owner, str], tuple[int, ...]]()
    for place, layer in with_parts(layers):
        for name, shape in layer.shapes().items():
            several = members > 1 and layer._store is None and (place, name) not in alone
            found[place, name] = (members, *shape) if several else shape
    return found


def share(layers: Iterable[Layer]) -> bool:
    """Whether members of these layers share parameters: they are then one network, whose loss is the mean of theirs."""
    return bool(common(layers))


def check_spread(layers: Iterable[Layer], members: int, processes: int) -> None:
    """Raises ValueError where so many processes cannot each train members of these layers by themselves."""
    if members == 1:
        raise ValueError(
            "got one network to be spread over processes by its members, expected several: Sequential(..., members=8)"
        )
    if share(layers):
        raise ValueError(
            f"got {members} members that share weights to be spread over processes, expected members that share "
            "nothing: these are one network, whose processes would share the rows"
        )
    if processes > members:
        raise ValueError(
            f"got {processes} processes for {members} members to be spread over, expected one "
            f"process for each at most: start {members}, or train more members"
        )


def with_shared_weights(layers: Sequence[Layer]) -> list[Layer]:
    """The layers of TabM (Gorishniy et al. 2025, arXiv:2410.24210): each dense layer but the last becomes a
    `SharedDense`, the first of them with random signs, or behind embeddings with normal factors, one a feature;
    embeddings become `Shared`.

    Raises
    ------
    ValueError
        There is one dense layer or none, or one has options or weights that a `SharedDense` does not take.
    """
    made = [*layers]
    places = [i for i, layer in enumerate(layers) if isinstance(layer, Dense | SharedDense)]
    if len(places) < 2:
        raise ValueError(
            f"got shared=True for {len(places)} dense layer{'s' * (len(places) != 1)} among the model's own, expected "
            "two or more: the last is each member's own, the others share their weights"
        )
    for place, layer in enumerate(layers[: places[0]]):
        if isinstance(layer, Columnwise):
            made[place] = Shared([layer])
    for place in places[:-1]:
        layer = layers[place]
        if isinstance(layer, Dense):
            features = _features(layers[:place]) if place == places[0] else None
            begins = None if place != places[0] else "random_signs" if features is None else "standard_normal"
            made[place] = _shared(layer, begins, features)
    return made


def _shared(layer: Dense, begins: str | None, features: list[int] | None) -> SharedDense:
    plain = type(layer) is Dense and layer.config() == Dense(layer.n_in, layer.n_out).config()
    if not plain or layer._assigned or layer._store is not None or not layer.trainable:
        raise ValueError(
            f"got {layer!r} for shared=True, expected Dense({layer.n_in}, {layer.n_out}) without options or weights: "
            f"put SharedDense({layer.n_in}, {layer.n_out}) there, and give it what it takes"
        )
    backend = layer._backend if layer._named else None
    return SharedDense(
        layer.n_in, layer.n_out, input_initializer=begins, features=features, backend=backend, dtype=layer._dtype
    )


def _features(before: Sequence[Layer]) -> list[int] | None:
    """The feature that each output of some layers is of; None where no layer makes several numbers of one."""
    features: list[int] | None = None
    for layer in itertools.chain.from_iterable(one.layers if isinstance(one, Shared) else [one] for one in before):
        if isinstance(layer, Columnwise):
            features = [*range(layer.n_in)] if features is None else features
            features = [features[place] for place in layer.sources]
    return features
