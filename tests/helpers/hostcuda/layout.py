"""What a build consists of, and whether a folder holds one of these sources."""

import hashlib
import re
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
STAND_INS = HERE / "stand_ins"
REQUIREMENTS = HERE / "requirements.txt"
STAMP = "built-from"  # the file in a build's folder that says so, written last

RUNTIME = "cupy_backends.cuda.api.runtime"  # the module of CuPy that is rebuilt
EXTENSION: str = sysconfig.get_config_var("EXT_SUFFIX")


def key() -> str:
    """What a build depends on: the pins, the stand-ins' sources, how they are built, and the Python that loads them."""
    files = [REQUIREMENTS, HERE / "build.py", HERE / "include/hostcuda/abi.h", *sorted(STAND_INS.iterdir())]
    contents = b"\0".join(path.read_bytes() for path in files)
    return hashlib.sha256(contents + EXTENSION.encode()).hexdigest()


def is_built(folder: Path) -> bool:
    """Whether a folder holds a finished build of these sources."""
    stamp = folder / STAMP
    return stamp.is_file() and stamp.read_text() == key()


def pinned(package: str) -> str:
    """The exact version that requirements.txt names."""
    match = re.search(rf"^{package}==([\w.]+)$", REQUIREMENTS.read_text(), re.MULTILINE)
    assert match, f"{REQUIREMENTS} pins no {package}"
    return match[1]
