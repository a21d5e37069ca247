"""A formula as LaTeX: another way to write what `nnxp.teaching.notation` walks over, the graph of an expression."""

import math
from collections.abc import Iterator, Mapping

from nnxp.kernels import formulas
from nnxp.kernels.graph import Node
from nnxp.teaching.notation import ATOM, PRODUCT, SUM, Letter, Style, Written, number, symbol

COMMANDS = {
    "α": r"\alpha ", "β": r"\beta ", "δ": r"\delta ", "ε": r"\varepsilon ", "ρ": r"\rho ", "λ": r"\lambda ",
    "ℓ": r"\ell ", "₁": "_{1}", "₂": "_{2}", "′": "'",
}  # fmt: skip
FUNCTIONS = {"maximum": r"\max", "minimum": r"\min", "log": r"\log", "sin": r"\sin", "cos": r"\cos", "tanh": r"\tanh"}
SIGNS = {"≤": r"\le", "≥": r"\ge", "≠": r"\ne", "·": "", "…": r"\ldots", "&": r"\wedge", "|": r"\vee", "^": r"\oplus",
         "<<": r"\ll", ">>": r"\gg"}  # fmt: skip
KNOWN = {math.sqrt(0.5): r"\frac{1}{\sqrt{2}}", 1 / math.sqrt(2 * math.pi): r"\frac{1}{\sqrt{2\pi}}",
         formulas.GELU_SCALE: r"\sqrt{\frac{2}{\pi}}", 2 * math.pi: r"2\pi"}  # fmt: skip
"""Numbers that formulas compute from others."""


class TeX(Style):
    """A formula as LaTeX; `names` are parameters that are written otherwise than they are called."""

    def __init__(self, names: Mapping[str, Written] | None = None) -> None:
        super().__init__(digits=12)
        self.names = names or {}

    def letter(self, letter: Letter) -> str:
        r"""A name: x_{12}, \beta_{1}, \mathrm{d}y."""
        name = symbol(letter.name)
        if name[:1] == "d" and len(name) == 2:
            made = rf"\mathrm{{d}}{name[1]}"
        elif name.isascii() and len(name) > 1:
            made = "_".join(rf"{{\mathrm{{{part}}}}}" for part in name.split("_", 1))
        else:
            made = "".join(COMMANDS.get(c, c) for c in name)
        return made + f"_{{{letter.subscript}}}" * bool(letter.place)

    def sign(self, text: str) -> str:
        """An operator; a product is written without one."""
        return f" {SIGNS.get(text.strip(), text.strip())} "

    def bracketed(self, text: str, left: str = "(", right: str = ")") -> str:
        """As high as a fraction or cases in them; where there are none, as a letter."""
        high = left == "|" or "\\frac" in text or "\\begin" in text
        return rf"\left{left} {text} \right{right}" if high else f"{left}{text}{right}"

    def fraction(self, above: Written, below: Written) -> Written:
        """One above the other."""
        return Written(rf"\frac{{{above.text}}}{{{below.text}}}", PRODUCT)

    def root(self, inner: Written) -> Written:
        """Under a root."""
        return Written(rf"\sqrt{{{inner.text}}}", ATOM)

    def cases(self, condition: Written, a: Written, b: Written) -> Written:
        """Two rows behind a brace."""
        rows = rf"{a.text} & \text{{where }} {condition.text} \\ {b.text} & \text{{else}}"
        return Written(rf"\begin{{cases}} {rows} \end{{cases}}", 0)

    def _written(self, node: Node) -> Written:
        match node.op:
            case "parameter" if node.value in self.names:
                return self.names[node.value]
            case "constant" if node.value in KNOWN:
                return Written(KNOWN[node.value], ATOM)
            case "constant" if "e" in (text := number(node.value, self.digits)):
                digits, power = text.split("e")
                return Written(rf"{digits} \cdot 10^{{{int(power)}}}", PRODUCT)
            case "mul":
                return self._product(node)
            case "exp":
                return Written(f"e^{{{self.write(node.args[0])}}}", PRODUCT)
            case "expm1":
                return Written(f"e^{{{self.write(node.args[0])}}} - 1", SUM)
            case "log1p":
                sign, inside = ("-", node.args[0].args[0]) if node.args[0].op == "neg" else ("+", node.args[0])
                return Written(r"\log" + self.bracketed(f"1 {sign} {self.held(self._written(inside), PRODUCT)}"), ATOM)
        return super()._written(node)

    def _product(self, node: Node) -> Written:
        """Factors side by side, equal ones as a power, divisors below."""
        above, below = dict[Node, int](), dict[Node, int]()
        for factor in _factors(node):
            place, factor = (below, factor.args[0]) if factor.op == "reciprocal" else (above, factor)
            place[factor] = place.get(factor, 0) + 1
        product = self._powers(above)
        return self.fraction(product, self._powers(below)) if below else product

    def _powers(self, counts: Mapping[Node, int]) -> Written:
        if len(counts) == 1 and 1 in counts.values():
            return self._written(next(iter(counts)))
        made = []
        for factor, count in counts.items():
            written, number_first = self._written(factor), factor.op == "constant" and not made
            text = written.text if number_first else self.held(written, ATOM if count > 1 else PRODUCT)
            dot = r"\cdot " if factor.op == "constant" and made else ""  # x 2 is no product to read
            made.append(dot + text + f"^{{{count}}}" * (count > 1))
        return Written(r" \, ".join(made) or "1", SUM if made and made[0].startswith("-") else PRODUCT)

    def _call(self, node: Node) -> Written:
        word = FUNCTIONS.get(node.op, rf"\operatorname{{{node.op}}}")
        args = list(node.args)
        while node.op in ("maximum", "minimum") and args[0].op == node.op:
            args = [*args[0].args, *args[1:]]
        return Written(word + self.bracketed(", ".join(map(self.write, args))), ATOM)


def _factors(node: Node) -> Iterator[Node]:
    """Those of a product, in order."""
    if node.op == "mul":
        for argument in node.args:
            yield from _factors(argument)
    else:
        yield node
