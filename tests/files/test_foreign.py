"""Weights that others wrote, into a model that there is: which belongs where, all or none, and hostile files."""

import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import nnxp
from nnxp import BatchNorm, Dense, Embedding, LayerNorm, ModelFileError, Residual, Sequential, Shared
from tests.helpers import needs
from tests.helpers.models import values

GENERATOR = np.random.default_rng(0)
W0, W2 = (GENERATOR.standard_normal((4, 4)).astype("float32") for _ in range(2))
B0, B2 = (GENERATOR.standard_normal(4).astype("float32") for _ in range(2))


def model(**options: Any) -> Sequential:
    """Square layers, whose weights' shape says nothing of how they lie."""
    return Sequential([Dense(4, 4), "tanh", Dense(4, 4)], seed=0, **options)


TORCHS = {"0.weight": W0, "0.bias": B0, "2.weight": W2, "2.bias": B2}
OURS = {"0.weights": W0.T, "0.biases": B0[None], "2.weights": W2.T, "2.biases": B2[None]}
X = GENERATOR.standard_normal((7, 4)).astype("float32")
EXPECTED = np.tanh(X.astype(float) @ W0.T + B0) @ W2.T + B2
"""By the equations, in float64: with float32's roundings, sums of 4 and of 5 terms of numbers below 10, below 1e-5."""


def holds(found: Sequential) -> bool:
    return bool(np.abs(found.predict(X) - EXPECTED).max() < 1e-5)


def test_a_name_says_how_a_matrix_lies() -> None:
    assert np.abs(EXPECTED).max() < 10 and not holds(model())
    assert holds(nnxp.load(TORCHS, into=model())) and holds(nnxp.load(OURS, into=model()))
    mixed = {"W": W0.T, "b": B0, "fc.weight": W2, "fc.bias": B2, "steps": np.array(3)}
    names = {"W": "0.weights", "b": "0.biases", "fc": "2", "steps": None}
    assert holds(nnxp.load(mixed, into=model(), names=names))
    # torch's name says it, in the source or in what the user says of it; the user's own layout has its own name
    assert holds(nnxp.load({**mixed, "W": W0}, into=model(), names={**names, "W": "0.weight"}))
    whole = {**names, "fc.weight": "2.weights", "fc.bias": "2.biases"}
    assert holds(nnxp.load(mixed, into=model(), names=whole))
    deep = {f"net.body.{name}": value for name, value in TORCHS.items()}
    assert holds(nnxp.load(deep, into=model(), names={"net.body": ""}))
    swapped = {"net.body.0": "2", "net.body.2": "0"}
    assert not holds(nnxp.load(deep, into=model(), names={"net.body": "", **swapped}))  # the longest begin counts


def test_every_kind_of_array_finds_its_place() -> None:
    """Layers in layers, with and without the name of the list that they are in; running means; a table of codes."""
    layers = [
        Embedding(2, [3, 2], 3),
        Shared([Dense(6, 5), "relu"]),
        Residual([Dense(5, 4), BatchNorm(4)]),
        LayerNorm(4),
    ]
    found = Sequential(layers)
    torchs = {
        "0.weight": (5, 3),
        "1.0.weight": (5, 6),
        "1.0.bias": (5,),
        "2.shortcut.weight": (4, 5),
        "2.shortcut.bias": (4,),
        "2.layers.0.weight": (4, 5),
        "2.0.bias": (4,),
        "2.1.weight": (4,),
        "2.1.bias": (1, 4),
        "2.1.running_mean": (4,),
        "2.1.running_var": (4,),
        "2.layers.1.num_batches_tracked": (),
        "3.weight": (4,),
        "3.bias": (4,),
    }
    given = {name: GENERATOR.random(shape).astype("float32") for name, shape in torchs.items()}
    nnxp.load(given, into=found)
    assert found._backend is None  # the first X still decides
    shared, residual = found.layers[1].layers, found.layers[2]
    for layer, name, key in (
        (found.layers[0], "weights", "0.weight"),
        (shared[0], "biases", "1.0.bias"),
        (residual.layers[1], "gains", "2.1.weight"),
        (residual.layers[1], "biases", "2.1.bias"),
        (residual.layers[1], "running_mean", "2.1.running_mean"),
        (residual.layers[1], "running_variance", "2.1.running_var"),
        (found.layers[3], "gains", "3.weight"),
    ):
        np.testing.assert_array_equal(np.squeeze(getattr(layer, name)), np.squeeze(given[key]), strict=True)
    for layer, key in ((shared[0], "1.0.weight"), (residual.shortcut, "2.shortcut.weight")):
        np.testing.assert_array_equal(layer.weights, given[key].T)


