"""Damaged and made-up files: some hundreds here, as many as one likes by `python -m tests.campaigns.hostile 20000`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from Linux's /proc")
def test_files_with_something_wrong_are_refused_or_hold_what_they_say() -> None:
    words = [sys.executable, "-m", "tests.campaigns.hostile", os.environ.get("NNXP_HOSTILE", "600")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stderr[-5000:]
    assert "0 crashes, 0 hangs, 0 accepted with other tensors" in done.stdout
    memory = re.search(r"largest memory ([\d.]+) MB", done.stdout)
    assert memory and float(memory[1]) < 200, done.stdout  # a file has at most some 600 kB: 20,000 layers
    print(done.stdout)
