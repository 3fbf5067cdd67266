"""Pages stay short and plain: words a guide, words of all guides, words a sentence."""

from __future__ import annotations

import re
from statistics import mean

import pytest
import yaml

from .blocks import FENCE, PAGES, ROOT

NAV = yaml.safe_load((ROOT / 'mkdocs.yml').read_text())['nav']
PROSE = [path for path in PAGES if path.parent != ROOT / 'docs/api']  # these are made from the code
GENERATED = re.compile(r'<!-- \w+ -->.*?<!-- end -->', re.DOTALL)
UNIT = re.compile(r'\n\s*\n|\n\s*(?:[-*]|\d+\.) |\n#+ .*|\n?\|| \| ')
END = re.compile(r'(?<=[.!?])[*")]*\s+(?=\W*\w)')
IMAGE, LINK = re.compile(r'!\[[^\]]*\]\([^)]*\)'), re.compile(r'\[([^\]]*)\]\([^)]*\)')
INTERVAL = re.compile(r'\[[-+][^\]]*\]')


def guides() -> list:
    """README and the pages that the navigation lists before the reference."""
    (pages,) = [group['Guides'] for group in NAV if 'Guides' in group]
    names = [name for page in pages for name in page.values()]
    return [ROOT / 'README.md', *(ROOT / 'docs' / name for name in names)]


def sentences(text: str) -> list[list[str]]:
    """The words of each sentence outside code blocks; inline code is one word, an interval none."""
    text = IMAGE.sub('', FENCE.sub('\n\n', '\n' + text))
    text = INTERVAL.sub('', re.sub(r'`[^`]*`', 'code', LINK.sub(r'\1', text)))
    found = [each.split() for unit in UNIT.split(text) for each in END.split(unit)]
    return [[word for word in words if re.search(r'\w', word)] for words in found]


@pytest.mark.parametrize('path', guides(), ids=lambda path: path.name)
def test_a_guide_is_short(path):
    most = 700 if path.name == 'README.md' else 900
    assert len(path.read_text().split()) <= most


def test_all_guides_can_be_read_in_an_hour():
    assert sum(len(path.read_text().split()) for path in guides()) <= 9000


@pytest.mark.parametrize('path', PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_sentences_are_short(path):
    text = GENERATED.sub('', path.read_text())
    assert [' '.join(words) for words in sentences(text) if len(words) > 25] == []
    running = sentences(re.sub(r'^\|.*$', '', text, flags=re.MULTILINE))
    assert mean(len(words) for words in running if len(words) > 3) <= 16


@pytest.mark.parametrize('path', sorted(ROOT.glob('docs/evidence/*.md')), ids=lambda path: path.name)
def test_evidence_begins_with_its_conclusions(path):
    _, first, *_ = path.read_text().split('\n\n')
    assert first.startswith('- ')
    assert len(first.splitlines()) <= 10