def test_a_layer_may_know_the_dtype_alone() -> None:
    found = Sequential([Dense(4, 4, dtype="float64"), "tanh", Dense(4, 4)], seed=0)
    nnxp.load({name: value.astype(float) for name, value in TORCHS.items()}, into=found)
    assert found.predict(X).dtype == np.float64 and holds(found)


def test_members_have_theirs_in_a_row() -> None:
    for kept in (False, True):
        found = model(members=3)
        if kept:
            _ = found.store
        given = {name: np.stack([value, 2 * value, 3 * value]) for name, value in TORCHS.items()}
        nnxp.load(given, into=found)
        alone = nnxp.load({name: 3 * value for name, value in TORCHS.items()}, into=model())
        np.testing.assert_allclose(found.predict(X, members=True)[2], alone.predict(X), rtol=1e-5)
        np.testing.assert_array_equal(found.layers[0].weights[1], 2 * W0.T)


@needs.torch
def test_members_of_a_torch_module_come_back(tmp_path: Path) -> None:
    """The state_dict of `to_torch`: what each network has, and once what they share."""
    import torch

    for shared in (False, True):
        layers = [[Dense(4, 4), "tanh", BatchNorm(4), Residual([Dense(4, 4), "relu"]), Dense(4, 4)] for _ in range(2)]
        trained, found = (Sequential(row, members=3, shared=shared, seed=i) for i, row in enumerate(layers))
        trained.store.values += 1
        state = trained.to_torch().state_dict()
        torch.save(state, tmp_path / "state.pt")
        for source in (state, tmp_path / "state.pt"):
            found.store.values[...] = 0
            nnxp.load(source, into=found)
            np.testing.assert_array_equal(values(found), values(trained))
        before = values(found)
        lacking = {name: value for name, value in state.items() if name != "networks.1.4.bias"}
        with pytest.raises(ModelFileError, match=r"'4.bias' of the networks 0, 2, expected of those from 0 to 2"):
            nnxp.load(lacking, into=found)
        with pytest.raises(ModelFileError, match=r"'4.bias' of the networks differ in shape"):
            nnxp.load({**state, "networks.2.4.bias": torch.ones(5)}, into=found)
        with pytest.raises(ModelFileError, match="no place for its"):  # it would take the place of network 2's
            nnxp.load({**state, "networks.02.4.bias": torch.ones(4)}, into=found)
        if shared:
            with pytest.raises(ModelFileError, match=r"'0.weight' of the networks differ, expected them equal"):
                nnxp.load({**state, "networks.2.0.weight": torch.ones(4, 4)}, into=found)
        np.testing.assert_array_equal(values(found), before)
    with pytest.raises(ModelFileError, match="no place for its 'networks.0.0.weight'"):
        nnxp.load(state, into=model())


def test_weights_alone_are_taken(tmp_path: Path) -> None:
    """Of a model's own file too: what the other has trained and remembers stays its own."""
    trained = model(loss="mean_squared_error", optimizer=nnxp.SGD(0.1, momentum=0.9))
    trained.fit(X, X, epochs=2)
    trained.save(tmp_path / "ours.safetensors")
    found = model(loss="mean_squared_error", optimizer=nnxp.Adam(0.5))
    found.fit(X, X, epochs=1)
    before = found.history, found.epoch, found.optimizer.iterations
    assert nnxp.load(tmp_path / "ours.safetensors", into=found) is found
    np.testing.assert_array_equal(values(found), values(trained))
    assert before == (found.history, found.epoch, found.optimizer.iterations)


