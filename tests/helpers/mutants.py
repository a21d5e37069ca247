"""Model files with something wrong, which tests/campaigns/hostile.py loads: bits flipped, bytes cut, inserted or
exchanged, or the header edited, with and without a checksum that fits again."""

import copy
import hashlib
import json
import random
import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import nnxp
from nnxp import Sequential
from nnxp.files import modelfile
from nnxp.tabular import Encoder
from nnxp.tabular.table import Numbers, Table, Words
from tests.helpers.models import Scale

Header = list[tuple[str, Any]]  # pairs, so that a key may occur twice
NUMBERS = (-1, 0, 1, 2, 3, 7, 2**31, 2**63 - 1, 2**63, 2**64, 10**9, 10**30, 10**400, 0.5, -0.0, 1e-300, 1e308)
VALUES = (
    *(*NUMBERS, None, True, False, "", "x", "numpy", "torch:cuda:9", "\ud800", "a" * 5000, [], {}, [[]], [1e308] * 3),
    *({"class": "Dense"}, {"class": "Cosine"}, {"class": []}, float("nan"), float("inf"), [None] * 1000),
)
CLASSES = ("Dense", "ReLU", "GELU", "Dropout", "BatchNorm", "LayerNorm", "Rescaling", "Scaling", "Embedding",
           "PeriodicEmbedding", "PiecewiseLinearEmbedding", "ParametricActivation", "Residual", "Softmax", "Adam",
           "AdamW", "SGD", "LBFGS", "Lion", "Cosine", "FlatCosine", "Coslog", "LinearWarmup", "StandardisedLoss",
           "MeanSquaredError", "Scale", "Sequential", "Layer", "NeuronLayer", "BinaryCrossentropy",
           "SoftmaxCrossentropy", "__class__")  # fmt: skip


def good() -> list[bytes]:
    """The files that are damaged."""
    X, y = np.random.default_rng(0).standard_normal((12, 4)), np.arange(12) % 3
    made = []
    for dtype, optimizer in (
        ("float32", nnxp.Adam(schedule=nnxp.schedules.LinearWarmup(2, then="reduce_on_plateau"), ema=0.9)),
        ("float64", nnxp.SGD(momentum=0.9, schedule="one_cycle")),
    ):
        layers = [nnxp.Rescaling([0.5] * 4, 0.25), nnxp.Dense(4, 6), nnxp.BatchNorm(6), "gelu", nnxp.Dropout(0.25)]
        layers += [nnxp.Dense(6, 6, initializer="orthogonal", l2=0.1), nnxp.LayerNorm(6), Scale(6), nnxp.Dense(6, 3)]
        model = Sequential([*layers, "softmax"], "categorical_crossentropy", optimizer, dtype=dtype, seed=0)
        model.fit(X, y, epochs=3, batch_size=5, validation_data=(X, y))
        model.classes, model.preprocessing = ["a", "ü", "\t\x1f"], {"columns": [{"name": "x", "mean": 0.5}]}
        if dtype == "float64":  # the one file is of format 1, the other of format 2
            table = Table("x", {"x": Numbers(X[:, 0]), "w": Words(["a", "b", "c"], np.int32(y))}, range(12))
            model.encoder = Encoder(scaling="quantile").fit(table).state()
        made.append(modelfile.to_bytes(model))
    return [*made, _of_a_table(X, y)]


def _of_a_table(X: Any, y: Any) -> bytes:
    """A network of a table's columns, the last of which are codes; its outputs have units."""
    X, y = np.column_stack([X[:, :2], y]), np.column_stack([X[:, 0], 100 * y])
    numbers = [
        nnxp.PeriodicEmbedding(3, 3, 2, activation="relu", columns=[0], factors={"phases": 0.1}),
        nnxp.PiecewiseLinearEmbedding(5, [[-1.0, 0.0, 1.5]], 2, [0], trainable=False),
        nnxp.PiecewiseLinearEmbedding(6, [[-1.0, 0.0, 1.5]], None, [1], None),
    ]
    wide = nnxp.Dense(8, 6, parametrization="ntk", factors={"biases": 0.1})
    beside: nnxp.Layer = nnxp.Residual([wide, nnxp.ParametricActivation(6, "elu"), nnxp.Residual(["relu"])])
    beside.layers[1].trainable = False  # type: ignore[attr-defined]
    layers = [nnxp.Embedding(3, [4], 1, [2]), *numbers, nnxp.Scaling(8), beside]
    layers += [nnxp.Dropout(0.1, schedule="flat_cosine"), nnxp.Dense(6, 2), nnxp.Rescaling([2.0, 50.0], [0.0, 100.0])]
    adam = nnxp.AdamW(0.04, schedule="coslog", weight_decay_schedule="flat_cosine", decay_factors={"Scaling": 6.0})
    model = Sequential(layers, nnxp.losses.StandardisedLoss("huber", [2.0, 50.0]), adam, seed=0)
    model.fit(X, y, epochs=2, batch_size=5)
    return modelfile.to_bytes(model)


