"""The parts of the README pages that scripts write, each between two comments."""

from __future__ import annotations

import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "README.zh-CN.md")


def with_part(text: str, name: str, content: str) -> str:
    """A page with one part replaced.

    Args:
        text: the page.
        name: the part's name, as in ``<!-- name -->`` and ``<!-- end of name -->``.
        content: what stands between these two.

    Raises:
        SystemExit: the page has no such part.
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"{name}: expected the lines {begin} and {end}, received none")
    return pattern.sub(lambda _: f"{begin}\n{content}\n{end}", text)


def update(name: str, content: str, check: bool = False) -> list[str]:
    """Replace a part of every page.

    Args:
        name: the part's name.
        content: what it holds.
        check: whether to write nothing.

    Returns:
        The pages that held something else.
    """
    stale = []
    for page in (ROOT / each for each in PAGES):
        text = page.read_text(encoding="utf-8")
        wanted = with_part(text, name, content)
        if wanted != text:
            stale.append(page.name)
            if not check:
                write(page, wanted)
    return stale


def write(path: Path, text: str) -> None:
    """Write a file under a temporary name, then rename it."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
