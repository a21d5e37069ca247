"""Why a test cannot run on some machines."""

import importlib.util
import shutil
import sys

import numpy as np
import pytest

from tests.helpers.hostcuda import nvrtc
from tests.helpers.matrix import on_host_memory

host_compiler = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("g++") is None, reason="needs g++ on Linux, which compiles the kernels"
)
device_compiler = pytest.mark.skipif(not nvrtc.is_installed(), reason="needs NVRTC from pip: `nox -s cupy_on_host`")
cupy_on_host = pytest.mark.skipif(not on_host_memory(), reason="needs CuPy on host memory: `nox -s cupy_on_host`")
cupy = pytest.mark.skipif(importlib.util.find_spec("cupy") is None, reason="needs CuPy: `nox -s cupy_on_host`")
numpy_2_2 = pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.2.0", reason="NumPy 2.1 gives other last bits, as docs/distributed.md says"
)
torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch: `nox -s full`")