# --- what goes wrong -----------------------------------------------------------------------------------


def flipped(rng: random.Random, content: bytes) -> bytes:
    damaged = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        damaged[_place(rng, content)] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def cut(rng: random.Random, content: bytes) -> bytes:
    start = _place(rng, content)
    return content[:start] + (b"" if rng.random() < 0.5 else content[start + rng.randint(1, 200) :])


def inserted(rng: random.Random, content: bytes) -> bytes:
    start = rng.choice((_place(rng, content), len(content)))
    piece = rng.choice((rng.randbytes(rng.randint(1, 64)), b" " * 8, b"\0" * 8, content[start : start + 100]))
    return content[:start] + piece + content[start:]


def overwritten(rng: random.Random, content: bytes) -> bytes:
    start, length = _place(rng, content), rng.choice((1, 2, 8, 64))
    piece = rng.choice((b"\xff" * length, b"\0" * length, b"[" * length, b'"' * length, b"9" * length))
    return (content[:start] + piece + content[start + length :])[: len(content)]


def exchanged(rng: random.Random, content: bytes) -> bytes:
    a, b = sorted((_place(rng, content), _place(rng, content)))
    length = rng.choice((1, 4, 24, 100))
    return (
        content[:a]
        + content[b : b + length]
        + content[a + length : b]
        + content[a : a + length]
        + content[b + length :]
    )


def lengthened(rng: random.Random, content: bytes) -> bytes:
    size = struct.unpack("<Q", content[:8])[0]
    other = rng.choice((0, 1, 7, size - 1, size + 1, size + 8, len(content), 10**8, 2**32, 2**63, 2**64 - 1))
    return struct.pack("<Q", other) + content[8:]


def edited(rng: random.Random, content: bytes) -> bytes:
    """The table of tensors, or the metadata."""
    header, data = split(content)
    for _ in range(rng.choice((1, 1, 2))):
        number = rng.randrange(len(header))
        name, entry = header[number]
        choice = rng.random()
        if name == "__metadata__":
            entry = {k: v for k, v in entry.items() if k != "sha256" or rng.random() < 0.9}
            entry[rng.choice((*entry, "note"))] = rng.choice(
                ("", "1", "2", "3", 1, None, [], {"a": 1}, "\ud800", "x" * 1000)
            )
            header[number] = name, entry
        elif choice < 0.1:
            del header[number]
        elif choice < 0.2:
            header.append(rng.choice(header))
        elif choice < 0.3:
            other = rng.choice(
                ("", "x", "1.weights", "optimizer.x", "training.x", "encoder.x", "__metadata__", "\ud800", "n" * 700)
            )
            header[number] = other, entry
        elif choice < 0.4:
            other = rng.randrange(len(header))
            header[number], header[other] = (name, header[other][1]), (header[other][0], entry)
        else:
            header[number] = name, _entry(rng, entry, len(data))
    return joined(rng, header, data)


def _entry(rng: random.Random, entry: dict[str, Any], size: int) -> dict[str, Any]:
    """A tensor's, with something else in it."""
    try:
        start, stop = (int(offset) for offset in entry["data_offsets"])
        entry = {**entry, "shape": [*entry["shape"]]}
    except (KeyError, TypeError, ValueError):  # edited before
        return {}
    match rng.choice(("dtype", "shape", "offsets", "both", "key")):
        case "dtype":
            entry["dtype"] = rng.choice(("F16", "BF16", "F32", "F64", "I64", "f32", "", None, 4, ["F32"]))
        case "shape":
            numbers = [*entry["shape"], rng.choice(NUMBERS)]
            rng.shuffle(numbers)
            entry["shape"] = rng.choice((numbers, numbers[1:], [], None, "4", [[4]], [True], [2**63], [2**32] * 2,
                                         [0, 2**63], [1] * 300, [-1, -24], [4.0, 6]))  # fmt: skip
        case "offsets":
            entry["data_offsets"] = rng.choice(([start + 4, stop + 4], [start, stop + 4], [stop, start], [0, size],
                [start], [], None, [start, stop, stop], [-4, stop], [2**63, 2**63 + stop - start],
                [float(start), stop], [0, stop - start], [start, 2**64]))  # fmt: skip
        case "both":  # that agree with each other
            n = rng.choice((0, 1, 2**20, 2**40, 2**61, 2**62))
            entry["shape"], entry["data_offsets"] = [n], [start, start + 4 * n]
        case "key":
            entry[rng.choice(("dtype", "shape", "data_offsets", "more"))] = _value(rng)
    return entry