def test_layers_that_have_a_store_of_their_own(backend: Any) -> None:
    first = Dense(4, 4, backend=backend.spec)
    _ = first.weights  # drawn before there is a model
    found = Sequential([first, "tanh", Dense(4, 4)], backend=backend.spec, seed=0)
    nnxp.load({name: backend.asarray(value) for name, value in TORCHS.items()}, into=found)
    assert np.abs(backend.to_numpy(found.predict(backend.asarray(X))) - EXPECTED).max() < 1e-5
    unbound = Dense(4, 4)
    _ = unbound.weights
    assert holds(nnxp.load(TORCHS, into=Sequential([unbound, "tanh", Dense(4, 4)])))


# --- what does not fit ----------------------------------------------------------------------------------


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in TORCHS.items() if name not in names}


WRONG: list[tuple[Any, Any, str]] = [
    (without("0.bias"), None, r"it has no tensor for the model's '0\.biases': take the source that is of such a model"),
    ({**TORCHS, "x": B0}, None, r"the model has no place for its 'x': leave it out, names=\{'x': None\}"),
    (
        {f"fc{name}": value for name, value in TORCHS.items()},
        None,
        r"no tensor for the model's '0\.weights', '0\.biases', '2\.weights' and 1 more, and the model has no place for "
        r"its 'fc0\.weight', .* and 1 more: say which is which, names=\{'fc0': '0', \.\.\.\}",
    ),
    ({**TORCHS, "0.weights": W0}, None, r"two tensors for '0\.weights', '0\.weight' and '0\.weights': leave one out"),
    (
        {**TORCHS, "0.weight": W0[:3]},
        None,
        r"'0\.weight' has shape \(3, 4\), expected \(4, 4\) for '0\.weights', \(n_out",
    ),
    ({**TORCHS, "0.bias": B0[:3]}, None, r"'0\.bias' has shape \(3,\), expected \(1, 4\) for '0\.biases': take"),
    ({**TORCHS, "0.weight": W0[None]}, None, r"'0\.weight' has shape \(1, 4, 4\)"),
    ({**TORCHS, "0.weight": W0.astype(float)}, None, r'is float64, the model is float32: .* dtype="float64"'),
    ({**TORCHS, "0.weight": W0.astype("float16")}, None, "is float16, the model is float32: cast it first, to float32"),
    ({**TORCHS, "0.weight": W0.astype(int)}, None, "is int64, the model is float32"),
    ({**TORCHS, "0.weight": W0.astype(object)}, None, "is object, the model is float32"),
    ({**TORCHS, "0.bias": np.float32([1, np.nan, np.inf, 2])}, None, "'0.bias' has 2 of 4 numbers that are not finite"),
    ({**TORCHS, "0.bias": [0.0] * 4}, None, "it has list under '0.bias', expected an array"),
    ({"state_dict": TORCHS}, None, "it has dict under 'state_dict', expected .*: give what is in it, source"),
    ({**TORCHS, 3: B0}, None, "got 3 as the name of a tensor, expected a text"),
    (
        TORCHS,
        {"0.wieght": "0.weights"},
        r"it has no tensor '0\.wieght', which names= gives; did you mean '0\.weight'\?",
    ),
    (TORCHS, {"0": "2"}, "two tensors for '2.weights', '0.weight' and '2.weight'"),
    (TORCHS, {"0": None}, "no tensor for the model's '0.weights', '0.biases': take"),
]


def test_what_does_not_fit_is_named_and_nothing_is_taken() -> None:
    for kept in (False, True):
        found = model()
        expected = values(model())
        if kept:
            _ = found.store
        for source, names, message in WRONG:
            with pytest.raises(ModelFileError, match=message):
                nnxp.load(source, into=found, names=names)
        np.testing.assert_array_equal(values(found), expected)


