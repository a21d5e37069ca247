"""The text of CUDA kernels, which every machine can read: neither CuPy, a GPU nor a compiler is needed."""

import math
import re
import struct
import subprocess
import sys
from importlib import resources
from typing import Any

import numpy as np
import pytest

from nnxp.kernels import formulas, show
from nnxp.kernels import vocabulary as xp
from nnxp.kernels.cuda import shown
from nnxp.kernels.cuda.launch import declaration, kernel_source, prelude
from nnxp.kernels.cuda.matrices import rows
from nnxp.kernels.cuda.source import arrays_of, elementwise, literal
from nnxp.kernels.graph import parameters_of, shape_of, trace
from nnxp.kernels.source import HOST, on_host
from nnxp.typing import Array, Row
from tests.kernels.test_formulas import FIXED, FORMULAS

FILES = {f.name: f.read_text() for f in resources.files("nnxp.kernels.cuda").iterdir() if ".cu" in f.name}


def graph_of(formula: Any, **fixed: Any) -> Any:
    return trace(formula, fixed, {})


def flat(formula: Any, into: tuple[str, ...] = ()) -> Any:
    """What CuPy's ElementwiseKernel gets, all arrays of type T but conditions."""
    graph = graph_of(formula)
    kinds = {p.value: "bool" if p in graph.conditions else "T" for p in arrays_of(graph)}
    return elementwise(graph, into, kinds)


def bare_literals(text: str) -> list[str]:
    """The floating-point literals that are not converted to T: each is a double, and makes double of its expression."""
    code = re.sub(r"//.*", "", text)
    converted = re.sub(r"\bT\(-?[\d.]+(e[+-]?\d+)?\)", "", code)
    return re.findall(r"(?<![\w.])(?:\d+\.\d*|\.\d+|\d+(?=e[+-]?\d))(?:e[+-]?\d+)?f?", converted)


# --- numbers ---------------------------------------------------------------------------------------


def test_bare_literals_are_found() -> None:
    assert bare_literals("x * 0.5 + T(0.5)\n// 0.5\n y - 1e-07; z < 2.; T(1e-07) T(-1.5e+30) 3 s0 t1.x") == [
        "0.5",
        "1e-07",
        "2.",
    ]


@pytest.mark.parametrize("column_sums", [False, True])
def test_no_formula_has_a_bare_literal(column_sums: bool) -> None:
    for name, formula in FORMULAS.items():
        graph = graph_of(formula, **FIXED.get(name, {}))
        text = shown(graph, (), column_sums and len(graph.outputs) == 1)
        assert not bare_literals(text), name
        assert not re.search(r"\b(float|double)\b", text.partition(")")[2]), name
    assert "T(0.044715)" in shown(graph_of(formulas.gelu_tanh), (), column_sums)


def test_no_file_has_a_bare_literal() -> None:
    assert len(FILES) >= 5
    for name, text in FILES.items():
        assert not bare_literals(text), name
        code = re.sub(r"//.*", "", text).replace("__longlong_as_double", "")
        assert not re.search(r"\b(float|double)\b|atomicAdd\((?!finished, 1u)", code), name


@pytest.mark.parametrize("number", [0.1, -0.0, 1.0, 1e-300, -2.5e17, math.pi, 3, -7])
def test_a_literal_has_all_its_digits(number: float) -> None:
    found = re.fullmatch(r"T\((.*)\)", literal(number))
    assert found is not None and struct.pack("d", float(found[1])) == struct.pack("d", number)


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_infinity_and_nan_are_told_by_their_bits(number: float) -> None:
    found = re.fullmatch(r"T\(__longlong_as_double\((0x[0-9a-f]{16})LL\)\)", literal(number))
    assert found is not None
    (value,) = struct.unpack("d", struct.pack("Q", int(found[1], 16)))
    assert value == number or (math.isnan(value) and math.isnan(number))


@pytest.mark.parametrize("number", [0, -1, 2**53 + 1, 2**63 - 1, 1 - 2**63, -(2**63)])
def test_integers_are_exact(number: int) -> None:
    """The smallest cannot be written: -x is x, a literal, negated."""
    found = re.fullmatch(r"T\((-?\d+)LL( - 1)?\)", literal(number, integral=True))
    assert found is not None and int(found[1]) - bool(found[2]) == number and abs(int(found[1])) < 2**63


