#!/usr/bin/env bash
# PyTorch 2.13.0: a program that sets TF32 by the newer of its two names makes every reading of the older one raise.
#
# `torch.backends.cuda.matmul.fp32_precision` and `torch.backends.cuda.matmul.allow_tf32` stand for one setting. Writing
# the older keeps both readable. Writing the newer so that the two would differ leaves the older, and
# `torch.get_float32_matmul_precision()` with it, raising RuntimeError until the two agree again: a library that sets TF32
# for a while by the newer name breaks whoever else in the process looks at the older. Neither needs a GPU to be seen.
#
# nnxp writes the older name while its own device is entered and puts both back (nnxp/backends/precision.py; held by
# tests/backends/test_precision.py).
#
# Seen with torch 2.13.0 on Python 3.11:
#     written by the older name: fp32_precision tf32, allow_tf32 True
#     written by the newer name: fp32_precision tf32, allow_tf32 raises RuntimeError
#     put back by the newer name: fp32_precision none, allow_tf32 False
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.4.6
cat > "$folder/seen.py" <<'PYTHON'
import torch

matmul = torch.backends.cuda.matmul


def seen(how: str) -> str:
    try:
        older = str(matmul.allow_tf32)
    except RuntimeError:
        older = "raises RuntimeError"
    return f"{how}: fp32_precision {matmul.fp32_precision}, allow_tf32 {older}"


first = matmul.fp32_precision
matmul.allow_tf32 = True
print(seen("written by the older name"))
matmul.allow_tf32 = False
matmul.fp32_precision = first
matmul.fp32_precision = "tf32"
print(seen("written by the newer name"))
matmul.fp32_precision = first
print(seen("put back by the newer name"))
PYTHON
"$folder/venv/bin/python" "$folder/seen.py" | tee "$folder/out"
diff "$folder/out" - <<'SEEN'
written by the older name: fp32_precision tf32, allow_tf32 True
written by the newer name: fp32_precision tf32, allow_tf32 raises RuntimeError
put back by the newer name: fp32_precision none, allow_tf32 False
SEEN
echo "as it was"
