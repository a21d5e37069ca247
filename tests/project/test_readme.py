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
        exec(block.code, scope)
        assert block.printed and capsys.readouterr().out == block.printed
    assert (tmp_path / "digits.safetensors").is_file()


def test_it_is_short() -> None:
    assert len(pages.read("README.md").splitlines()) <= 150


def test_it_leads_to_every_page() -> None:
    linked = {target.partition("#")[0] for target in pages.links(pages.read("README.md"))}
    assert linked >= {f"docs/{page.name}" for page in (pages.ROOT / "docs").glob("*.md")}
