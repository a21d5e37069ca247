"""One fault of every class, planted in nnxp's own kernels: each is caught by the net that is there for it.

The nets: "reference", other numbers than `nnxp.kernels.reference`; "bits", others than NumPy's; "orders", other bits in
another order of threads; "barriers", not all threads reach one; "sanitiser", a load or a store that is not allowed;
"text", what can be read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from nnxp.kernels import formulas
from nnxp.kernels.cuda.cupy_kernels import SHARE
from nnxp.kernels.cuda.fusion import sums_grid
from nnxp.kernels.cuda.launch import COLUMNS, ROWS
from nnxp.kernels.graph import trace
from nnxp.kernels.reference import reference
from nnxp.typing import Array
from tests.helpers.cuda import Fused, Unit, evaluated, exact_words, named_kernels, unit_of, without_cupy
from tests.helpers.hostcuda.kernel import ORDERS, KernelError
from tests.helpers.needs import host_compiler
from tests.kernels.test_cuda_source import bare_literals

pytestmark = host_compiler
RNG = np.random.default_rng(0)
Z = RNG.uniform(-3, 3, (5, 300)).astype("float32")
LABELS = np.array([7, 299, 300, 0, 4])  # one out of range
CALLS: dict[str, tuple[Any, ...]] = {
    "softmax": (Z,),
    "softmax_grad": (np.abs(Z), Z),
    "softmax_crossentropy": (Z, LABELS),
    "column_sums": (np.ascontiguousarray(Z.T),),  # three blocks to a column
    "squared_norm": (RNG.standard_normal(3 * SHARE).astype("float32"),),  # of three blocks
}
SPEC = reference(np)


@dataclass
class Fault:
    """What is replaced by what, in which kernel, and which net catches it, with what it says."""

    kernel: str
    old: str
    new: str
    net: str
    told: str = ""


PARTS = "parts[threadIdx.x / WARP] = x;\n    __syncthreads();"
NO_BARRIER = "race: |no thread of this block has written"
FAULTS = {
    "wrong sign": Fault("softmax", "exp(x_row[j] - highest)", "exp(highest - x_row[j])", "reference"),
    "wrong sign of a gradient": Fault("softmax_grad", "(dy[start + j] - dot)", "(dy[start + j] + dot)", "reference"),
    "wrong sign of a label": Fault("softmax_crossentropy", "total - TARGET(j)", "total + TARGET(j)", "reference"),
    "wrong stride": Fault("column_sums", "a[i * m + j]", "a[i * (m - 1) + j]", "reference"),
    "wrong step": Fault("column_sums", "i += down) total", "i += ROWS) total", "reference"),
    "stride beyond the array": Fault(
        "softmax", "x + row * m", "x + row * (m + 1)", "sanitiser", "reads 4 bytes at byte"
    ),
    "missing barrier": Fault("softmax", PARTS, PARTS.partition("\n")[0], "sanitiser", NO_BARRIER),
    "missing barrier, by its effect": Fault("softmax", PARTS, PARTS.partition("\n")[0], "reference"),
    "missing barrier before memory is used again": Fault(
        "softmax", "__syncthreads();  // parts may still", "// parts may still", "sanitiser",
        "race: writes .* of shared memory",
    ),
    "missing barrier between rows and columns": Fault(
        "column_sums", "= total;\n    __syncthreads();", "= total;", "sanitiser", NO_BARRIER
    ),
    "missing barrier after the count": Fault(
        "squared_norm", "    }\n    __syncthreads();\n    return last;", "    }\n    return last;", "sanitiser",
        NO_BARRIER,
    ),
    "barrier in a branch": Fault(
        "column_sums", "    __syncthreads();\n    const bool adds = threadIdx.y == 0 && j < m;\n    if (adds) {",
        "    const bool adds = threadIdx.y == 0 && j < m;\n    if (adds) {\n        __syncthreads();",
        "barriers", "left the kernel before|barrier divergence|deadlock",
    ),
    "shuffle in a branch": Fault(
        "softmax", "if (blockDim.x == WARP) return x;", "if (threadIdx.x < WARP) return x;", "barriers",
        "left the kernel before|divergence|deadlock",
    ),
    "out of bounds of shared memory": Fault(
        "column_sums", "k < ROWS", "k <= ROWS", "sanitiser", "index 8 is outside its array"
    ),
    "a total too many": Fault(
        "squared_norm", "k < gridDim.x;", "k <= gridDim.x;", "sanitiser", "at byte 12 of argument 2, which has 12 bytes"
    ),
    "every block is the last": Fault(
        "squared_norm", "== blocks - 1", ">= 0", "sanitiser", "argument 3, which another block wrote"
    ),
    "blocks added up as they come": Fault(
        "column_sums", "partial[(long long)blockIdx.y * m + j]", "partial[finished[blockIdx.x] * m + j]", "orders"
    ),
    "label range unchecked": Fault("softmax_crossentropy", "label >= 0 && label < m", "true", "reference"),
    "label range unchecked, and read": Fault(
        "softmax_crossentropy", "valid ? log(total) - dot : nan", "log(total) - (z_row[label] - highest)", "sanitiser",
        "reads 4 bytes at byte 6000 of argument 0, which has 6000 bytes",
    ),
    "a masked class counted": Fault(
        "softmax_crossentropy", "t != T(0) ? t * shifted : T(0)", "t * shifted", "reference"
    ),
}  # fmt: skip


def edit_of(old: str, new: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert text.count(old) == 1, f"{text.count(old)} times {old!r}"
        return text.replace(old, new)

    return edit


def results(name: str, edit: Callable[[str], str], order: str, sanitize: bool) -> tuple[Any, ...]:
    """What a kernel gives with an edited source."""
    arguments = [a.copy() for a in CALLS[name]]
    if name == "softmax_crossentropy":
        arguments[0][1, 5] = -np.inf
        arguments[0][4] = arguments[0][3]  # in the last row, the label is the last thing that may be read
        arguments[1][:] = 7, 299, 1, 0, 300
    with named_kernels("float32", order, edit, sanitize) as table:
        result = table[name](*arguments)
    return result if isinstance(result, tuple) else (result,), arguments


def check(name: str, edit: Callable[[str], str], order: str = "forward", sanitize: bool = False) -> None:
    """Raises an AssertionError where the results are not the reference's, to a part in 10,000."""
    got, arguments = results(name, edit, order, sanitize)
    wide = [a.astype(float) if a.dtype.kind == "f" else a for a in arguments]
    with np.errstate(invalid="ignore"):
        exact = SPEC[name](*wide)
    for result, want in zip(got, exact if isinstance(exact, tuple) else (exact,), strict=True):
        np.testing.assert_allclose(result, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CALLS)
