"""Weights from elsewhere, for a model that there is: which tensor belongs where, and how it lies. All of them, or none.

A name says how a matrix lies, never its shape, which may be square: torch's `weight` is (n_out, n_in), `weights` here
is (n_in, n_out).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from nnxp.backends import DTYPES
from nnxp.errors import ModelFileError, hint
from nnxp.files import foreign
from nnxp.files.foreign import Foreign
from nnxp.layers import BatchNorm, Dense, Embedding, Layer, SharedDense
from nnxp.layers.parts import with_parts
from nnxp.network.model import Model
from nnxp.network.sharing import common, shapes_of
from nnxp.typing import HostArray

Names = Mapping[str, str | None]


class Home(NamedTuple):
    """An array of a layer, where a tensor belongs: which, its shape, and of how many members."""

    layer: Layer
    name: str
    shape: tuple[int, ...]
    members: int


class Spelled(NamedTuple):
    """What a name in a source stands for: an array by its name in a model's file, and whether it lies as torch's."""

    key: str
    transposed: bool


def load_into(model: Model, source: Any, names: Names | None = None) -> None:
    """Gives a model the weights of a source (see `nnxp.load`).

    Raises
    ------
    ModelFileError
        A tensor is missing, has no place, or another shape or dtype; numbers are not finite; the file is damaged. The
        model is as it was.
    """
    homes = _homes(model)
    dtype = _dtype(model, homes)
    with foreign.opened(source) as given:
        tensors = _by_member(given, model.members)
        found = _matched(tensors, homes, _checked(names, tensors))
        values = [
            (homes[key], _value(_together(tensors[name], name, homes[key]), name, spelled, homes[key], dtype))
            for key, (name, spelled) in found.items()
        ]
    _assign(values)


# --- which is which -------------------------------------------------------------------------------------


def _homes(model: Model) -> dict[str, Home]:
    """The arrays of a model's layers, by their names in its file."""
    shared, layers = common(model.layers), dict(with_parts(model.layers))
    return {
        f"{i}.{name}": Home(layers[i], name, shape, 1 if (i, name) in shared else model.members)
        for (i, name), shape in shapes_of(model.layers, model.members).items()
    }


def _dtype(model: Model, homes: Mapping[str, Home]) -> str:
    """That of the model, which before it has a store may be known to its layers alone."""
    given = {home.layer._dtype for home in homes.values()} - {None}
    return str(given.pop()) if model._dtype is None and len(given) == 1 else model.dtype


def _spellings(homes: Mapping[str, Home]) -> dict[str, Spelled | None]:
    """What each name that is understood stands for: ours, and torch's; None for what torch counts beside them."""
    found: dict[str, Spelled | None] = {}
    for key, home in homes.items():
        owner = key.removesuffix(f".{home.name}")
        for begin in {owner, re.sub(r"\.layers(?=\.|$)", "", owner)}:  # of layers in a layer, as of torch's Sequential
            for name, transposed in _said(home.layer, home.name):
                found[f"{begin}.{name}"] = Spelled(key, transposed)
            if isinstance(home.layer, BatchNorm):
                found[f"{begin}.num_batches_tracked"] = None
    return found


def _said(layer: Layer, name: str) -> Iterator[tuple[str, bool]]:
    """The names of an array, and whether it lies transposed under them."""
    yield name, False
    if name == "weights" and isinstance(layer, Dense | SharedDense | Embedding):
        yield "weight", not isinstance(layer, Embedding)
    elif name in TORCH:
        yield TORCH[name], False


TORCH = {"gains": "weight", "biases": "bias", "running_variance": "running_var"}
"""What torch calls a layer's arrays, beside its `weight`."""


def _checked(names: Names | None, tensors: Mapping[str, Any]) -> Names:
    """What the user says of names, if it is about tensors that there are."""
    said = names.items() if isinstance(names, Mapping) else () if names is None else None
    if said is None or not all(isinstance(name, str) and isinstance(ours, str | None) for name, ours in said):
        raise TypeError(
            f'got names={names!r:.80}, expected texts, {{"fc1": "0"}}: the source\'s names, and the model\'s'
        )
    for name in names or ():
        if not any(tensor == name or tensor.startswith(f"{name}.") for tensor in tensors):
            raise ModelFileError(f"it has no tensor {name!r:.60}, which names= gives{hint(name, tensors)}")
    return names or {}


def _matched(tensors: Mapping[str, Any], homes: Mapping[str, Home], names: Names) -> dict[str, tuple[str, Spelled]]:
    """For each array of the model the source's name, and how it lies there. Raises where one is missing or is there
    twice, or a tensor has no place."""
    spellings = _spellings(homes)
    found, strange = dict[str, tuple[str, Spelled]](), list[str]()
    for name in tensors:
        renamed = _renamed(name, names)
        if renamed is not None and renamed not in spellings:
            strange.append(name)
            continue
        spelled = None if renamed is None else spellings[renamed]
        if spelled is None:  # left out
            continue
        if spelled.key in found:
            raise ModelFileError(
                f"it has two tensors for {spelled.key!r}, {found[spelled.key][0]!r:.60} and {name!r:.60}: leave one "
                f"out, names={{{name!r:.60}: None}}"
            )
        found[spelled.key] = name, spelled
    missing = [key for key in homes if key not in found]
    if missing or strange:
        raise ModelFileError(_unmatched(missing, strange))
    return found