def test_what_is_asked_wrongly() -> None:
    asked: list[tuple[Callable[[], Any], str]] = [
        (lambda: nnxp.load(TORCHS, into=model(), names=["0"]), r"got names=\['0'\], expected texts"),
        (lambda: nnxp.load(TORCHS, into=model(), names={"0": 0}), r"got names=\{'0': 0\}, expected texts"),
        (lambda: nnxp.load("x", names={"0": "0"}), "got names= without a model"),
        (lambda: nnxp.load(TORCHS, into=Dense(4, 4)), r"got into=Dense\(4, 4\), expected a Sequential"),
        (lambda: nnxp.load(TORCHS, into=model(), backend="numpy"), "got backend= or layers= beside into="),
        (lambda: nnxp.load(3, into=model()), "got int as a source of weights, expected a file, or arrays by name"),
    ]
    for call, message in asked:
        with pytest.raises(TypeError, match=message):
            call()
    with pytest.raises(FileNotFoundError, match="there is no file nowhere"):
        nnxp.load("nowhere.npz", into=model())


# --- files ----------------------------------------------------------------------------------------------


def npz(arrays: dict[str, Any], save: Any = np.savez) -> bytes:
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def state_dict(content: Any) -> bytes:
    torch = pytest.importorskip("torch")
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def tensors() -> dict[str, Any]:
    torch = pytest.importorskip("torch")
    return {name: torch.from_numpy(value.copy()) for name, value in TORCHS.items()}


def taken(path: Path, content: bytes) -> bool:
    """Whether a file is taken with the right numbers; False where it is refused, and the model is as it was."""
    path.write_bytes(content)
    found, error = model(), None
    try:
        nnxp.load(path, into=found)
    except ModelFileError as raised:
        error = raised
    if error is None:
        return holds(found)
    assert str(error).startswith(f"{path}: ") and not found.layers[0]._assigned and not found.layers[2]._assigned
    return False


def damaged(content: bytes, generator: np.random.Generator, n: int) -> list[bytes]:
    """Cut off, longer, and with bytes changed."""
    cut = [content[:k] for k in sorted({0, 1, 7, 8, 9, *generator.integers(len(content), size=n).tolist()})]
    edited = []
    for _ in range(n):
        changed = bytearray(content)
        for place in generator.integers(len(content), size=generator.integers(1, 4)):
            changed[place] = generator.integers(256)
        edited.append(bytes(changed))
    return [*cut, *edited]


def held_up(path: Path, content: bytes, n: int) -> None:
    """A file is taken; of damaged ones none raises anything but ModelFileError, and those that are cut off are refused.
    What was changed may be numbers, which nobody can see in a format without a checksum."""
    assert taken(path, content)
    for k, other in enumerate(damaged(content, np.random.default_rng(1), n)):
        assert not taken(path, other) or len(other) == len(content), (k, path)