def test_without_a_fault_no_net_has_a_catch(name: str) -> None:
    for order in ORDERS:
        check(name, str, order, sanitize=True)
    assert len({results(name, str, order, True)[0][0].tobytes() for order in ORDERS}) == 1


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_caught(fault: Fault) -> None:
    edit = edit_of(fault.old, fault.new)
    if fault.net == "reference":
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            check(fault.kernel, edit)
    elif fault.net == "orders":
        assert len({results(fault.kernel, edit, order, False)[0][0].tobytes() for order in ORDERS}) > 1
    else:
        with pytest.raises(KernelError, match=f"^nnxp_{fault.kernel}: .*({fault.told})"):
            check(fault.kernel, edit, sanitize=fault.net == "sanitiser")


# --- between blocks --------------------------------------------------------------------------------

WEAK_MEMORY = """
#define __threadfence() publish()
struct Posted { float* to; float value; };
static Posted posted[1024][8];
static int waiting[1024];
static unsigned me() { return threadIdx.y * blockDim.x + threadIdx.x; }
static void post(volatile float* to, float value) { posted[me()][waiting[me()]++] = {(float*)to, value}; }
static void publish() {
    for (int k = 0; k < waiting[me()]; k++) *posted[me()][k].to = posted[me()][k].value;
    waiting[me()] = 0;
}
"""
"""A memory in which no thread sees what another block's wrote before a fence, the weakest that CUDA allows."""


