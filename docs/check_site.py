"""Checks a built site: every internal link has its target, and no page loads anything from elsewhere.

``python docs/check_site.py site``. Links to other sites are read, and their syntax is checked; nothing is fetched.
"""

import re
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADS = {"script": "src", "img": "src", "source": "src", "iframe": "src", "video": "src", "audio": "src", "use": "href"}
LOADING_LINKS = ("stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "modulepreload", "manifest")
IN_CSS = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")
HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?")


@dataclass
class Page:
    """What a page says of itself: its anchors, where its links lead, and what it loads."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self.inside: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.inside = tag
        self.page.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.page.links.append(given["href"])
        if tag == "link" and any(relation in given.get("rel", "").split() for relation in LOADING_LINKS):
            self.page.loads.append(given["href"])
        if tag in LOADS and LOADS[tag] in given:
            self.page.loads.append(given[LOADS[tag]])
        self.page.loads += _in_css(given.get("style", ""))

    def handle_data(self, data: str) -> None:
        if self.inside == "style":
            self.page.loads += _in_css(data)

    def handle_endtag(self, tag: str) -> None:
        self.inside = None


def faults(site: Path) -> list[str]:
    """What is wrong with a site, one line each."""
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    found = [] if pages else [f"{site}: no pages"]
    for path, page in pages.items():
        told = [_link_fault(link, path, pages) for link in page.links] + [_load_fault(one, path) for one in page.loads]
        found += [f"{path.relative_to(site)}: {fault}" for fault in told if fault]
    for path in sorted(site.rglob("*.css")):
        told = [_load_fault(one, path) for one in _in_css(path.read_text(encoding="utf-8"))]
        found += [f"{path.relative_to(site)}: {fault}" for fault in told if fault]
    return found


def _link_fault(link: str, path: Path, pages: dict[Path, Page]) -> str | None:
    parts = urlsplit(link)
    if parts.scheme in ("mailto", "data"):
        return None
    if parts.scheme or parts.netloc:
        right = parts.scheme in ("http", "https") and HOST.fullmatch(parts.netloc.lower())
        return None if right else f"no such address: {link}"
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return f"no such page: {link}"
    known = {one.resolve(): page for one, page in pages.items()}.get(target)
    if parts.fragment and known and unquote(parts.fragment) not in known.anchors:
        return f"no such anchor: {link}"
    return None


def _load_fault(address: str, path: Path) -> str | None:
    parts = urlsplit(address)
    if parts.scheme == "data" or (not parts.path and not parts.netloc):
        return None
    if parts.scheme or parts.netloc:
        return f"loaded from elsewhere: {address}"
    return None if (path.parent / unquote(parts.path)).is_file() else f"not there: {address}"


def _in_css(text: str) -> list[str]:
    return [one or other for one, other in IN_CSS.findall(text)]


def _read(path: Path) -> Page:
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader.page


if __name__ == "__main__":
    told = faults(Path(sys.argv[1]))
    print("\n".join(told) or "all links inside the site have their targets; nothing is loaded from elsewhere")
    sys.exit(1 if told else 0)
