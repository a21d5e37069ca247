"""Tables for people, where they look and where they do not."""

import os
import subprocess
import sys

import pytest

TABLE = "from nnxp.printing import print_table; print_table(['a', 'b'], [['x', '1']])"


@pytest.mark.skipif(os.name != "posix", reason="a terminal of one's own is POSIX's")
@pytest.mark.parametrize("launched", [False, True], ids=["alone", "launched"])
def test_open_mpis_terminal_gets_no_escapes(launched: bool) -> None:
    """Its launcher makes a terminal for each process, and hands on what is written to a file or a pipe."""
    import pty

    environ = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as read:
        launcher = {"OMPI_COMM_WORLD_RANK": "0"} if launched else {}
        env = environ | {"TERM": "xterm"} | launcher
        done = subprocess.run([sys.executable, "-c", TABLE], stdout=theirs, env=env, timeout=60, check=True)
        os.close(theirs)
        said = b""
        try:
            while part := read.read(4096):
                said += part
        except OSError:  # which Linux says at the end of a terminal
            pass
    assert done.returncode == 0 and b"x" in said
    assert (b"\x1b[" in said) is not launched
