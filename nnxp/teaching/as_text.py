"""A step as text, for a terminal."""

from nnxp.printing import counted
from nnxp.teaching.facts import Facts, Matrix, Step, Work
from nnxp.teaching.notation import Style


def text(facts: Facts) -> str:
    """The whole step."""
    style, lines = Style(facts.digits), [facts.title, sizes(facts)]
    for i, step in enumerate(facts.steps, 1):
        lines += ["", f"{i}. {step.title}", *_indented(step, style)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def sizes(facts: Facts) -> str:
    """What the dimensions are."""
    sizes = dict(facts.sizes)
    rows = sizes.pop("n")
    return (
        f"n = {counted(rows, 'sample')}; "
        + ", ".join(f"{name} = {size}" for name, size in sizes.items())
        + " values wide"
    )


def _indented(step: Step, style: Style) -> list[str]:
    lines = [step.equation] if step.equation else []
    for block in blocks(step, style):
        lines += ["", *block]
    return [f"   {line}" for line in [*lines, *step.notes]]


def blocks(step: Step, style: Style) -> list[list[str]]:
    """The matrices of a step and its numbers worked out, as lines."""
    found = [_matrix(matrix, style.digits) for matrix in step.matrices]
    return [*found, *([[line for work in step.works for line in _work(work, style)]] if step.works else [])]


def _matrix(matrix: Matrix, digits: int) -> list[str]:
    cells = matrix.cells(digits)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = ["  " + "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in cells]
    return [f"{matrix.name}  ({matrix.shape}{'; ' * bool(matrix.remark)}{matrix.remark})", *rows]


def _work(work: Work, style: Style) -> list[str]:
    name, *lines = work.lines(style)
    return [f"{name} = {lines[0]}", *(f"{' ' * len(name)} = {line}" for line in lines[1:])]
