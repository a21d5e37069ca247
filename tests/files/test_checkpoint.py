"""The model file: what it holds, that it comes back whole on every backend, and what is said of a bad one."""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

import nnxp
from nnxp import Dense, ModelFileError, Sequential
from nnxp.activations import ACTIVATIONS
from nnxp.files import modelfile
from nnxp.losses import LOSSES
from nnxp.optimizers import OPTIMIZERS
from tests.helpers import matrix
from tests.helpers.matrix import Target
from tests.helpers.models import Scale, classifier, problem, values, with_everything

Tensors = dict[str, np.ndarray[Any, Any]]
OTHERS = [target for target in matrix.TARGETS if target.name == "numpy" or target in matrix.selected()]


def trained(spec: Any = "numpy", **options: Any) -> Sequential:
    model = with_everything(spec, **options)
    model.fit(*problem(), epochs=2, batch_size=7)
    return model


@pytest.fixture(scope="module")
def content() -> bytes:
    """The bytes of a trained model's file."""
    return modelfile.to_bytes(trained())


def opened(content: bytes) -> tuple[dict[str, str], Tensors]:
    """Metadata and tensors, by the format's definition."""
    size = struct.unpack("<Q", content[:8])[0]
    metadata: dict[str, str] = json.loads(content[8 : 8 + size])["__metadata__"]
    return metadata, safetensors.numpy.load(content)


def sealed(metadata: dict[str, str], tensors: Tensors) -> bytes:
    """A file with the right checksum, whatever it holds."""
    outline = [[name, str(tensor.dtype), [*tensor.shape]] for name, tensor in sorted(tensors.items())]
    covered = [metadata.get(name, "") for name in ("nnxp_version", "config", "state")]
    text = json.dumps([*covered, outline], separators=(",", ":"), ensure_ascii=False)
    order = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))
    data = b"".join(tensors[name].tobytes() for name in order)
    digest = hashlib.sha256(text.encode() + data).hexdigest()
    return bytes(safetensors.numpy.save(tensors, metadata | {"sha256": digest}))


# --- there and back ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other", sorted({matrix.TARGETS[0], *matrix.selected()}, key=matrix.TARGETS.index), ids=lambda target: target.name
)
def test_from_every_backend_to_every_other(backend: Target, other: Target, tmp_path: Path) -> None:
    X, y = problem()
    model = trained(backend.spec)
    model.classes, model.preprocessing = ["a", "b", "ü"], {"columns": ["x"]}
    model.save(tmp_path / "m.safetensors")
    loaded = nnxp.load(tmp_path / "m.safetensors", backend=other.spec)
    other.assert_close(loaded.store.values, values(model))
    assert loaded.history == model.history and (loaded.epoch, loaded.step) == (model.epoch, model.step)
    assert (loaded.classes, loaded.preprocessing) == (model.classes, model.preprocessing)
    assert modelfile.to_bytes(loaded) == (tmp_path / "m.safetensors").read_bytes()
    backend.assert_close(
        modelfile.from_bytes(nnxp.Sequential, modelfile.to_bytes(loaded), backend=backend.spec).store.values,
        values(model),
    )
    expected = model.predict(X)
    other.assert_close(loaded.predict(other.asarray(X)), expected, atol=64 * 2.0**-24)
    if other == backend:
        model.fit(X, y, epochs=2, batch_size=7)
        loaded.fit(X, y, epochs=2, batch_size=7)
        np.testing.assert_array_equal(values(loaded), values(model))
        uninterrupted = with_everything(backend.spec)
        uninterrupted.fit(X, y, epochs=4, batch_size=7)
        np.testing.assert_array_equal(values(loaded), values(uninterrupted))
        assert loaded.history["loss"] == uninterrupted.history["loss"]


def test_without_a_backend_the_first_X_decides_and_training_goes_on(backend: Target, content: bytes) -> None:
    X, y = problem()
    loaded, expected = modelfile.from_bytes(nnxp.Sequential, content), trained()
    loaded.fit(backend.asarray(X), y, epochs=2, batch_size=7)
    expected.fit(X, y, epochs=2, batch_size=7)
    np.testing.assert_allclose(loaded.history["loss"], expected.history["loss"], rtol=3e-6)
    assert loaded.backend.name == backend.spec