def test_numbers_are_computed_on_the_host() -> None:
    """In float64, once for all elements; 0.1 + 0.2 too, and a division becomes a product."""

    def f(x: Array, rate: float) -> Array:
        return x * (1 - rate) / (rate * 3) + (0.1 + 0.2)

    made = flat(f)
    host = [eval(on_host(node), {**HOST, "rate": 0.1}) for node in made.body.numbers]
    assert host == [1 - 0.1, 1 / (0.1 * 3)] and made.ins == "T x_, T s0, T s1"
    assert made.operation.splitlines()[1:-1] == [
        "const T t0 = x_0 * s0;",
        "const T t1 = t0 * s1;",
        f"const T t2 = t1 + T({0.1 + 0.2!r});",
    ]


# --- names, loads and stores -----------------------------------------------------------------------


def awkward(i: Array, n: Array, T: Array, out: Row, s0: float) -> Array:
    return i * n + T * out - s0


def swap(a: Array, b: Array) -> tuple[Array, Array]:
    return b, a


def test_names_that_cupy_takes_for_itself() -> None:
    made = flat(awkward)
    assert (made.ins, made.outs) == ("T i_, T n_, T T_, T out_, T s0", "T out")
    declared = re.findall(r"const T (\w+) =", made.operation)
    assert len(set(declared)) == len(declared) == 8 and not {"i", "n", "T", "out", "s0"} & {*declared}


def test_names_of_a_kernel_over_rows() -> None:
    graph = graph_of(awkward)
    made = rows(graph, (), dict.fromkeys(("i", "n", "T", "out"), "T"))
    parameters = made.text.partition("{")[0]
    assert (
        "const T* i_, const T* n_, const T* T_, const T* out_, T* out, const long long n, const long long m"
        in parameters
    )
    assert "i_[i * m + j]" in made.text and "out_[j]" in made.text and "out[i * m + j] = " in made.text


def test_inputs_are_loaded_before_outputs_are_stored() -> None:
    assert flat(swap, ("a", "b")).operation.splitlines() == [
        "const T a_0 = a_;",
        "const T b_0 = b_;",
        "a_ = b_0;",
        "b_ = a_0;",
    ]


@pytest.mark.parametrize("name", [name for name in FORMULAS if name != "dropout"])
def test_loads_come_first_and_stores_last(name: str) -> None:
    graph = graph_of(FORMULAS[name], **FIXED.get(name, {}))
    full = [p.value for p in arrays_of(graph) if p.shape == "full"]
    into = full[: len(graph.outputs)] if len(full) >= len(graph.outputs) else []
    made = elementwise(graph, into, dict.fromkeys([p.value for p in arrays_of(graph)], "T"))
    lines = made.operation.splitlines()
    kinds = [
        "load" if re.match(r"const T \w+_0 = \w+_;", line) else "store" if "const" not in line else "" for line in lines
    ]
    assert kinds == ["load"] * kinds.count("load") + [""] * kinds.count("") + ["store"] * len(graph.outputs)
    assert kinds.count("load") == len([p for p in arrays_of(graph) if p in {*graph.live()}])


# --- types -----------------------------------------------------------------------------------------


def test_conditions_are_boolean() -> None:
    def f(x: Array, kept: Array, other: Array) -> tuple[Array, Array]:
        chosen = kept & (x > 0) | ~(other | (x < 1))
        return xp.where(chosen, x, 0), chosen ^ True

    made = flat(f)
    assert made.ins == "T x_, bool kept_, bool other_" and made.outs == "T out0, bool out1"
    for line in made.operation.splitlines():
        boolean = any(word in line for word in (" > ", " < ", " & ", " | ", " ^ ", "!", "kept_;", "other_;"))
        assert line.startswith(("const bool" if boolean else "const T", "out")), line
    assert "= !t" in made.operation and "^ true" in made.operation and "~" not in made.operation


def test_a_condition_of_numbers_is_boolean_too() -> None:
    def f(x: Array, lr: float) -> Array:
        return xp.where((x > 0) & (lr > 0), x, 0)

    made = flat(f)
    assert made.ins == "T x_, bool s0" and "const bool t1 = t0 & s0;" in made.operation
    assert [on_host(node) for node in made.body.numbers] == ["(lr > 0)"]


def test_names_are_ascii() -> None:
    def größe(β: Array, γ: Row) -> Array:
        return β + γ

    graph = graph_of(größe)
    made = rows(graph, ("β",), dict.fromkeys("βγ", "T"))
    assert (
        made.text.isascii()
        and made.name.isascii()
        and len(declaration(made.text.replace("T", "float"), made.name)) == 4
    )
    assert flat(lambda β: β + 1).operation.isascii()


