"""How an expression is written: one walk over the nodes of a graph, as text and as MathML."""

import math
from typing import NamedTuple

from nnxp.kernels.graph import BINARY, COMPARISONS, Node
from nnxp.tabular.report.markup import Markup, element, joined

MOST_TERMS = 8
"""Of a longer sum the first four terms and the last are written."""
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SIGNS = {"lt": "<", "le": "≤", "gt": ">", "ge": "≥", "eq": "=", "ne": "≠"}
_NAMES = {
    "alpha": "α", "beta": "β", "beta_1": "β₁", "beta_2": "β₂", "delta": "δ", "epsilon": "ε", "rho": "ρ",
    "weight_decay": "λ", "correction_1": "k₁", "correction_2": "k₂", "weights": "W", "biases": "b",
}  # fmt: skip
"""How the parameters of formulas and layers are written, where it is not as they are called."""


class Letter(NamedTuple):
    """The name of a number: a letter, and where it stands in its matrix, from 1 on."""

    name: str
    place: tuple[int, ...] = ()

    @property
    def subscript(self) -> str:
        """The place: "12", or with commas where a number in it has two digits."""
        return ("," if any(i > 9 for i in self.place) else "").join(map(str, self.place))

    def __str__(self) -> str:
        """
        Examples
        --------
        >>> str(Letter("x", (1, 2))), str(Letter("dweights", (1, 12))), str(Letter("beta_1"))
        ('x₁₂', 'dW₁,₁₂', 'β₁')
        """
        return symbol(self.name) + self.subscript.translate(_SUBSCRIPTS)


def symbol(name: str) -> str:
    """A name as it is written; a gradient's is that of its parameter behind a d."""
    if name not in _NAMES and name[:1] == "d" and name[1:] in _NAMES:
        return "d" + _NAMES[name[1:]]
    return _NAMES.get(name, name)


def number(value: float, digits: int) -> str:
    """A number as every page of a step writes it.

    Examples
    --------
    >>> number(0.29837110876, 9), number(2.0, 9), number(-0.0, 9), number(1.5e-12, 2)
    ('0.298371109', '2', '0', '1.5e-12')
    """
    return f"{value + 0.0:.{digits}g}"


SUM, PRODUCT, ATOM = 1, 2, 3
"""How tightly what is written holds together."""


class Written(NamedTuple):
    """A part, and how tightly it holds together."""

    text: str
    level: int


