#!/usr/bin/env bash
# NumPy 2.4.6: a stack of products (200, 1) @ (1, 100), in which nothing is added up, takes several times as long as one
# of (200, 2) @ (2, 100): an inner width of 1 goes through a loop without BLAS. A second column of zeros, for the same
# result, is quicker; so is multiplying with broadcasting, though not as quick.
#
# Gradients of a last layer of one output are such products, in networks side by side a stack of them: the narrowest
# layer of a regression took longest. (https://github.com/numpy/numpy/pull/12219, in whose review the branch is discussed:
# "no blas needed". `ndarray.dot` of two matrices leaves such a product to BLAS, but takes no stacks.)
#
# nnxp multiplies there with broadcasting, or in a compiled loop (nnxp/kernels/numpy_blocks.py; held by
# tests/kernels/test_kernels.py).
#
# Seen on Python 3.11, one thread; medians of a run were 230 µs beside 22, and 88 by broadcasting:
#     numpy 2.4.6: an inner width of 1 takes over four times as long as one of 2, over twice as long as broadcasting
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
cat > "$folder/seen.py" <<'PYTHON'
import statistics
import time

import numpy as np

out = np.empty((8, 200, 100), np.float32)


def factors(width):
    return np.ones((8, 200, width), np.float32), np.ones((8, width, 100), np.float32)


def seconds(product, a, b):
    start = time.process_time()
    for _ in range(20):
        product(a, b, out=out)
    return time.process_time() - start


runs = [(np.matmul, *factors(1)), (np.matmul, *factors(2)), (np.multiply, *factors(1))]
rounds = [[seconds(*run) for run in runs] for _ in range(31)]
one, two, broadcast = (statistics.median(column) for column in zip(*rounds))
said = [
    f"{'over' if one > 4 * two else 'under'} four times as long as one of 2",
    f"{'over' if one > 2 * broadcast else 'under'} twice as long as broadcasting",
]
print(f"numpy {np.__version__}: an inner width of 1 takes {', '.join(said)}")
PYTHON
"$folder/venv/bin/python" -m pip install --quiet numpy==2.4.6
OPENBLAS_NUM_THREADS=1 "$folder/venv/bin/python" "$folder/seen.py" | tee "$folder/out"
diff "$folder/out" - <<'SEEN'
numpy 2.4.6: an inner width of 1 takes over four times as long as one of 2, over twice as long as broadcasting
SEEN
echo "as it was"
