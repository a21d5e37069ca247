#!/usr/bin/env bash
# pyarrow 26.0.1: a missing value of a dictionary-encoded column becomes the last category where NumPy is given the column
# as a table holds it, a ChunkedArray: by np.asarray, and by to_numpy. The same values as an Array give None.
#
# Who hands such a column to a library that calls np.asarray, or narwhals' to_numpy (which calls pyarrow's), learns from
# words that nobody wrote, and nothing is said. to_pylist and to_pandas are right.
#
# nnxp casts categories to text before they leave pyarrow (nnxp/tabular/reading/frames.py; held by
# tests/tabular/test_frames.py).
#
# Seen with numpy 2.4.6 and narwhals 2.29.0 on Python 3.11:
#     pyarrow 26.0.1: Array ['a', 'b', None], ChunkedArray ['a', 'b', 'b'], narwhals ['a', 'b', 'b'], to_pylist ['a', 'b', None]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet pyarrow==26.0.1 numpy==2.4.6 narwhals==2.29.0
cat > "$folder/seen.py" <<'PYTHON'
import narwhals
import numpy as np
import pyarrow

column = pyarrow.array(["a", "b", None]).dictionary_encode()
table = pyarrow.table({"word": column})
seen = {
    "Array": np.asarray(column).tolist(),
    "ChunkedArray": np.asarray(table["word"]).tolist(),
    "narwhals": narwhals.from_native(table)["word"].to_numpy().tolist(),
    "to_pylist": table["word"].to_pylist(),
}
assert table["word"].to_numpy().tolist() == seen["ChunkedArray"]
print(f"pyarrow {pyarrow.__version__}: " + ", ".join(f"{name} {values}" for name, values in seen.items()))
PYTHON
"$folder/venv/bin/python" "$folder/seen.py" | tee "$folder/out"
diff "$folder/out" - <<'SEEN'
pyarrow 26.0.1: Array ['a', 'b', None], ChunkedArray ['a', 'b', 'b'], narwhals ['a', 'b', 'b'], to_pylist ['a', 'b', None]
SEEN
echo "as it was"