def reconfigured(rng: random.Random, content: bytes) -> bytes:
    """Something else in the configuration or the state, all else as it should be."""
    header, data = split(content)
    metadata = dict(dict(header)["__metadata__"])
    name = rng.choice(("config", "config", "state"))
    value = json.loads(metadata[name])
    for _ in range(rng.choice((1, 1, 1, 3))):
        parent, key = rng.choice([*_places(value)])
        if key == "class" and rng.random() < 0.8:
            parent[key] = rng.choice(CLASSES)
        elif rng.random() < 0.15:
            del parent[key]
        elif rng.random() < 0.1 and isinstance(parent, list):
            small = len(json.dumps(parent[key])) < 1000  # 20,000 of what is large would fill the memory here already
            parent += parent[key : key + 1] * rng.choice((1, 3, 20_000 if small else 9))
        elif rng.random() < 0.1 and isinstance(parent, dict):
            parent[rng.choice(("more", "backend", "dtype", "seed", "class", "then"))] = _value(rng)
        elif rng.random() < 0.1:
            parent[key] = _nested(rng, rng.choice((3, 60, 70, 400)))
        else:
            parent[key] = _value(rng)
        if not value or len(parent) > 10_000:  # to list the places of what is copied so often takes for ever
            break
    metadata[name] = json.dumps(value, separators=(",", ":"), ensure_ascii=rng.random() < 0.2)
    if rng.random() < 0.05:
        metadata[name] = rng.choice(("[" * 50_000, '{"a":' * 50_000, metadata[name][:-1], metadata[name] + " 1",
            "[]", "9" * 5000, '{"a":1,"a":1}', metadata[name].replace('":', '":[],"', 1)))  # fmt: skip
    header = [(k, metadata if k == "__metadata__" else v) for k, v in header]
    return joined(rng, header, data, sealed=True)


def _value(rng: random.Random) -> Any:
    return copy.deepcopy(rng.choice(VALUES))


def _nested(rng: random.Random, depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = rng.choice(({"class": "LinearWarmup", "steps": 2, "start": 0.1, "then": value}, [value]))
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in [*value] if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def _place(rng: random.Random, content: bytes) -> int:
    """Three of four within the header, whose length is mostly that of the file."""
    size = struct.unpack("<Q", content[:8])[0]
    return rng.randrange(min(8 + size, len(content)) if rng.random() < 0.75 else len(content))


def split(content: bytes) -> tuple[Header, bytes]:
    """Header and data."""
    size = struct.unpack("<Q", content[:8])[0]
    return [*json.loads(content[8 : 8 + size]).items()], content[8 + size :]


def joined(rng: random.Random, header: Header, data: bytes, sealed: bool | None = None) -> bytes:
    """A file of this header, perhaps with the checksum that fits."""
    if rng.random() < 0.5 if sealed is None else sealed:
        header = [(k, {**v, "sha256": seal(header, v, data)} if k == "__metadata__" and isinstance(v, dict) else v)
                  for k, v in header]  # fmt: skip
    spaces = (", ", ": ") if rng.random() < 0.05 else (",", ":")
    parts = [f"{_text(k)}{spaces[1]}{_text(v, spaces)}" for k, v in header]
    text = ("{" + spaces[0].join(parts) + "}").encode("utf-8", "surrogatepass")
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def _text(value: Any, spaces: tuple[str, str] = (",", ":")) -> str:
    return json.dumps(value, separators=spaces, ensure_ascii=False)


def seal(header: Header, metadata: dict[str, Any], data: bytes) -> str:
    """The checksum by docs/file-format.md, of whatever the header holds."""
    names = {"F32": "float32", "F64": "float64"}
    outline = [[k, names.get(str(v.get("dtype")), ""), v.get("shape")] if isinstance(v, dict) else []
               for k, v in sorted(header, key=lambda item: item[0]) if k != "__metadata__"]  # fmt: skip
    covered = [metadata.get(name, "") for name in ("nnxp_version", "config", "state")]
    return hashlib.sha256(_text([*covered, outline]).encode("utf-8", "surrogatepass") + data).hexdigest()


KINDS: dict[Callable[[random.Random, bytes], bytes], int] = {
    flipped: 3, cut: 2, inserted: 2, overwritten: 1, exchanged: 1, lengthened: 1, edited: 5, reconfigured: 5
}  # fmt: skip


DAMAGES = (flipped, cut, inserted, overwritten, lengthened)
"""What leaves no file that could be another good one."""