def test_safetensors_alone_reads_it(tmp_path: Path) -> None:
    model = trained(dtype="float64")
    model.save(tmp_path / "m.safetensors")
    with safe_open(tmp_path / "m.safetensors", framework="numpy") as file:
        metadata, shapes = file.metadata(), {name: file.get_tensor(name).shape for name in file.keys()}  # noqa: SIM118
        np.testing.assert_array_equal(file.get_tensor("3.weights"), model.layers[3].weights)  # type: ignore[attr-defined]
    parameters = {"0.weights": (5, 8), "0.biases": (1, 8), "3.weights": (8, 3), "3.biases": (1, 3)}
    assert shapes == parameters | {"optimizer.momentum": (75,), "optimizer.cache": (75,)}
    assert metadata["format"] == "1" and metadata["nnxp_version"] == nnxp.__version__
    config, state = json.loads(metadata["config"]), json.loads(metadata["state"])
    assert [layer["class"] for layer in config["layers"]] == ["Dense", "ReLU", "Dropout", "Dense", "Softmax"]
    assert config["dtype"] == "float64" and config["loss"]["class"] == "CategoricalCrossentropy"
    assert state["epoch"] == 2 and state["history"]["loss"] == model.history["loss"]


def test_the_checksum_is_the_documented_one(content: bytes) -> None:
    metadata, tensors = opened(content)
    assert opened(sealed(metadata, tensors))[0] == metadata
    model = trained()
    model.classes = ['\x1f\x7f\n"\\', "ü\u2028😀", ""]  # what safetensors, too, has to write in its one shortest form
    assert modelfile.from_bytes(nnxp.Sequential, sealed(*opened(modelfile.to_bytes(model)))).classes == model.classes
    assert opened(modelfile.to_bytes(modelfile.from_bytes(nnxp.Sequential, content)))[0] == metadata


@pytest.mark.parametrize("cls", [*ACTIVATIONS, *LOSSES, *OPTIMIZERS], ids=lambda cls: cls.__name__)
def test_every_class_comes_back(cls: Any) -> None:
    ends = {"CategoricalCrossentropy": ["softmax"], "BinaryCrossentropy": ["sigmoid"]}
    layers: list[Any] = [Dense(2, 2, l1=0.5, initializer="orthogonal"), nnxp.Rescaling([1.0, 2.0], [0.5, 1.0])]
    layers += [cls()] if cls in ACTIVATIONS else ends.get(cls.__name__, [])
    optimizer = cls(0.5, decay=0.1, schedule="one_cycle", ema=0.9) if cls in OPTIMIZERS else "sgd"
    model = Sequential(layers, cls() if cls in LOSSES else None, optimizer)
    loaded = modelfile.from_bytes(nnxp.Sequential, modelfile.to_bytes(model))
    assert [layer.config() for layer in loaded.layers] == [layer.config() for layer in model.layers]
    assert loaded.optimizer.config() == model.optimizer.config()
    assert (loaded.loss and loaded.loss.config()) == (model.loss and model.loss.config())


def test_an_own_layer_comes_back_where_its_class_is_given(tmp_path: Path) -> None:
    X, y = problem()
    model = classifier(inserted=(Scale(8),))
    model.fit(X, y)
    model.save(tmp_path / "m.safetensors")
    loaded = nnxp.load(tmp_path / "m.safetensors", layers={"Scale": Scale})
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    with pytest.raises(TypeError, match=r"got layers=\[.*Scale.*\], expected a dict .* by name"):
        nnxp.load(tmp_path / "m.safetensors", layers=[Scale])  # type: ignore[arg-type]
    with pytest.raises(ModelFileError, match=r"'Scale', which is not known here.*layers={'Scale': Scale}"):
        nnxp.load(tmp_path / "m.safetensors")


def test_a_file_of_an_earlier_nnxp_loads_and_trains_on() -> None:
    """Written by nnxp at commit c01fd11, before its state knew more, with the safetensors library."""
    model = nnxp.load(Path(__file__).resolve().parents[1] / "kept" / "format-1.safetensors", backend="numpy")
    X = np.linspace(-1, 1, 16, dtype=np.float32).reshape(8, 2)
    printed = [[0.3585415780544281, 0.6414583921432495], [0.3969123959541321, 0.6030876040458679]]
    np.testing.assert_allclose(model.predict(X[:2]), printed, rtol=1e-6)
    assert (model.classes, model.preprocessing) == (["no", "sí"], {"columns": ["a", "b"]})
    assert model.history["loss"] == [0.8691514134407043, 0.8967283666133881]
    assert (model.epoch, model.step, model.optimizer.iterations, model.optimizer.total) == (2, 4, 4, 4)
    assert len(model.fit(X, np.arange(8) % 2, epochs=1, batch_size=4)["loss"]) == 3