def test_integers_wrap_around() -> None:
    """Their sums and products are those of unsigned integers; shifts and masks are not touched, nor are floats."""

    def f(x: Array, y: Array) -> Array:
        return ((x + y) * 3 - y) ^ (x >> 7)

    unsigned = [line.count("(unsigned long long)") for line in flat(f).operation.splitlines()]
    assert unsigned == [0, 0, 2, 2, 2, 0, 0, 0]
    assert "unsigned" not in flat(formulas.adam).operation


# --- show ------------------------------------------------------------------------------------------

WITHOUT_CUPY = """
import sys
class Refuses:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("cupy", "cupyx", "cupy_backends"):
            raise RuntimeError(f"{name} is imported")
sys.meta_path.insert(0, Refuses())
import nnxp
nnxp.kernels.show("adam", backend="cupy")
nnxp.kernels.show("relu_grad", backend="cupy", into=("dy",), column_sums=True)
nnxp.kernels.show("add_row", backend="cupy")
"""


def test_show_needs_neither_cupy_nor_a_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_CUPY], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    adam, sums, bias = re.split(r"(?=extern)", done.stdout)
    assert adam.startswith("// s0 = beta_1\n// s1 = (1 - beta_1)\n") and "// nnxp_adam, an ElementwiseKernel\n" in adam
    assert "// out: T w_, T m_, T c_\n" in adam and adam.endswith("w_ = t12;\nm_ = t2;\nc_ = t7;\n")
    assert "nnxp_relu_grad_sums(const T* y_, T* dy_, T* sums, volatile T* partial, unsigned* finished" in sums
    assert (
        "column_total(total, j, m, sums, partial, finished);" in sums
        and "nnxp_add_row(const T* z_, const T* b_, T* out" in bias
    )
    show("adam", backend="cupy")
    assert capsys.readouterr().out == adam


@pytest.mark.parametrize("name", FORMULAS)
def test_every_formula_is_shown(name: str) -> None:
    graph = graph_of(FORMULAS[name], **FIXED.get(name, {}))
    text = shown(graph, (), False)
    over_rows = any(shape_of(p) in ("row", "column") for p in parameters_of(FORMULAS[name]).values())
    assert f"nnxp_{name}" in text and text.startswith("extern") == (over_rows and "// s" not in text)


# --- declarations ----------------------------------------------------------------------------------


def test_a_declaration() -> None:
    text = """
typedef float T;
typedef T Number;
typedef unsigned long long Counter;
#define TWICE(k) k(a, b)  // a call of k(), not its declaration
__device__ void other_k(const double* x) {}
extern "C" __global__ void k(const T* a, T *b, volatile Number*c, unsigned* __restrict__ d,
                             const long long n, const Number s, Counter e, const bool* f, signed char g)
{ other_k(nullptr); }
"""
    f4, i8, u4, u8 = map(np.dtype, ("float32", "int64", "uint32", "uint64"))
    assert [tuple(p) for p in declaration(text, "k")] == [
        ("a", f4, True),
        ("b", f4, True),
        ("c", f4, True),
        ("d", u4, True),
        ("n", i8, False),
        ("s", f4, False),
        ("e", u8, False),
        ("f", np.dtype("bool"), True),
        ("g", np.dtype("int8"), False),
    ]
    assert [p.dtype for p in declaration(text, "other_k")] == [np.dtype("float64")]


@pytest.mark.parametrize("name", ["kernel", "k_", "ak"])
def test_a_kernel_that_is_not_there(name: str) -> None:
    with pytest.raises(ValueError, match=f"got a text without a kernel {name}"):
        declaration('extern "C" __global__ void k(int n) {}', name)


def test_types_are_declared_and_numbers_defined() -> None:
    assert (
        prelude(T="float", Label="long long", INDICES=1)
        == "typedef float T;\ntypedef long long Label;\n#define INDICES 1\n"
    )
    for kind in ("float", "double"):
        text = kernel_source("softmax_crossentropy", T=kind, Label="T", INDICES=0)
        found = {p.name: p.dtype for p in declaration(text, "nnxp_softmax_crossentropy")}
        assert found["labels"] == found["z"] == np.dtype({"float": "float32", "double": "float64"}[kind])
    assert declaration(kernel_source("sums", T="double"), "nnxp_add_penalty")[-1] == ("l2", np.dtype("float64"), False)
