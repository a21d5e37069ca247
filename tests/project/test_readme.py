"""The README does what it says: its Python runs and prints what stands below it, and it stays short."""

from pathlib import Path

import pytest

from tests.helpers import pages


def test_its_python_prints_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    shown = pages.blocks("README.md", "python")
    assert len(shown) == 3
    for block in shown:
        pages.run(block.code, scope)
        assert block.printed and capsys.readouterr().out == block.printed
    assert (tmp_path / "digits.safetensors").is_file()


def test_it_is_short() -> None:
    assert len(pages.read("README.md").splitlines()) <= 150


def test_it_leads_to_every_page() -> None:
    found, waiting = set[Path](), [pages.ROOT / "README.md"]
    while waiting:
        if (page := waiting.pop()) not in found:
            found.add(page)
            targets = (target.partition("#")[0] for target in pages.links(page.read_text(encoding="utf-8")))
            waiting += [(page.parent / target).resolve() for target in targets if target.endswith(".md")]
    assert found >= {*(pages.ROOT / "docs").glob("*.md")}
