"""Where there are no threads, no other processes and no compiled loops, as in Pyodide."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.webassembly import fit

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(sys.platform == "win32", reason="what is taken away is what Linux and macOS have")
def test_what_a_user_does_works_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("there", "here"):
        (tmp_path / name).mkdir()
    words = [sys.executable, "-W", "error", "-m", "tests.helpers.webassembly", str(tmp_path / "there")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *epochs, found = done.stdout.splitlines()
    there = json.loads(found)
    assert [line.split()[1] for line in epochs] == [f"{i}/5" for i in range(1, 6)]  # there is nobody to draw a bar
    assert there["read"] == {"core": 60, "polars": 60, "pyarrow": 60}
    assert there["codes"] == [0, 0, 0, 0, 2] and there["hidden"] == []
    assert there["said"].splitlines() == [
        "nnxp: error: got no process (emscripten does not support processes.), expected one for each library that is "
        "examined: run `nnxp doctor` where processes can be started, which they cannot in WebAssembly"
    ]
    monkeypatch.chdir(tmp_path)
    assert fit(tmp_path / "here") == there["predicted"]  # by the same bits
    names = {path.name for path in (tmp_path / "here").iterdir()}
    assert {"checkpoint.safetensors", "log.csv", "model.safetensors", "playground.html"} == names
    assert names < {path.name for path in (tmp_path / "there").iterdir()}