@pytest.mark.parametrize("name", ["column_sums", "squared_norm"])
def test_a_missing_fence(name: str) -> None:
    """The blocks' totals arrive by way of the fence, and without it not at all: by the reference."""
    assigned = {
        "squared_norm": "partial[blockIdx.x] = x;",
        "column_sums": "partial[(long long)blockIdx.y * m + j] = total;",
    }

    def weak(text: str) -> str:
        place, value = assigned[name].removesuffix(";").split(" = ")
        head, body = edit_of(assigned[name], f"post(&{place}, {value});")(text).split("// Sums and maxima", 1)
        return f"{head}{WEAK_MEMORY}//{body}"

    fence = edit_of("    __threadfence();\n", "")
    for order in ORDERS:
        check(name, weak, order)
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            check(name, lambda text: fence(weak(text)), order)


@pytest.mark.parametrize("faulty", [False, True])
def test_a_counter_that_is_not_reset(faulty: bool) -> None:
    """The second launch never has a last block: by the reference, which must hold twice."""
    unit = unit_of("column_sums", "float32", edit_of("if (last) *finished = 0;", "") if faulty else str)
    (a,) = CALLS["column_sums"]
    grid, (n, m) = sums_grid(*a.shape), a.shape
    partial, finished = np.zeros(grid[1] * m, "float32"), np.zeros(grid[0], np.uint32)
    assert grid[1] > 1
    right = []
    for _ in range(2):
        sums = np.full((1, m), 7, "float32")
        unit.launch("nnxp_column_sums", grid, (COLUMNS, ROWS), a, sums, partial, finished, n, m)
        right.append(np.allclose(sums, a.sum(axis=0), atol=1e-4))
    assert right == [True, not faulty]


# --- formulas --------------------------------------------------------------------------------------


def swap(a: Array, b: Array) -> tuple[Array, Array]:
    return b, a


ELEMENTWISE: dict[str, tuple[Any, tuple[str, ...], str, str]] = {
    "a literal of double": (formulas.gelu_tanh, (), "T(0.044715)", "0.044715"),
    "wrong sign": (formulas.adam, ("w", "m", "c"), "w_0 - t", "w_0 + t"),
    "an input read after it was overwritten": (swap, ("a", "b"), "b_ = a_0;", "b_ = a_;"),
    "a product and a sum contracted": (formulas.sgd, (), "w_0 - t0", "fma(-s0, g_0, w_0)"),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_fault_in_a_formula_is_caught_by_the_bits(name: str) -> None:
    formula, into, old, new = ELEMENTWISE[name]
    for edit in (str, edit_of(old, new)):
        unit, graph = Unit("float32", edit=edit), trace(formula, {}, {})
        arguments = [0.1 if p.scalar else RNG.uniform(0.5, 2, (20, 30)).astype("float32") for p in graph.parameters]
        with without_cupy(unit):
            kernel = Fused(unit, graph, arguments, into)
        expected = evaluated(graph, arguments, exact_words())
        same = all(np.array_equal(g, w) for g, w in zip(kernel(*arguments), expected, strict=True))
        assert same is (edit is str)


def test_a_literal_of_double_is_read_too() -> None:
    unit = Unit("float32", edit=edit_of("T(0.044715)", "0.044715"))
    with without_cupy(unit):
        Fused(unit, trace(formulas.gelu_tanh, {}, {}), [np.ones((2, 3), "float32")])
    assert bare_literals(unit.source) == ["0.044715"]
