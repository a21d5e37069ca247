"""A model's file with an encoder of tables: format 2. Without one it is format 1."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import nnxp
from nnxp import ModelFileError
from nnxp.files import encoding, modelfile
from tests.files.test_checkpoint import opened, sealed
from tests.helpers.matrix import Target

CONFIG = {"version": 7, "columns": [{"name": "größe", "words": ["a", "b"]}]}
TENSORS = {
    "median": np.array([0.1, 1e300, 5e-324]),
    "quantiles": np.linspace(0, 1, 12).reshape(4, 3),
    "none": np.empty(0),
}


def with_encoder(backend: Any = "numpy", dtype: str = "float32") -> nnxp.Sequential:
    model = nnxp.Sequential([nnxp.Dense(3, 2)], "mean_squared_error", backend=backend, dtype=dtype, seed=0)
    model.encoder = (CONFIG, TENSORS)
    return model


def same(got: Any) -> bool:
    config, tensors = got
    bits = {name: (a.dtype, a.shape, a.tobytes()) for name, a in tensors.items()}
    return config == CONFIG and bits == {name: (a.dtype, a.shape, a.tobytes()) for name, a in TENSORS.items()}


def test_it_comes_back_bit_by_bit_on_every_backend(backend: Target) -> None:
    content = modelfile.to_bytes(with_encoder(backend.spec))
    for where in (None, backend.spec):
        loaded = modelfile.from_bytes(nnxp.Sequential, content, backend=where)
        assert same(loaded.encoder) and modelfile.to_bytes(loaded) == content
        assert all(type(a) is np.ndarray for a in loaded.encoder[1].values())
    metadata, tensors = opened(content)
    assert metadata["format"] == "2" and json.loads(metadata["config"])["encoder"] == CONFIG
    assert {name for name in tensors if name.startswith("encoder.")} == {f"encoder.{name}" for name in TENSORS}
    assert {str(tensors[f"encoder.{name}"].dtype) for name in TENSORS} == {"float64"}


def test_without_one_nothing_of_format_2_is_in_the_file() -> None:
    model = with_encoder()
    model.encoder = None
    content = modelfile.to_bytes(model)
    metadata, tensors = opened(content)
    assert metadata["format"] == "1" and "encoder" not in json.loads(metadata["config"])
    assert {*tensors} == {"0.weights", "0.biases"}
    assert modelfile.from_bytes(nnxp.Sequential, content).encoder is None
    assert nnxp.load(Path(__file__).parents[1] / "kept" / "format-1.safetensors").encoder is None


def test_copies_and_pickles_have_their_own() -> None:
    model = with_encoder()
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert same(twin.encoder) and twin.encoder[1]["median"] is not TENSORS["median"]
    old = pickle.dumps(nnxp.Sequential([nnxp.Dense(1, 1)], "mean_squared_error", seed=0))
    assert b"encoder" not in old and pickle.loads(old).encoder is None  # as one of before: the class has it


def test_a_fit_goes_on_with_the_encoder_of_the_model(tmp_path: Path) -> None:
    X, y, path = np.arange(12.0).reshape(4, 3), np.arange(8.0).reshape(4, 2), tmp_path / "m.safetensors"
    with_encoder().fit(X, y, epochs=2, callbacks=[nnxp.callbacks.Checkpoint(path)])
    assert same(nnxp.load(path).encoder)
    model = with_encoder()
    model.fit(X, y, epochs=2, resume=path, callbacks=[nnxp.callbacks.Checkpoint(path)])
    assert model.epoch == 2 and same(model.encoder)


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ({"version": 1}, "expected an encoder's state"),
        (("a", {}), "expected an encoder's state"),
        (({}, {"median": np.ones(2, np.float32)}), "expected finite numbers in float64"),
        (({}, {"median": [1.0]}), "expected finite numbers in float64"),
        (({}, {"median": np.array([np.nan])}), "expected finite numbers in float64"),
        (({"version": {1}}, {}), "do not fit in JSON"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(encoder: Any, message: str, tmp_path: Path) -> None:
    model = with_encoder()
    model.encoder = encoder
    with pytest.raises(TypeError, match=message):
        model.save(tmp_path / "m.safetensors")
    assert not [*tmp_path.iterdir()]


def edited(change: Any) -> bytes:
    metadata, tensors = opened(modelfile.to_bytes(with_encoder(dtype="float64")))
    config, tensors = json.loads(metadata["config"]), dict(tensors)
    change(metadata, config, tensors)
    return sealed(metadata | {"config": json.dumps(config, separators=(",", ":"), ensure_ascii=False)}, tensors)


CHANGES = {
    "format 2 and none": lambda m, c, t: c.pop("encoder"),
    "format 1 and an encoder": lambda m, c, t: m.update(format="1"),
    "no JSON object": lambda m, c, t: c.update(encoder=[1]),
    "format 1 and an encoder, or format 2 and none": lambda m, c, t: c.update(encoder=None),
    "'encoder.median' is not float64": lambda m, c, t: t.update({"encoder.median": np.ones(3, np.float32)}),
    "not finite in 'quantiles'": lambda m, c, t: t.update({"encoder.quantiles": np.array([1, np.inf])}),
    "'encoders' has shape": lambda m, c, t: t.update(encoders=np.ones(1)),
    "which is not known here": lambda m, c, t: c.update(decoder={}),
}


@pytest.mark.parametrize("message", CHANGES)
@pytest.mark.parametrize("where", [None, "numpy"], ids=str)
def test_a_file_that_is_none_is_refused(message: str, where: str | None) -> None:
    with pytest.raises(ModelFileError, match=message):
        modelfile.from_bytes(nnxp.Sequential, edited(CHANGES[message]), backend=where)


def test_a_file_of_format_1_has_no_tensors_of_an_encoder() -> None:
    def change(metadata: Any, config: Any, tensors: Any) -> None:
        metadata["format"] = "1"
        del config["encoder"]

    with pytest.raises(ModelFileError, match=r"tensor 'encoder\.\w+' has shape .*, its configuration says None"):
        modelfile.from_bytes(nnxp.Sequential, edited(change))


def test_the_format_is_not_another_by_accident() -> None:
    content = modelfile.to_bytes(with_encoder())
    with pytest.raises(ModelFileError, match="or format 2 and none"):
        modelfile.from_bytes(nnxp.Sequential, content.replace(b'"format":"2"', b'"format":"1"', 1))
    assert encoding.format_of(None) == "1" and [*safetensors.numpy.load(content)]
