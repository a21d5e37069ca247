"""Expressions as text and as MathML."""

from collections.abc import Callable
from typing import Any

import pytest

from nnxp.kernels import formulas
from nnxp.kernels import vocabulary as xp
from nnxp.kernels.graph import trace
from nnxp.teaching.expressions import evaluated, put_in, simplified
from nnxp.teaching.notation import MathML, Style
from nnxp.typing import Array

CASES: list[tuple[Callable[..., Any], str]] = [
    (lambda a, b, c: a - (b - c), "a - (b - c)"),
    (lambda a, b, c: a - b - c, "a - b - c"),
    (lambda a, b, c: (a + b) * c, "(a + b) · c"),
    (lambda a, b, c: a * (b * c), "a · (b · c)"),
    (lambda a, b, c: a / (b * c), "a / (b · c)"),
    (lambda a, b, c: a / b / c, "a / b / c"),
    (lambda a, b, c: -(a + b) * -c, "(-(a + b)) · (-c)"),
    (lambda a, b, c: xp.sqrt(a + b) + xp.abs(c), "√(a + b) + |c|"),
    (lambda a, b, c: xp.maximum(xp.maximum(a, b), c), "max(a, b, c)"),
    (lambda a, b, c: xp.where(a > b, c, -2.5), "c where a > b, else -2.5"),
    (lambda a, b, c: a * -0.5 + b, "a · (-0.5) + b"),
    (lambda a, b, c: a + b + c + a + b + c + a + b + c, "a + b + c + a + … + c"),
]


def test_text_needs_no_more_brackets_than_it_has() -> None:
    for formula, expected in CASES:
        graph = trace(formula, {}, {})
        assert Style(9).write(graph.outputs[0]) == expected


def test_numbers_take_the_branch_that_holds() -> None:
    graph = trace(formulas.sigmoid, {}, {})
    (x,), (y,) = graph.parameters, graph.outputs
    for value, expected in ((2.0, "1 / (1 + exp(-|2|))"), (-2.0, "exp(-|-2|) / (1 + exp(-|-2|))")):
        found = put_in(graph, y, {x: value})
        assert Style(9).write(found) == expected
        assert evaluated(found, {}) == pytest.approx(float(formulas.sigmoid(value)), rel=1e-15)


def test_what_changes_nothing_is_left_out() -> None:
    def formula(a: Array, b: Array) -> Array:
        return 1.0 * a + 0.0 * b - 0.0 + b / 1.0

    graph = trace(formula, {}, {})
    assert Style(9).write(simplified(graph, graph.outputs[0])) == "a + b"


def test_mathml_is_of_its_elements() -> None:
    graph = trace(formulas.adagrad, {}, {})
    written = MathML(9).write(graph.outputs[0])
    assert written.startswith(
        "<mrow><mi>w</mi><mo>−</mo><mfrac><mrow><mrow><mi>lr</mi><mo>·</mo><mi>g</mi></mrow></mrow>"
    )
    assert "<msqrt>" in written and "<mi>ε</mi>" in written
    cases = MathML(9).write(trace(formulas.relu_grad, {}, {}).outputs[0])
    assert cases.count("<mtr>") == 2 and "<mo>&gt;</mo>" in cases
