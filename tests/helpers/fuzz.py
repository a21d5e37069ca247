"""Random formulas and arguments for them, from a seed."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nnxp.kernels import vocabulary
from nnxp.typing import Array, Column, Row

Host = npt.NDArray[Any]
EXACT = ("abs", "sign", "maximum", "minimum")
ROUNDED = ("sqrt",)  # correctly, but for PyTorch's float32
REAL = ("exp", "tanh", "log1p", "expm1", "log", "cos", "sin")  # whose last bit depends on the library
POWERS = (0.25, 0.5, 2.0, 8.0)  # dividing by them, and multiplying by their reciprocals, is the same
LITERALS = ("0", "0.0", "-0.0", "1", "0.5", "-3.0", "2", "1e-3")
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


@dataclass
class Case:
    """A formula, its source, and what it is called with."""

    seed: int
    source: str
    formula: Callable[..., Any]
    annotations: dict[str, str]
    into: tuple[str, ...]
    results: int
    kind: str
    arguments: list[Any]

    def __str__(self) -> str:
        return f"seed {self.seed}, into={self.into}, {self.kind}\n{self.source}"


def case(
    seed: int, integers: bool = False, words: tuple[str, ...] = EXACT + ROUNDED + REAL, contiguous: bool = False
) -> Case:
    """The formula of a seed; `words` are those of formulas of floats."""
    rng = random.Random(seed)
    kind = "int64" if integers else rng.choice(("float32", "float64"))
    annotations = {f"x{i}" if i else "x": "Array" for i in range(rng.randint(1, 3))}
    for name, annotation in (
        ("row", "Row"),
        ("column", "Column"),
        ("kept", "Array"),
        ("scale", "float"),
        ("power", "float"),
    ):
        if rng.random() < 0.4 and not (integers and annotation == "float"):
            annotations[name] = annotation
    if integers and rng.random() < 0.4:
        annotations["count"] = "int"
    names = list(annotations)
    rng.shuffle(names)
    full = [n for n in names if n.startswith("x")]
    count = rng.randint(1, len(full))
    into = tuple(rng.sample(full, count)) if rng.random() < 0.6 else ()
    lines = _statements(rng, full, names, integers, words)
    values = [f"t{i}" for i in range(len(lines))]
    # A result has full shape: something full is in it. Now and then it is an input.
    results = [
        rng.choice(full) if rng.random() < 0.15 else f"{rng.choice(values)} + {rng.choice(full)}" for _ in range(count)
    ]
    header = ", ".join(f"{n}: {annotations[n]}" for n in names)
    body = "".join(f"    {line}\n" for line in (*lines, f"return {', '.join(results)}"))
    source = f"def f({header}):\n{body}"
    scope: dict[str, Any] = {"xp": vocabulary, "Array": Array, "Row": Row, "Column": Column}
    exec(source, scope)
    arguments = [_argument(rng, n, annotations[n], kind, contiguous) for n in names]
    return Case(seed, source, scope["f"], annotations, into, count, kind, arguments)


def _statements(
    rng: random.Random, full: list[str], names: Sequence[str], integers: bool, words: tuple[str, ...]
) -> list[str]:
    numbers = [n for n in names if n != "kept"]
    lines: list[str] = []

    def operand() -> str:
        recent = [f"t{i}" for i in range(len(lines))][-4:]
        literals = ("0", "1", "3", "-7", "1023") if integers else LITERALS
        return rng.choice([*recent, *recent, *numbers, *([rng.choice(literals)] if rng.random() < 0.5 else [])])

    def array() -> str:
        return rng.choice([*[f"t{i}" for i in range(len(lines))][-4:], *full])

    def condition() -> str:
        if "kept" in names and rng.random() < 0.4:
            return "kept"
        first = f"({array()} {rng.choice(COMPARISONS)} {operand()})"
        other = f"({array()} {rng.choice(COMPARISONS)} {operand()})"
        return rng.choice((first, f"({first} & {other})", f"({first} | ~{other})", f"({first} ^ {other})"))

    for _ in range(rng.randint(1, 8)):
        choice = rng.random()
        if choice < 0.2:
            a, b = rng.sample((array(), operand()), 2)  # of two numbers, NumPy's `where` makes float64
            line = f"xp.where({condition()}, {a}, {b})"
        elif choice < 0.35:
            word = rng.choice(EXACT if integers else words)
            second = f", {operand()}" if word in ("maximum", "minimum") else ""
            zero = "0" if integers else "0.0"  # the sign of a zero that is the larger of two is nobody's to say
            line = f"xp.{word}({array()}{second}) + {zero}"
        elif choice < 0.45:
            if integers:
                line = f"{array()} {rng.choice(('>>', '<<'))} {rng.randint(0, 63)}"
            else:
                line = f"{array()} / {rng.choice(('power', '2', '0.25') if 'power' in names else ('4', '0.5'))}"
        elif choice < 0.5:
            line = f"~{array()}" if integers else f"-{array()}"
        else:
            operators = ("+", "-", "*", "&", "|", "^") if integers else ("+", "-", "*", "*", "/")
            operator = rng.choice(operators)
            left, right = (operand(), array()) if rng.random() < 0.5 else (array(), operand())
            if operator == "/":  # by numbers: above; of numbers: two roundings in PyTorch's own
                left, right = (left if "sqrt" in words else array()), array()
            line = f"{left} {operator} {right}"
        lines.append(f"t{len(lines)} = {line}")
    return lines


SHAPE = (7, 9)


def _argument(rng: random.Random, name: str, annotation: str, kind: str, contiguous: bool) -> Any:
    if annotation == "int":
        return rng.randint(-9, 9)
    if annotation == "float":
        return rng.choice(POWERS) if name == "power" else rng.choice((0.1, -2.5, 0.0, 1e3))
    draw = np.random.default_rng(rng.randrange(1 << 30))
    shape = {"Array": SHAPE, "Row": (1, SHAPE[1]), "Column": (SHAPE[0], 1)}[annotation]
    if annotation != "Array" and rng.random() < 0.3:
        shape = rng.choice(((), (1, 1)))
    if name == "kept":
        return draw.random(shape) < 0.5
    if kind == "int64":
        values: Host = draw.integers(-(2**63), 2**63 - 1, shape)
    else:
        special = draw.choice([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, 1e-30, 3e30], shape)
        values = np.where(draw.random(shape) < 0.25, special, draw.standard_normal(shape)).astype(kind)
    if contiguous or annotation != "Array" or rng.random() < 0.7:
        return values
    return np.ascontiguousarray(values.T).T if rng.random() < 0.5 else np.repeat(values, 2, axis=1)[:, ::2]


def same(got: Any, expected: Any, told: str) -> None:
    """Equal bits, but for what a NaN holds."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape), told
    np.testing.assert_array_equal(got, expected, err_msg=told)
    if got.dtype.kind == "f":
        signs = np.signbit(np.where(np.isnan(got), 0, got)) == np.signbit(np.where(np.isnan(expected), 0, expected))
        assert signs.all(), told
