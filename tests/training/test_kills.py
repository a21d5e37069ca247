"""Runs that are killed, and go on (see tests/campaigns/kills.py)."""

import os
import sys

import pytest

from tests.campaigns import kills

RUNS = int(os.environ.get("NNXP_KILLS", "2"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_killed_runs_end_with_the_same_tensors() -> None:
    lines = list(kills.campaign(RUNS, ("numpy",)))
    assert len(lines) == RUNS