def test_history_that_is_not_finite_comes_back_as_nan() -> None:
    model = trained()
    model.history["val_loss"] = [float("nan"), 1.0]
    assert np.isnan(modelfile.from_bytes(nnxp.Sequential, modelfile.to_bytes(model)).history["val_loss"]).tolist() == [
        True,
        False,
    ]


@pytest.mark.parametrize("spec", ["numpy", None])
def test_loading_draws_no_weights(spec: str | None, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = values(trained())
    monkeypatch.setattr(Dense, "initial", lambda *given: pytest.fail("it drew weights"))
    np.testing.assert_array_equal(values(modelfile.from_bytes(nnxp.Sequential, content, backend=spec)), expected)


def test_a_missing_backend_is_not_the_file_s_fault(content: bytes) -> None:
    with pytest.raises(nnxp.BackendUnavailableError):
        modelfile.from_bytes(nnxp.Sequential, content, backend="no_such_library")


# --- writing -------------------------------------------------------------------------------------------


def test_places_that_hold_no_file(tmp_path: Path) -> None:
    model = trained()
    with pytest.raises(FileNotFoundError, match="there is no folder.*create it first"):
        model.save(tmp_path / "missing" / "m.safetensors")
    with pytest.raises(IsADirectoryError, match=r"expected a file name such as .*model\.safetensors"):
        model.save(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no model file"):
        nnxp.load(tmp_path / "missing.safetensors")
    with pytest.raises(FileNotFoundError, match="there is no model file"):
        nnxp.load(tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_what_json_cannot_hold_is_named_before_a_file_is_made(tmp_path: Path) -> None:
    model = trained()
    model.preprocessing = {"mean": np.zeros(3)}
    with pytest.raises(TypeError, match="preprocessing.*JSON"):
        model.save(tmp_path / "m.safetensors")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda model: setattr(model, "_classes", "ab"), "its classes are no list"),
        (lambda model: setattr(model, "classes", ["a", "b", "\ud800"]), "surrogates not allowed"),
        (lambda model: setattr(model, "preprocessing", []), "its preprocessing is no JSON object"),
        (
            lambda model: setattr(model, "preprocessing", json.loads('{"a":' * 64 + "{}" + "}" * 64)),
            "more than 64 deep",
        ),
        (lambda model: setattr(model.optimizer, "total", 1e3), "its total is 1000.0, expected a whole number"),
        (lambda model: model.history["loss"].append("low"), "must be real number|where a number belongs"),
    ],
    ids=range(6),
)
def test_nothing_is_written_that_could_not_be_read(change: Any, message: str, tmp_path: Path) -> None:
    model = trained()
    change(model)
    with pytest.raises(TypeError, match=message):
        model.save(tmp_path / "m.safetensors")
    assert [*tmp_path.iterdir()] == []


def test_more_layers_than_a_file_holds_are_not_written(tmp_path: Path) -> None:
    model = Sequential([nnxp.ReLU() for _ in range(10_001)])
    with pytest.raises(TypeError, match="no list of at most 10000"):
        model.save(tmp_path / "m.safetensors")


# --- bad files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", range(50))
def test_a_truncated_file(share: int, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content[: len(content) * share // 50])
    with pytest.raises(ModelFileError, match=r"m\.safetensors: it is truncated"):
        nnxp.load(path)


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed(place: float, bit: int, content: bytes) -> None:
    damaged = bytearray(content)
    damaged[int(place * len(damaged))] ^= 1 << bit
    with pytest.raises(ModelFileError):
        modelfile.from_bytes(nnxp.Sequential, bytes(damaged))


def _header(**entries: Any) -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + b"\0" * 4


BF16 = {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "truncated"),
        (b"P", "truncated"),
        (b"PK\3\4 this is a zip file", "no safetensors file"),
        (struct.pack("<Q", 4) + b"\xff\xfe\xfd\xfc", "no safetensors file"),
        (struct.pack("<Q", 2) + b"[]", "no safetensors file"),
        (struct.pack("<Q", 40000) + b"[" * 40000, "no safetensors file"),
        (bytes(safetensors.numpy.save({"w": np.zeros(2)})), "holds no nnxp model: save one with .*into=model"),
        (_header(w=BF16), "holds no nnxp model"),
        (_header(__metadata__={"nnxp_version": "0", "format": "1"}, w=BF16), "damaged"),
        (_header(__metadata__=3), "no safetensors file"),
    ],
    ids=range(10),
)
def test_files_that_are_no_model(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=rf"x\.safetensors: .*{message}"):
        nnxp.load(path)


