"""The documentation's own code: equations are those of the books, every public name has a page, links are looked up."""

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

import nnxp
from nnxp.activations import ACTIVATIONS
from nnxp.losses import LOSSES
from nnxp.optimizers import OPTIMIZERS
from nnxp.teaching.updating import watched
from tests.helpers import pages

pytestmark = pytest.mark.once


@pytest.fixture
def extensions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(pages.ROOT / "docs" / "_ext")


@pytest.fixture
def equations(extensions: None) -> ModuleType:
    return importlib.import_module("equations")


def told(equations: ModuleType, thing: object) -> list[str]:
    """The lines of a thing, without what only spaces them out."""
    return [re.sub(r"\\,|\s", "", line) for _, group in equations.equations(thing) for line in group]


def test_adam_is_that_of_the_paper(equations: ModuleType) -> None:
    """Kingma and Ba 2015, algorithm 1: m, v (here c), and the step of the corrected ones, ε beside the root."""
    assert told(equations, nnxp.Adam) == [
        r"m_{t}=\beta_{1}m_{t-1}+(1-\beta_{1})g_{t}",
        r"c_{t}=\beta_{2}c_{t-1}+(1-\beta_{2})g_{t}^{2}",
        r"w_{t}=w_{t-1}-\frac{\frac{{\mathrm{lr}}}{1-\beta_{1}^{t}}m_{t}}{\sqrt{\frac{c_{t}}{1-\beta_{2}^{t}}}+\varepsilon}",
    ]


def test_its_corrections_are_what_the_equation_says() -> None:
    """1 - βᵗ is the one part of an equation that no formula has: the optimizer computes it on the host."""
    adam = nnxp.Adam(beta_1=0.9, beta_2=0.99)
    model = nnxp.Sequential([nnxp.Dense(1, 1)], "mean_squared_error", adam, seed=0)
    for t in (1, 2, 3):
        model.forward([[1.0]])
        model.backward([[0.0]])
        rule = watched(model)[0].rule
        assert rule is not None
        numbers = {node.value: value for node, value in rule.numbers.items()}
        assert (numbers["correction_1"], numbers["correction_2"]) == pytest.approx((1 - 0.9**t, 1 - 0.99**t), rel=1e-12)


@pytest.mark.parametrize(
    ("thing", "lines"),
    [
        (nnxp.Tanh, [r"y=\tanh(x)", r"\mathrm{d}x=\mathrm{d}y(1-y^{2})"]),
        (nnxp.MeanSquaredError, [r"\ell=(p-y)^{2}", r"\mathrm{d}p=2(p-y)"]),
        (
            nnxp.Adagrad,
            ["c_{t}=c_{t-1}+g_{t}^{2}", r"w_{t}=w_{t-1}-\frac{{\mathrm{lr}}g_{t}}{\sqrt{c_{t}}+\varepsilon}"],
        ),
        (
            nnxp.ReLU,
            [r"y=\max(x,0)", r"\mathrm{d}x=\begin{cases}\mathrm{d}y&\text{where}y>0\\0&\text{else}\end{cases}"],
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_equations(equations: ModuleType, thing: object, lines: list[str]) -> None:
    assert told(equations, thing) == lines


def test_what_stands_twice_has_a_letter(equations: ModuleType) -> None:
    """Sigmoid's e^-|x|, which both of its cases divide by."""
    letter, formula, gradient = told(equations, nnxp.Sigmoid)
    assert letter == r"u=e^{-\left|x\right|}" and "|" not in formula and "u" not in gradient


@pytest.mark.parametrize("thing", [*ACTIVATIONS, *LOSSES, *OPTIMIZERS], ids=lambda thing: thing.__name__)
def test_nothing_is_without_an_equation(equations: ModuleType, thing: type) -> None:
    assert bool(told(equations, thing)) == (thing is not nnxp.Linear)


def test_every_public_name_has_a_page() -> None:
    listed = set(re.findall(r"^   nnxp\.(\w+)$", pages.read("docs/api/index.rst"), re.MULTILINE))
    by_class = {"activations", "backends", "errors", "estimators", "layers", "losses", "optimizers"}
    assert listed == {*nnxp.__all__} - by_class  # type: ignore[attr-defined]


def test_links_are_looked_up(extensions: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    links = importlib.import_module("links")
    site = tmp_path / "html"
    (site / "below").mkdir(parents=True)
    (site / "below" / "b.html").write_text('<h1 id="here">b</h1><a href="../a.html#there">a</a>')
    (site / "a.html").write_text('<p id="there"><a href="below/b.html#here"></a><a href="https://a.b/c">c</a></p>')
    assert links.main(str(site)) == 0
    assert "2 links within the site, 0 of them wrong; 1 lead out" in capsys.readouterr().out
    assert (tmp_path / "outer-links.txt").read_text() == "https://a.b/c\n"
    for bad in ('<a href="c.html">', '<a href="below/b.html#gone">', '<a href="#gone">', '<script src="//x.y/z.js">'):
        (site / "a.html").write_text(f'<p id="there"></p>{bad}')
        assert links.main(str(site)) == 1, bad
        assert capsys.readouterr().out.count("a.html: ") == 1
    assert links.main(str(tmp_path / "empty")) == 1