def _renamed(name: str, names: Names) -> str | None:
    """A tensor's name as the user says it: by the whole of it or the longest begin, up to a dot; None leaves it out."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        if (begin := ".".join(parts[:end])) in names:
            said = names[begin]
            return None if said is None else ".".join(part for part in (said, *parts[end:]) if part)
    return name


def _unmatched(missing: list[str], strange: list[str]) -> str:
    """What is wrong, and how the two may be brought together."""
    said = []
    if missing:
        said.append(f"it has no tensor for the model's {_some(missing)}")
    if strange:
        said.append(f"the model has no place for its {_some(strange)}")
    if missing and strange:
        theirs, ours = strange[0].rpartition(".")[0] or strange[0], missing[0].rpartition(".")[0]
        fix = f"say which is which, names={{{theirs!r:.60}: {ours!r}, ...}}"
    elif strange:
        fix = f"leave it out, names={{{strange[0]!r:.60}: None}}, or take the model that it is of"
    else:
        fix = "take the source that is of such a model"
    return f"{', and '.join(said)}: {fix}"


def _some(names: list[str]) -> str:
    return ", ".join(f"{name!r:.60}" for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


# --- of several members ---------------------------------------------------------------------------------


def _by_member(tensors: Mapping[str, Foreign], members: int) -> dict[str, list[Foreign]]:
    """Each tensor; those of a `to_torch` module of several members, `networks.0.` and so on, under the name that they
    have in each network."""
    parts = {name: _member.fullmatch(name) for name in tensors}
    if members == 1 or not all(parts.values()):
        return {name: [tensor] for name, tensor in tensors.items()}
    found: dict[str, dict[int, Foreign]] = {}
    for name, part in parts.items():
        assert part is not None
        found.setdefault(part[2], {})[int(part[1])] = tensors[name]
    for name, each in found.items():
        if sorted(each) != [*range(members)]:
            raise ModelFileError(
                f"it has {name!r:.60} of the networks {', '.join(map(str, sorted(each)))}, expected of those from 0 to "
                f"{members - 1}, one for each member of the model: take the source of a model of {members} members"
            )
    return {name: [each[k] for k in range(members)] for name, each in found.items()}


_member = re.compile(r"networks\.(0|[1-9][0-9]{0,5})\.(.+)")


def _together(each: list[Foreign], name: str, home: Home) -> Foreign:
    """The tensors of all members in a row; of what they share the one that there is."""
    first, *others = each
    if not others:
        return first
    if any((one.shape, one.dtype) != (first.shape, first.dtype) for one in others):
        raise ModelFileError(f"its tensors {name!r:.60} of the networks differ in shape or dtype, expected them alike")
    if home.members > 1:
        return Foreign((len(each), *first.shape), first.dtype, lambda: np.stack([one.read() for one in each]))

    def read() -> HostArray:
        value = first.read()
        if not all(np.array_equal(one.read(), value, equal_nan=True) for one in others):
            raise ModelFileError(
                f"its tensors {name!r:.60} of the networks differ, expected them equal: the model's members share them"
            )
        return value

    return Foreign(first.shape, first.dtype, read)


# --- its numbers ----------------------------------------------------------------------------------------


def _value(tensor: Foreign, name: str, spelled: Spelled, home: Home, dtype: str) -> HostArray:
    """A tensor as the model's array, once it fits: a row, (1, n), may be (n,) there."""
    wanted, turned = home.shape, _lies_as_torch(name, spelled, home)
    lies = (*wanted[:-2], wanted[-1], wanted[-2]) if turned else wanted
    is_row = not turned and wanted[-2:-1] == (1,)
    if tensor.shape != lies and not (is_row and tensor.shape == (*wanted[:-2], wanted[-1])):
        how = ", (n_out, n_in), as torch's `weight` lies" if turned else ""
        raise ModelFileError(
            f"its tensor {name!r:.60} has shape {tensor.shape}, expected {lies} for {spelled.key!r}{how}: take the "
            "source of such a model, or transpose it"
        )
    if tensor.dtype != dtype:
        raise ModelFileError(
            f"its tensor {name!r:.60} is {tensor.dtype}, the model is {dtype}: cast it first, "
            + (f'or build the model with dtype="{tensor.dtype}"' if tensor.dtype in DTYPES else f"to {dtype}")
        )
    with foreign.damage(f"its tensor {name!r:.60} cannot be read"):
        value = np.array(tensor.read(), dtype=dtype)
    if strange := int(np.count_nonzero(~np.isfinite(value))):
        raise ModelFileError(f"its tensor {name!r:.60} has {strange} of {value.size} numbers that are not finite")
    return np.ascontiguousarray(np.swapaxes(value, -1, -2) if turned else value).reshape(wanted)


def _lies_as_torch(name: str, spelled: Spelled, home: Home) -> bool:
    """Whether it is (n_out, n_in): by its own name, or by the one that the user gave it."""
    dense = home.name == "weights" and isinstance(home.layer, Dense | SharedDense)
    return spelled.transposed or (dense and name.rpartition(".")[2] == "weight")


def _assign(values: list[tuple[Home, HostArray]]) -> None:
    """All of them, where they belong: in the layers' stores, where they have some, or kept until they have. What could
    still fail, room on a device, comes before the first."""
    moved = [
        (home, value if home.layer._store is None else home.layer._store.backend.asarray(value))
        for home, value in values
    ]
    for home, value in moved:
        store = home.layer._store
        if store is None:
            home.layer.adopt(home.name, value, home.members)
        else:
            store.write(store.view(home.layer.position, home.name), value, home.name)
