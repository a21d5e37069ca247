#!/usr/bin/env bash
# threadpoolctl 3.8.0: of all threads of Python only the one that set OpenBLAS's threads first can set them again; from
# another, set_num_threads returns and has changed nothing. 3.6.0 changes them from any thread.
#
# A library that lowers BLAS's threads around a small product, in whatever thread its user calls it from, therefore does
# nothing once the main thread has set them, and nobody is told: the class's docstring says so, its method does not. With
# 3.6.0 the same lines work.
#
# nnxp calls OpenBLAS's own functions, which threadpoolctl finds (nnxp/backends/blas.py; held by
# tests/backends/test_blas.py, whose fits run in threads).
#
# Seen with numpy 2.4.6 (its wheel's OpenBLAS 0.3.31) on Python 3.11, two cores:
#     threadpoolctl 3.6.0: the main thread sets 1 and has 1, another sets 1 and has 1
#     threadpoolctl 3.8.0: the main thread sets 1 and has 1, another sets 1 and has 2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
cat > "$folder/seen.py" <<'PYTHON'
import threading

import numpy  # whose BLAS it is
import threadpoolctl

blas = next(one for one in threadpoolctl.ThreadpoolController().lib_controllers if one.user_api == "blas")
found = []


def lower():
    blas.set_num_threads(1)
    found.append(blas.get_num_threads())


lower()
blas.set_num_threads(2)
other = threading.Thread(target=lower)
other.start()
other.join()
print(f"threadpoolctl {threadpoolctl.__version__}: the main thread sets 1 and has {found[0]}, another sets 1 and has {found[1]}")
PYTHON
for version in 3.6.0 3.8.0; do
    "$folder/venv/bin/python" -m pip install --quiet threadpoolctl==$version numpy==2.4.6
    OPENBLAS_NUM_THREADS=2 "$folder/venv/bin/python" "$folder/seen.py"
done | tee "$folder/out"
diff "$folder/out" - <<'SEEN'
threadpoolctl 3.6.0: the main thread sets 1 and has 1, another sets 1 and has 1
threadpoolctl 3.8.0: the main thread sets 1 and has 1, another sets 1 and has 2
SEEN
echo "as it was"