class Style:
    """A way of writing: here as text."""

    def __init__(self, digits: int) -> None:
        self.digits = digits

    def write(self, node: Node) -> str:
        """The expression."""
        return self._written(node).text

    def letter(self, letter: Letter) -> str:
        """A name."""
        return str(letter)

    def number(self, text: str) -> str:
        """A number, which `notation.number` has written."""
        return text

    def row(self, *parts: str) -> str:
        """Parts one after the other."""
        return "".join(parts)

    def sign(self, text: str) -> str:
        """An operator or a bracket."""
        return text

    def bracketed(self, text: str, left: str = "(", right: str = ")") -> str:
        """A part in brackets."""
        return f"{left}{text}{right}"

    def fraction(self, above: Written, below: Written) -> Written:
        """A quotient."""
        return Written(self.row(self.held(above, PRODUCT), self.sign(" / "), self.held(below, ATOM)), PRODUCT)

    def root(self, inner: Written) -> Written:
        """A square root."""
        return Written(self.row(self.sign("√"), self.held(inner, ATOM)), ATOM)

    def cases(self, condition: Written, a: Written, b: Written) -> Written:
        """One of two."""
        return Written(f"{a.text} where {condition.text}, else {b.text}", 0)

    def held(self, part: Written, level: int) -> str:
        """A part, in brackets where it holds together less tightly than needed."""
        return part.text if part.level >= level else self.bracketed(part.text)

    def _written(self, node: Node) -> Written:
        match node.op:
            case "parameter":
                return Written(self.letter(node.value if isinstance(node.value, Letter) else Letter(node.value)), ATOM)
            case "constant":
                below = isinstance(node.value, float | int) and math.copysign(1, node.value) < 0 and node.value != 0
                return Written(self.number(number(node.value, self.digits)), 0 if below else ATOM)
            case "add" | "sub":
                return self._sum(node)
            case "neg":
                return Written(self.row(self.sign("-"), self.held(self._written(node.args[0]), PRODUCT)), SUM)
            case "mul":
                a, b = node.args
                if b.op == "reciprocal":
                    return self.fraction(self._written(a), self._written(b.args[0]))
                factors = self.held(self._written(a), PRODUCT), self.held(self._written(b), ATOM)
                return Written(self.row(factors[0], self.sign(" · "), factors[1]), PRODUCT)
            case "truediv":
                return self.fraction(*map(self._written, node.args))
            case "reciprocal":
                return self.fraction(Written(self.number("1"), ATOM), self._written(node.args[0]))
            case "sqrt":
                return self.root(self._written(node.args[0]))
            case "abs":
                return Written(self.bracketed(self.write(node.args[0]), "|", "|"), ATOM)
            case "where":
                return self.cases(*map(self._written, node.args))
        if node.op in BINARY:
            sign = _SIGNS[node.op] if node.op in COMPARISONS else BINARY[node.op]
            left, right = (self.held(self._written(a), SUM) for a in node.args)
            return Written(self.row(left, self.sign(f" {sign} "), right), 0)
        return self._call(node)

    def _call(self, node: Node) -> Written:
        word = {"maximum": "max", "minimum": "min"}.get(node.op, node.op)
        args = node.args
        while word in ("max", "min") and args[0].op == node.op:  # of three and more it is the largest of all
            args = (*args[0].args, *args[1:])
        inside = [part for a in args for part in (self.sign(", "), self.write(a))][1:]
        return Written(self.row(self.letter(Letter(word)), self.bracketed(self.row(*inside))), ATOM)

    def _sum(self, node: Node) -> Written:
        terms: list[tuple[str, Node]] = []
        while node.op in ("add", "sub"):
            terms.append((" + " if node.op == "add" else " - ", node.args[1]))
            node = node.args[0]
        terms = [("", node), *reversed(terms)]
        parts = []
        for i, (sign, term) in enumerate(terms):
            if len(terms) > MOST_TERMS and 4 <= i < len(terms) - 1:
                parts += [self.sign(" + "), self.sign("…")] if i == 4 else []
                continue
            written = self._written(term)
            first = i == 0 and term.op in ("constant", "neg")  # -3 + x needs no brackets
            parts += [self.sign(sign)] * bool(sign) + [written.text if first else self.held(written, PRODUCT)]
        return Written(self.row(*parts), SUM)


class MathML(Style):
    """Elements of MathML, which browsers draw as formulas."""

    def letter(self, letter: Letter) -> Markup:
        """An identifier, its place below."""
        base = element("mi", symbol(letter.name))
        if not letter.place:
            return base
        deep = element("mspace", depth=".25em")  # or an x would have its place higher than a y
        return element("msub", element("mrow", base, deep), element("mn", letter.subscript))

    def number(self, text: str) -> Markup:
        """A number."""
        return element("mn", text)

    def row(self, *parts: str) -> Markup:
        """A row."""
        return element("mrow", *parts)

    def sign(self, text: str) -> Markup:
        """An operator."""
        return element("mo", text.strip().replace("-", "−"))

    def bracketed(self, text: str, left: str = "(", right: str = ")") -> Markup:
        """As high as a fraction in them; where there is none, as a letter."""
        high = None if "<mfrac" in text else "false"
        return element("mrow", *(p if p is text else element("mo", p, stretchy=high) for p in (left, text, right)))

    def fraction(self, above: Written, below: Written) -> Written:
        """One above the other."""
        return Written(element("mfrac", _whole(above), _whole(below)), ATOM)

    def root(self, inner: Written) -> Written:
        """Under a root."""
        return Written(element("msqrt", inner.text), ATOM)

    def cases(self, condition: Written, a: Written, b: Written) -> Written:
        """Two rows behind a brace."""
        rows = [(a.text, element("mtext", "where "), condition.text), (b.text, element("mtext", "else"), "")]
        cells = [element("mtr", element("mtd", first), element("mtd", joined(*rest))) for first, *rest in rows]
        return Written(element("mrow", element("mo", "{"), element("mtable", *cells)), 0)


def _whole(part: Written) -> Markup:
    return element("mrow", part.text)
