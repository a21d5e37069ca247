"""The file around a model: what is said of a bad header, before anything is made of it; memory; who else reads it."""

import io
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import nnxp
from nnxp import ModelFileError
from nnxp.backends import get_backend
from nnxp.files import header as headers
from nnxp.files import jsontext, modelfile, tensorfile
from nnxp.files.tensorfile import Place, Reader
from tests.helpers.models import Scale
from tests.helpers.mutants import Header, good, seal, split

ROOT = Path(__file__).resolve().parents[2]
GOOD = good()[0]
LENGTH = struct.unpack("<Q", GOOD[:8])[0]
HEADER = GOOD[8 : 8 + LENGTH]


def file_of(text: str | bytes, data: bytes) -> bytes:
    text = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(text)) + text + data


def with_entry(name: str, **changes: Any) -> bytes:
    """The good file, one tensor's entry changed, and the checksum made to fit."""
    header, data = split(GOOD)
    changed = [(k, {**v, **changes} if k == name else v) for k, v in header]
    return sealed(changed, data)


def sealed(header: Header, data: bytes) -> bytes:
    header = [(k, {**v, "sha256": seal(header, v, data)} if k == "__metadata__" else v) for k, v in header]
    return file_of(jsontext.canonical(dict(header), sort_keys=False), data)


def with_metadata(**changes: Any) -> bytes:
    header, data = split(GOOD)
    return sealed([(k, {**v, **changes} if k == "__metadata__" else v) for k, v in header], data)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (with_entry("1.biases", shape=[2**63]), r"'1\.biases' has 24 bytes, its shape \[9223372036854775808\] takes"),
        (with_entry("1.biases", shape=[2**32, 2**32]), "takes 73786976294838206464"),
        (with_entry("1.biases", shape=[2**63], data_offsets=[0, 2**65]), r"begins at byte 24, expected 36893"),
        (with_entry("optimizer.momentum", shape=[2**61], data_offsets=[1128, 1128 + 2**63]), "begins at|have .* bytes"),
        (with_entry("1.biases", data_offsets=[24, 48]), "begins at byte 24, expected 0"),
        (with_entry("1.weights", data_offsets=[20, 116]), "begins at byte 20, expected 24"),
        (with_entry("1.weights", data_offsets=[28, 124]), "begins at byte 28, expected 24"),
        (with_entry("1.weights", data_offsets=[120, 24]), "has -96 bytes"),
        (with_entry("1.weights", data_offsets=[-96, 0]), "no whole numbers"),
        (with_entry("1.weights", data_offsets=[24.0, 120.0]), "no whole numbers"),
        (with_entry("1.weights", shape=[True, 24]), "no whole numbers"),
        (with_entry("1.weights", shape=None), "no whole numbers"),
        (with_entry("1.weights", dtype="BF16"), "has dtype 'BF16', expected one of F32, F64"),
        (with_entry("1.weights", dtype=["F32"]), "has dtype"),
        (with_entry("1.weights", more=1), "lacks a dtype, shape or data_offsets, or has more"),
        (with_entry("1.weights", shape=[1] * 400), "what is no tensor"),
        (with_metadata(note="mine"), "too much: note"),
        (with_metadata(config=None), "where a text belongs"),
        (with_metadata(config=["a"]), "where a text belongs"),
        (GOOD + b"\0", r"bytes, expected the \d+ that follow"),
        (GOOD[:-1], r"bytes, expected the \d+ that follow"),
        (struct.pack("<Q", 2**64 - 1) + GOOD[8:], "header is longer than the file"),
        (file_of(b'{"\xff":1}', b""), "can't decode byte 0xff"),
        (file_of('{"a":NaN}', b""), "what is no tensor"),
        (file_of('{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,0]}}', b""), "holds no nnxp model"),
        (file_of('{"a":{"dtype":"F32","dtype":"F32"}}', b""), "a key occurs twice"),
        (file_of('{"__metadata__":{"a":"1","a":"2"}}', b""), "a key occurs twice in its header, 'a'"),
        (file_of('{"__metadata__":{},"__metadata__":{}}', b""), "a key occurs twice in its header, '__metadata__'"),
        (file_of('{"a":' * 100_000, b""), "what is no tensor"),
        (file_of('{"a":{"shape":' + "[" * 400 + "]" * 90 + "}}", b""), "no safetensors file"),
        (file_of("{}{}", b""), "something follows"),
        (file_of(GOOD[8 : 8 + LENGTH].replace(b'":', b'": ', 1), GOOD[8 + LENGTH :]), "not in the shortest form"),
        (
            file_of(GOOD[8 : 8 + LENGTH].replace(b'"1.b', b'"\\u0031.b', 1), GOOD[8 + LENGTH :]),
            "not in the shortest form",
        ),
    ],
    ids=range(33),
)
def test_a_bad_header(content: bytes, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        modelfile.from_bytes(nnxp.Sequential, content)


def test_the_longest_header(monkeypatch: pytest.MonkeyPatch) -> None:
    model = modelfile.from_bytes(nnxp.Sequential, GOOD, layers={"Scale": Scale})
    for module in (headers, tensorfile):
        monkeypatch.setattr(module, "LARGEST_HEADER", LENGTH - 1)
    with pytest.raises(ModelFileError, match=f"its header has {LENGTH:,} bytes, expected at most {LENGTH - 1:,}"):
        modelfile.from_bytes(nnxp.Sequential, GOOD)
    with pytest.raises(ValueError, match=r"got a header of .* bytes .*: shorten what is longest in it, the model's"):
        modelfile.to_bytes(model)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"class": "Dense", "n_in": 10**9, "n_out": 10**9}, r"'0\.biases' has shape None, .* says \(1, 1000000000\)"),
        ({"class": "BatchNorm", "n": 2**62}, r"'0\.biases' has shape None"),
        ({"class": "Dense", "n_in": 10**400, "n_out": 1}, "has shape None"),
        ({"class": "Dense", "n_in": 4, "n_out": 6, "backend": "cupy"}, "has the option 'backend'"),
        ({"class": "Dense", "n_in": 4, "n_out": 6, "dtype": "float64"}, "has the option 'dtype'"),
        ({"class": "Dropout", "rate": 10**400}, "OverflowError|cannot be built"),
        ({"class": "Adam"}, "TypeError"),
        ({"class": ["Dense"]}, "TypeError"),
        ("relu", "its configuration is not one of format 1"),
    ],
    ids=range(9),
)
def test_a_configuration_of_something_else(config: Any, message: str) -> None:
    """Refused before an array is made: 10⁹ · 10⁹ weights would end the process."""
    layers = json.loads(dict(split(GOOD)[0])["__metadata__"]["config"])
    text = jsontext.canonical(layers | {"layers": [config], "loss": None})
    with pytest.raises(ModelFileError, match=message):
        modelfile.from_bytes(nnxp.Sequential, with_metadata(config=text), backend="numpy")