def test_safetensors(tmp_path: Path) -> None:
    content = safetensors.numpy.save(TORCHS, metadata={"format": "pt"})
    held_up(tmp_path / "plain.safetensors", content, 150)
    assert not taken(tmp_path / "more.safetensors", content + b"\0")
    counted = {**TORCHS, "1.num_batches_tracked": np.array(3)}
    assert not taken(tmp_path / "counted.safetensors", safetensors.numpy.save(counted))  # no BatchNorm is there
    half = safetensors.numpy.save({**TORCHS, "0.bias": B0.astype("float16")})
    assert not taken(tmp_path / "half.safetensors", half)
    header = b'{"0.bias":{"dtype":"F32","shape":[1099511627776,1],"data_offsets":[0,4398046511104]}}'
    assert not taken(tmp_path / "huge.safetensors", struct.pack("<Q", len(header)) + header)
    own = model()
    own.save(tmp_path / "own.safetensors")
    content = bytearray((tmp_path / "own.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "own.safetensors").write_bytes(content)
    with pytest.raises(ModelFileError, match="does not match its checksum"):  # ours has one
        nnxp.load(tmp_path / "own.safetensors", into=model())


def test_npz(tmp_path: Path) -> None:
    for save in (np.savez, np.savez_compressed):
        held_up(tmp_path / "plain.npz", npz(TORCHS, save), 60)
    swapped = {name: np.asfortranarray(value).astype(value.dtype.newbyteorder()) for name, value in TORCHS.items()}
    assert taken(tmp_path / "swapped.npz", npz(swapped))
    assert not taken(tmp_path / "object.npz", npz({**TORCHS, "0.bias": np.array([Flag()] * 4, dtype=object)}))
    assert Flag.raised == 0
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }".ljust(117) + b"\n"
        archive.writestr("0.bias.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(10**6))
    assert not taken(tmp_path / "huge.npz", file.getvalue())
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.bias.npy", b"\x93NUMPY\x02\x00" + struct.pack("<I", 10**7) + b" " * 10**7)
    (tmp_path / "header.npz").write_bytes(file.getvalue())
    with pytest.raises(ModelFileError, match=r"array '0\.bias' is of version \(2, 0\) of .npy"):
        nnxp.load(tmp_path / "header.npz", into=model())
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "no array")
    assert not taken(tmp_path / "text.npz", file.getvalue())


class Flag:
    """What a pickle would call, if one were run."""

    raised = 0

    def __reduce__(self) -> Any:
        return raise_flag, ()


def raise_flag() -> int:
    Flag.raised += 1
    return 0


@needs.torch
def test_state_dicts(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    content = state_dict(tensors())
    held_up(tmp_path / "plain.pt", content, 40)
    assert taken(tmp_path / "plain.pth", content)
    parameters = {name: torch.nn.Parameter(value) for name, value in tensors().items()}
    assert taken(tmp_path / "parameters.pt", state_dict(parameters))
    assert holds(nnxp.load(parameters, into=model()))
    wrong: list[tuple[Any, str]] = [
        (
            {**tensors(), "0.bias": Flag()},
            r"holds more than tensors, or is damaged: write torch.save\(module.state_dict",
        ),
        (torch.nn.Linear(2, 2), "holds more than tensors, or is damaged"),
        ({"model": tensors(), "epoch": 3}, "it has .*dict under 'model', expected .* source"),
        ([*tensors().values()], "it holds list, expected tensors by name"),
        ({**tensors(), "0.bias": torch.tensor(0.0).expand(2**40)}, r"'0\.bias' has shape \(1099511627776,\)"),
        ({**tensors(), "0.weight": tensors()["0.weight"].to_sparse()}, "tensor '0.weight' cannot be read"),
        ({**tensors(), "0.weight": tensors()["0.weight"].bfloat16()}, "is bfloat16, the model is float32"),
        ({**tensors(), "0.weight": tensors()["0.weight"].to("meta")}, "tensor '0.weight' cannot be read"),
    ]
    for content_of, message in wrong:
        (tmp_path / "wrong.pt").write_bytes(state_dict(content_of))
        with pytest.raises(ModelFileError, match=message) as refused:
            nnxp.load(tmp_path / "wrong.pt", into=model())
        assert str(refused.value).isprintable() and "can still be loaded" not in str(refused.value)  # torch's advice
    assert Flag.raised == 0
    with pytest.raises(ModelFileError, match=r"plain\.pt: it is a zip file, .* nnxp\.load\(path, into=model\)"):
        nnxp.load(tmp_path / "plain.pt")
    old = io.BytesIO()
    torch.save(tensors(), old, _use_new_zipfile_serialization=False)
    (tmp_path / "old.pt").write_bytes(old.getvalue())
    with pytest.raises(ModelFileError, match=r"no file of torch.save, or damaged"):
        nnxp.load(tmp_path / "old.pt", into=model())
    (tmp_path / "pickle.pt").write_bytes(pickle.dumps({"0.bias": Flag()}))
    with pytest.raises(ModelFileError, match=r"no file of torch.save, or damaged"):
        nnxp.load(tmp_path / "pickle.pt", into=model())
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as plain, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in plain.infolist():
            archive.writestr(entry.filename, plain.read(entry))
    (tmp_path / "packed.pt").write_bytes(packed.getvalue())
    with pytest.raises(ModelFileError, match="it is packed, which torch.save does not do"):
        nnxp.load(tmp_path / "packed.pt", into=model())
    assert Flag.raised == 0
