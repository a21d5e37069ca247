"""The pages of the project as tests read them: their blocks, links, commands and headings."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
executed: set[str] = set()
"""The Python of pages that this process has run as it stands there."""


def pages() -> list[Path]:
    """Every page that a reader is led to."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "README.md"]


@dataclass(frozen=True)
class Block:
    """One fenced block, and the text block that follows it with nothing but blank lines between: what it prints."""

    language: str
    code: str
    printed: str


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[Block]:
    """The blocks of one language, in order."""
    return _blocks(ROOT / page, language)


def _blocks(page: Path, language: str) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    fences = re.findall(r"^```(\w*)\n(.*?)^```$(?:\n+^```text\n(.*?)^```$)?", text, re.DOTALL | re.MULTILINE)
    return [Block(*fence) for fence in fences if fence[0] == language]


def run(code: str, scope: dict[str, Any]) -> None:
    """Runs a block."""
    exec(code, scope)
    executed.add(code)


def account() -> str:
    """How many blocks of Python were run as they stand, and where the others are."""
    every = [(str(page.relative_to(ROOT)), block.code) for page in pages() for block in _blocks(page, "python")]
    left = Counter(page for page, code in every if code not in executed)
    others = ", ".join(f"{count} of {page}" for page, count in left.items()) or "none"
    return (
        f"{len(every) - left.total()} of {len(every)} Python blocks of the pages were run as they stand; not: {others}"
    )


def commands(page: str) -> list[str]:
    """What its shell blocks call nnxp with: the lines that begin with it, and those that call it in an environment."""
    lines = "\n".join(block.code for block in blocks(page, "sh"))
    return re.findall(r"^(?:.*&& \S*/)?nnxp (.*)$", lines, re.MULTILINE)


def links(text: str) -> list[str]:
    """The targets of its links and pictures that are files of the project, or places on its own page."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", prose) if not re.match(r"\w+:", target)]


def anchors(text: str) -> set[str]:
    """The names that GitHub gives to a page's headings."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