def test_another_format_is_named_with_the_version_that_wrote_it(content: bytes) -> None:
    metadata, tensors = opened(content)
    with pytest.raises(ModelFileError, match=r"format '3', written by nnxp 9\.1; this version reads formats 1 and 2"):
        modelfile.from_bytes(nnxp.Sequential, sealed(metadata | {"format": "3", "nnxp_version": "9.1"}, tensors))


def test_a_key_that_occurs_twice(content: bytes) -> None:
    size = struct.unpack("<Q", content[:8])[0]
    header = content[8 : 8 + size].replace(b'{"__metadata__":', b'{"0.biases":{},"__metadata__":', 1)
    with pytest.raises(ModelFileError, match="a key occurs twice"):
        modelfile.from_bytes(nnxp.Sequential, struct.pack("<Q", len(header)) + header + content[8 + size :])
    metadata, tensors = opened(content)
    twice = metadata["config"].replace('{"classes":null', '{"classes":null,"classes":null', 1)
    with pytest.raises(ModelFileError, match="a key occurs twice"):
        modelfile.from_bytes(nnxp.Sequential, sealed(metadata | {"config": twice}, tensors))


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("0.weights", np.zeros((8, 5), np.float32), r"'0\.weights' has shape \(8, 5\), .* says \(5, 8\)"),
        ("3.biases", None, r"'3\.biases' has shape None"),
        ("7.weights", np.zeros((2, 2), np.float32), r"'7\.weights' has shape \(2, 2\), .* says None"),
        ("0.biases", np.zeros((1, 8), np.float64), "not all float32"),
        ("optimizer.cache", np.zeros(3, np.float32), "optimizer state .* does not fit Adam and 75"),
        ("optimizer.cache", None, "optimizer state .* does not fit"),
        ("optimizer.more", np.zeros(75, np.float32), "optimizer state .* does not fit"),
    ],
)
def test_tensors_that_disagree_with_the_configuration(name: str, tensor: Any, message: str, content: bytes) -> None:
    metadata, tensors = opened(content)
    changed = {k: v for k, v in tensors.items() if k != name} | ({} if tensor is None else {name: tensor})
    with pytest.raises(ModelFileError, match=message):
        modelfile.from_bytes(nnxp.Sequential, sealed(metadata, changed))


def _without(text: str, key: str) -> str:
    return json.dumps({k: v for k, v in json.loads(text).items() if k != key})


CHANGES: dict[str, Any] = {
    "not JSON": lambda text: text[:-1],
    "a list": lambda text: "[]",
    "empty": lambda text: "",
    "no layers": lambda text: _without(text, "layers") if "layers" in text else _without(text, "epoch"),
    "another layer": lambda text: text.replace('"ReLU"', '"Conv2D"').replace('"step":', '"steps":'),
    "another option": lambda text: text.replace('"rate":', '"share":').replace('"iterations":', '"times":'),
    "a wrong option": lambda text: text.replace('"rate":0.25', '"rate":2').replace('"epoch":2', '"epoch":"x"'),
    "widths": lambda text: text.replace('"n_in":8', '"n_in":9').replace('"history":{', '"history":{"a":1,'),
    "nested": lambda text: "[" * 40000,
}


@pytest.mark.parametrize("part", ["config", "state"])
@pytest.mark.parametrize("change", CHANGES)
def test_texts_that_are_none_of_ours(part: str, change: str, content: bytes) -> None:
    metadata, tensors = opened(content)
    changed = CHANGES[change](metadata[part])
    assert changed != metadata[part]
    with pytest.raises(ModelFileError):
        modelfile.from_bytes(nnxp.Sequential, sealed(metadata | {part: changed}, tensors))
    del metadata[part]
    with pytest.raises(ModelFileError):
        modelfile.from_bytes(nnxp.Sequential, sealed(metadata, tensors))
