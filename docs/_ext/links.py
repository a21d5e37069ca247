"""Looks up the links of the built site: `python docs/_ext/links.py docs/_build/html`.

A link within the site has to lead to a file that is there, and to a place in it. Nothing that a page is made of,
scripts, styles, pictures, may come from elsewhere. Links that lead out are listed, not followed.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

SHOWN = ("script", "img", "link", "iframe", "source", "video", "audio", "object", "embed")
"""Elements whose address the browser fetches with the page."""


class Page(HTMLParser):
    """The places of a page, and where it leads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[tuple[str, str]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Notes an element."""
        for name, value in attributes:
            if value and name in ("id", "name"):
                self.places.add(value)
            elif value is not None and name in ("href", "src", "data"):
                self.links.append((tag, value))


def looked_up(site: Path) -> tuple[list[str], set[str], int]:
    """What is wrong, where the site leads out to, and how many links lead within it."""
    pages = {path.resolve(): Page(path) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts}
    wrong, outer, inner = [], set[str](), 0
    for path, page in pages.items():
        for tag, link in page.links:
            at = urlsplit(link)
            if at.scheme or at.netloc:
                if tag in SHOWN and at.scheme != "data":
                    wrong.append(f"{path.relative_to(site.resolve())}: <{tag}> comes from elsewhere: {link}")
                elif at.scheme in ("http", "https"):
                    outer.add(link)
                continue
            inner += 1
            target = (path.parent / unquote(at.path)).resolve() if at.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                wrong.append(f"{path.relative_to(site.resolve())}: there is no {link}")
            elif at.fragment and target in pages and unquote(at.fragment) not in pages[target].places:
                wrong.append(f"{path.relative_to(site.resolve())}: there is no such place: {link}")
    return wrong, outer, inner


def main(folder: str) -> int:
    """Prints what was found; 1 where something is wrong."""
    wrong, outer, inner = looked_up(site := Path(folder))
    if not inner:
        wrong.append(f"{folder}: there are no pages")
    listed = site.parent / "outer-links.txt"
    listed.write_text("".join(f"{link}\n" for link in sorted(outer)), encoding="utf-8")
    print(f"{inner:,} links within the site, {len(wrong)} of them wrong; {len(outer)} lead out, listed in {listed}")
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
