"""docs/file-format.md: its example is what the code writes and reads, its Python runs, its tables are complete."""

import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp.files import configuration, jsontext, modelfile, tensorfile
from nnxp.files import header as headers
from tests.helpers import pages

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "file-format.md").read_text(encoding="utf-8")
EXAMPLE = "example.safetensors"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def first_column(heading: str) -> list[str]:
    """The names in the first column of the table that has this heading."""
    table = re.search(rf"\| {heading} \|.*\n\|.*\n((?:\|.*\n)+)", PAGE)
    assert table
    return [name for row in table[1].splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])]


@pytest.fixture
def scope(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the page's first example leaves, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    pages.run(blocks("python")[0], names)
    return names


def test_the_bytes_are_those_that_are_shown(scope: dict[str, Any]) -> None:
    content = Path(EXAMPLE).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header, data = content[8 : 8 + length].decode().rstrip(" "), content[8 + length :]
    metadata = json.loads(header)["__metadata__"]
    for name in ("config", "state"):
        header = header.replace(json.dumps(metadata[name], ensure_ascii=False), '"..."')
    assert header == blocks("json")[0].replace("\n", "")
    assert data == bytes.fromhex(blocks("text")[0]) and length % 8 == 0
    np.testing.assert_array_equal(np.frombuffer(data, "<f4"), np.float32([0, 0.5, 2, 0.5, 0, 0.5]))


def test_what_is_shown_is_read(scope: dict[str, Any], tmp_path: Path) -> None:
    """From the page alone: its header, with the texts left out put in, and its data."""
    texts = {name: jsontext.canonical(getattr(modelfile, f"{name}_of")(scope["model"])) for name in ("config", "state")}
    header = blocks("json")[0].replace("\n", "")
    for name, text in texts.items():
        header = header.replace(f'"{name}":"..."', f'"{name}":{json.dumps(text)}')
    header += " " * (-len(header) % 8)
    path = tmp_path / "by-hand.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + bytes.fromhex(blocks("text")[0]))
    loaded = nnxp.load(path)
    np.testing.assert_array_equal(loaded.predict([[3.0, 1.0]]), [[3.5]])
    assert loaded.optimizer.iterations == 1


def test_safetensors_and_the_checksum(scope: dict[str, Any]) -> None:
    reading, checksum = blocks("python")[1:3]
    pages.run(reading, scope)
    assert scope["config"]["layers"][0]["class"] == "Dense" and scope["config"]["optimizer"]["momentum"] == 0.9
    assert scope["state"]["iterations"] == 1 and scope["weights"].tolist() == [[0.5], [2.0]]
    pages.run(checksum, scope)
    assert scope["digest"] == scope["metadata"]["sha256"]


def test_to_pytorch_and_back(scope: dict[str, Any]) -> None:
    pytest.importorskip("torch", reason="needs PyTorch: `nox -s full`")
    there, back = blocks("python")[3:]
    pages.run(there, scope)
    torch = scope["torch"]
    with torch.no_grad():
        assert scope["linear"](torch.tensor([[3.0, 1.0]])).tolist() == [[3.5]]
    pages.run(back, scope)
    X = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    with torch.no_grad():
        expected = scope["net"](torch.from_numpy(X)).numpy()
    loaded = nnxp.load("converted.safetensors", backend="numpy")
    np.testing.assert_allclose(loaded.predict(X), expected, atol=16 * 2.0**-24)  # sums of 4 and of 8, of order 1


def test_the_tables_name_what_there_is() -> None:
    assert first_column("key of config") == [*configuration.CONFIG, *configuration.OPTIONAL]
    assert {*first_column("key of state")} == {*modelfile.STATE, *modelfile.STATE_DEFAULTS}
    for number in (headers.MOST_TENSORS, jsontext.MOST, configuration.MOST_LAYERS):
        assert f"{number:,}" in PAGE
    assert f"{jsontext.DEEPEST} deep" in PAGE and headers.LARGEST_HEADER == 100 * 10**6 and tensorfile.BLOCK == 2**18