@pytest.mark.parametrize(
    ("part", "text", "message"),
    [
        ("config", "[" * 100_000, r"nested more than 64 deep"),
        ("config", '{"a":' * 100 + "1" + "}" * 100, "nested more than 64 deep"),
        ("config", json.dumps([[]] * 2**17), "more than 131072 lists and objects"),
        ("config", "9" * 5000, "ValueError"),
        ("config", '{"layers":1e999}', "1e999 is no finite number"),
        ("state", '{"epoch":NaN}', "NaN is no JSON"),
        ("state", '{"epoch":-Infinity}', "-Infinity is no JSON"),
        ("state", '{"history":{"a":1,"a":1}}', "a key occurs twice"),
        ("state", '{"history":{"\\ud800":[]}}', "surrogates not allowed"),
        ("state", "{}", "its state lacks epoch, history, iterations, step"),
        (
            "state",
            '{"epoch":0,"step":0,"iterations":0,"history":{},"mood":1}',
            "'mood', which is not known here: update",
        ),
        ("state", '{"epoch":-1,"step":0,"iterations":0,"history":{}}', "its epoch is -1, expected a whole number"),
        ("state", '{"epoch":0,"step":true,"iterations":0,"history":{}}', "its step is True"),
        ("state", '{"epoch":0,"step":0,"iterations":9223372036854775808,"history":{}}', "its iterations is 92"),
        ("state", '{"epoch":0,"step":0,"iterations":0,"history":{"a":["b"]}}', "its history has 'b'"),
        ("state", '{"epoch":0,"step":0,"iterations":0,"history":[1]}', "no object of lists"),
    ],
    ids=range(16),
)
def test_texts_of_something_else(part: str, text: str, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        modelfile.from_bytes(nnxp.Sequential, with_metadata(**{part: text}), layers={"Scale": Scale})


def test_a_file_that_changes_while_it_is_read() -> None:
    """Nothing is taken for the file's that the checksum does not vouch for: it is that of the bytes that were used."""

    class Changing(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.reads += 1
            found = super().read(size)
            return found if self.reads < 4 else bytes(len(found))

    with pytest.raises(ModelFileError, match="does not match its checksum"):
        modelfile.Saved(Changing(GOOD)).model(nnxp.Sequential, "numpy", {"Scale": Scale})
    cut = io.BytesIO(GOOD)
    saved = modelfile.Saved(cut)
    cut.truncate(len(GOOD) - 4)
    with pytest.raises(ModelFileError, match="became shorter while it was read"):
        saved.model(nnxp.Sequential, None, {"Scale": Scale})


def test_what_a_training_keeps_beside_the_model_comes_back_of_any_shape_and_dtype() -> None:
    numpy = get_backend("numpy")
    kept = {"best": np.arange(6, dtype=np.float32).reshape(2, 3), "sums": np.array(0.1), "none": np.zeros((0, 3))}
    model = nnxp.Sequential([nnxp.Dense(3, 1)], "mean_squared_error", seed=0)
    texts, places = modelfile._content(model)
    places |= {f"training.{name}": Place(numpy, a.reshape(-1), a.shape) for name, a in kept.items()}
    file = io.BytesIO()
    tensorfile.write(file, texts, places)
    found = modelfile.Saved(file).restore(nnxp.Sequential([nnxp.Dense(3, 1)], "mean_squared_error"))
    assert found.keys() == {f"training.{name}" for name in kept}
    found = {name.removeprefix("training."): a for name, a in found.items()}
    for name, a in kept.items():
        assert (found[name].dtype, found[name].shape) == (a.dtype, a.shape) and found[name].tobytes() == a.tobytes()
    second = safetensors.numpy.load(file.getvalue())
    np.testing.assert_array_equal(second["training.sums"], kept["sums"])
    assert [*Reader(file).tensors] == ["training.none", "training.sums", "0.biases", "0.weights", "training.best"]


def test_what_an_optimizer_remembered_is_the_file_s_afterwards() -> None:
    def model() -> nnxp.Sequential:
        return nnxp.Sequential([nnxp.Dense(2, 1)], "mean_squared_error", "adam", backend="numpy", seed=0)

    fresh, trained = model(), model()
    trained.train_step([[1.0, 2.0]], [1.0])
    before, after = modelfile.to_bytes(fresh), modelfile.to_bytes(trained)
    for content in (before, after, before):
        modelfile.Saved(io.BytesIO(content)).restore(trained)
        assert modelfile.to_bytes(trained) == content


PEAK = """
import re, sys
from pathlib import Path
import numpy as np
import nnxp

def status(name):
    return 1024 * int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

def peak(act):
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM, the largest so far, begins anew
    before = status("VmRSS")
    kept = act()
    return status("VmHWM") - before

def model(n):
    layers = [nnxp.Dense(n, 2 * n, initializer="zeros"), "relu", nnxp.Dense(2 * n, 2), "softmax"]
    made = nnxp.Sequential(layers, "categorical_crossentropy", "adam", backend="numpy", seed=0)
    made.train_step(np.ones((2, n), np.float32), [0, 1])
    return made

what, path = sys.argv[1:]
if what == "save":
    model(8).save(path)
    large = model(2048)
    print(peak(lambda: large.save(path)))
else:
    small = path + ".small"
    model(8).save(small)
    nnxp.load(small, backend=None if what == "None" else what)
    print(peak(lambda: nnxp.load(path, backend=None if what == "None" else what)))
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A file of 100 MB, its weights and two slots of Adam; and what saving it took beside the model."""
    path = tmp_path_factory.mktemp("large") / "m.safetensors"
    return path, _peak("save", path)


def _peak(what: str, path: Path) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PEAK, what, str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from Linux's /proc")
@pytest.mark.parametrize("backend", ["numpy", None])
def test_the_peak_of_a_load_is_the_file_and_a_tenth(backend: str | None, large: tuple[Path, int]) -> None:
    size = os.path.getsize(large[0])
    assert size > 100e6
    assert _peak(str(backend), large[0]) < 1.1 * size


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from Linux's /proc")
def test_the_peak_of_a_save_is_a_tenth_of_the_file(large: tuple[Path, int]) -> None:
    assert large[1] < 0.1 * os.path.getsize(large[0])
