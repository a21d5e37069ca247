"""The seven chapters: they run, the seed's snippets stand in them with only the imports changed, their numbers are
those of hand arithmetic, and the exercises' solutions pass.

The gallery is run where the pages are built (`nox -s docs`), not here.
"""

import ast
import importlib
import math
import re
import runpy
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from tests.project.test_seed import SNIPPETS, with_backward_pass

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "docs" / "gallery").glob("plot_*.py"))
CHAPTERS = sorted((ROOT / "docs" / "chapters").glob("plot_*.py"))
SOLUTIONS = sorted((ROOT / "docs" / "chapters" / "solutions").glob("*.py"))
OF_CHAPTER = {1: [0], 2: [1], 3: [2], 4: [3], 5: [4], 6: [5, 6], 7: [7]}


@pytest.fixture
def chapter(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> tuple[dict[str, Any], Callable[[str], list[float]]]:
    """What a chapter's script leaves behind, run in an empty folder that stays empty; and a look at the numbers that it
    printed in a line."""
    from matplotlib import pyplot, rc_context

    with monkeypatch.context() as patch, rc_context():
        pyplot.switch_backend("agg")
        patch.chdir(tmp_path)
        shown: list[int] = []
        patch.setattr(pyplot, "show", lambda: (shown.append(1), pyplot.close("all")))
        variables = runpy.run_path(str(CHAPTERS[request.param - 1]))
    assert shown and not [*tmp_path.iterdir()]
    printed = capsys.readouterr().out

    def numbers(beginning: str) -> list[float]:
        """Those of the first line that begins so, behind that beginning."""
        line = next(line.strip() for line in printed.splitlines() if line.strip().startswith(beginning))
        return [float(word) for word in re.findall(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?", line.removeprefix(beginning))]

    return variables, numbers


def of(number: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("chapter", [pytest.param(number, id=CHAPTERS[number - 1].stem)], indirect=True)


def test_all_are_there() -> None:
    assert [int(path.stem.split("_")[2]) for path in CHAPTERS] == [*OF_CHAPTER]
    assert [path.stem for path in SOLUTIONS] == [f"chapter_{number}" for number in OF_CHAPTER]
    assert sorted(snippet for snippets in OF_CHAPTER.values() for snippet in snippets) == [*range(len(SNIPPETS))]
    assert len(EXAMPLES) >= 12


@pytest.mark.parametrize("path", [*EXAMPLES, *CHAPTERS], ids=lambda path: path.stem)
def test_a_page_is_in_order(path: Path) -> None:
    """It draws, is a whole page with headings as the renderer wants them, shows no value by accident, as `fit` returns
    the history, and uses names that the package says are its own."""
    script = path.read_text(encoding="utf-8")
    for block in re.split(r"^# %%$", script, flags=re.M):
        *_, last = [None, *ast.parse(block).body]
        if isinstance(last, ast.Expr) and not isinstance(last.value, ast.Constant):
            assert re.match(r"print|plt\.show|draw_|Frame", ast.unparse(last)), ast.unparse(last)
    for line, under in pairwise(script.splitlines()):
        if re.fullmatch(r"(# )?([-=])\2{3,}", under):
            assert len(under) == len(line), line
    assert "plt.show()" in script and ast.get_docstring(ast.parse(script))
    for module in (node for node in ast.walk(ast.parse(script)) if isinstance(node, ast.ImportFrom)):
        if module.module and module.module.split(".")[0] == "nnxp":
            imported = importlib.import_module(module.module)
            assert {alias.name for alias in module.names} <= {*imported.__all__} and "._" not in module.module
    for name in set(re.findall(r"\bnnxp\.([A-Za-z]\w*)\b(?!\.py)", re.sub(r"``.*?``|-m nnxp", "", script))):
        assert name in nnxp.__all__ or name == "nnfs", name


@pytest.mark.parametrize("number", OF_CHAPTER)
def test_snippets_stand_as_they_are(number: int) -> None:
    """All paragraphs of the chapter's snippets, in order; chapter 7's comment for the backward pass is chapter 6's
    lines, by this loop's names."""
    script, position = CHAPTERS[number - 1].read_text(encoding="utf-8"), 0
    for i in OF_CHAPTER[number]:
        snippet = with_backward_pass(SNIPPETS[i]) if number == 7 else SNIPPETS[i]
        lines = [line.rstrip() for line in snippet.splitlines() if not re.match(r"(from|import) ", line)]
        for paragraph in re.split(r"\n\n+", "\n".join(lines).strip("\n")):
            assert paragraph in script[position:]
            position = script.index(paragraph, position) + len(paragraph)


@pytest.mark.parametrize("number", OF_CHAPTER)
def test_every_exercise_shows_its_solution(number: int) -> None:
    script, solutions = (path.read_text(encoding="utf-8") for path in (CHAPTERS[number - 1], SOLUTIONS[number - 1]))
    asked = re.findall(r"^# \*\*(\d)\.\*\*", script, re.M)
    assert re.findall(r"^def test_exercise_(\d)\(", solutions, re.M) == asked and len(asked) >= 3
    shown = rf"literalinclude:: \.\./chapters/solutions/chapter_{number}\.py\n# +:pyobject: test_exercise_(\d)$"
    assert re.findall(shown, script, re.M) == asked


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_solutions(path: Path) -> None:
    solved = runpy.run_path(str(path))
    for name in [name for name in solved if name.startswith("test_")]:
        solved[name]()


@of(1)
def test_chapter_1(chapter: Any) -> None:
    """By hand: 3.72 + 10.71 + 18.27 + 3 = 35.7. The cut's output at (2, 2) is 2 + 4 - 1."""
    variables, numbers = chapter
    assert numbers("by hand") == numbers("the snippet") == numbers("the library") == [35.7]
    assert variables["heights"][-1, -1] == 5.0


@of(2)
def test_chapter_2(chapter: Any) -> None:
    """By hand: 0.2 + 1.6 - 1.5 + 2.5 + 2; 0.5 - 1.82 + 0.78 - 1.25 + 3; -0.26 - 0.54 + 0.51 + 2.175 + 0.5. Three lines
    of which no two are parallel and which do not meet in one point make seven regions."""
    variables, numbers = chapter
    for number, expected in enumerate((4.8, 1.21, 2.385), 1):
        assert numbers(f"{number} ") == [expected, expected]
    assert len(np.unique(variables["region"])) == 7


@of(3)
def test_chapter_3(chapter: Any) -> None:
    """Chapter 2's outputs, and those of the second sample: 0.4 + 4 + 0.5 + 2 + 2; 1 - 4.55 - 0.26 - 1 + 3;
    -0.52 - 1.35 - 0.17 + 1.74 + 0.5."""
    variables, _ = chapter
    # Sums of at most five products, none above 5 and together at most 13, in float32.
    np.testing.assert_allclose(
        variables["dense_layer"].output, [[4.8, 1.21, 2.385], [8.9, -1.81, 0.2]], rtol=0, atol=8 * 2**-24 * 13
    )
    # Sums of at most five terms, none larger than 0.2, in float32.
    np.testing.assert_allclose(variables["batch_outputs"], variables["by_hand"], rtol=0, atol=6 * 2**-24 * 0.5)


@of(4)
def test_chapter_4(chapter: Any) -> None:
    """e^1 / (e^1 + e^2 + e^0.5) and so on; exclusive or of the corners; the hat at 0, 1 and 2."""
    variables, numbers = chapter
    for logit in (1.0, 2.0, 0.5):
        share = math.exp(logit) / (math.e + math.e**2 + math.e**0.5)
        assert numbers(f"{logit} ")[1:] == pytest.approx([share, share], abs=2e-6)
    assert variables["exclusive_or"](variables["corners"]).ravel().tolist() == [0, 1, 1, 0]
    x, hat = variables["x"].ravel(), variables["hat"].ravel()
    np.testing.assert_allclose(hat, np.maximum(0, 1 - np.abs(x - 1)), rtol=0, atol=8 * 4 * 2**-24)


@of(5)
def test_chapter_5(chapter: Any) -> None:
    """-ln 0.7, -ln 0.5, -ln 0.9, and their mean; ln 2 where the network knows nothing."""
    variables, numbers = chapter
    for p in (0.7, 0.5, 0.9):
        assert numbers(f"{p:.2f}") == pytest.approx([-math.log(p)] * 2, abs=1e-4)
    assert numbers("mean") == pytest.approx([-math.log(0.7 * 0.5 * 0.9) / 3] * 2, abs=1e-4)
    assert variables["loss_of"](0.0, 0.0) == pytest.approx(math.log(2), rel=1e-15)


@of(6)
def test_chapter_6(chapter: Any) -> None:
    """Three columns that agree; and what the page says of them."""
    variables, numbers = chapter
    for i, j in np.ndindex(2, 3):
        by_hand, library, tried = numbers(f"[{i}, {j}]")
        assert [by_hand, library] == pytest.approx([tried] * 2, abs=2e-6)
    assert np.all(variables["Z1"][:, 2] < 0)  # the neuron that is asleep
    for w in (-0.8, 0.8, 5.0):
        (above, _), (below, _) = (variables["loss_and_slope"](w + h) for h in (1e-5, -1e-5))
        assert variables["loss_and_slope"](w)[1] == pytest.approx((above - below) / 2e-5, abs=1e-8)
    assert variables["losses"][-1] < 0.1 < variables["losses"][0]


@of(7)
def test_chapter_7(chapter: Any) -> None:
    """The three steps worked out here: momentum's m is 0.05, 0.025, 0.0625; Adagrad's c 0.25, 0.29, 0.45."""
    variables, numbers = chapter
    assert numbers("momentum")[:2] == pytest.approx([1 - 0.05 - 0.025 - 0.0625] * 2, abs=1e-6)
    adagrad = 1 - 0.1 * (0.5 / 0.25**0.5 - 0.2 / 0.29**0.5 + 0.4 / 0.45**0.5)
    assert numbers("Adagrad")[:2] == pytest.approx([adagrad] * 2, abs=1e-6)
    for name in ("RMSprop", "Adam"):
        by_hand, library = numbers(name)[:2]
        assert by_hand == pytest.approx(library, abs=2e-6)  # six digits are printed
    assert float(variables["loss"]) < math.log(2)
    # SGD multiplies by 1 - rate and 1 - 25 rate; 40 steps in float32.
    slow = variables["walk"](variables["paths"]["SGD, rate 0.01"])
    np.testing.assert_allclose(slow[-1], [-4 * 0.99**40, 1.2 * 0.75**40], rtol=40 * 8 * 2**-24)
