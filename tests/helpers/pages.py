"""The pages of the project as tests read them: their blocks, links, commands and headings."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


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
    fences = re.findall(r"^```(\w*)\n(.*?)^```$(?:\n+^```text\n(.*?)^```$)?", read(page), re.DOTALL | re.MULTILINE)
    return [Block(*fence) for fence in fences if fence[0] == language]


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
