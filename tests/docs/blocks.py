"""The fenced blocks of the documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted(ROOT.glob('docs/**/*.md'))]
FENCE = re.compile(r'^(?P<indent> *)```(?P<info>.*)\n(?P<text>(?:.*\n)*?)(?P=indent)```$', re.MULTILINE)
SHELL = ('shell', 'bash', 'sh', 'console')


class Block(NamedTuple):
    """One fenced block.

    Attributes:
        page: Of the repository, such as 'docs/tutorial.md'.
        line: Of the opening fence.
        language: First word behind the fence.
        title: The file it is to be written to, where the page says so.
        text: Between the fences.
    """

    page: str
    line: int
    language: str
    title: str
    text: str

    def __str__(self) -> str:
        return f'{self.page}:{self.line}'


def blocks_of(path: Path, text: str | None = None) -> list[Block]:
    """All blocks of a page, in order."""
    text = path.read_text() if text is None else text
    found = []
    for match in FENCE.finditer(text):
        language, _, rest = match['info'].strip().partition(' ')
        title = re.search(r'title="(.*?)"', rest)
        line = text.count('\n', 0, match.start()) + 1
        page = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name
        found.append(Block(page, line, language, title[1] if title else '', match['text']))
    return found


BLOCKS = [block for path in PAGES for block in blocks_of(path)]
