"""What the running text names in code is there: files, tools with their options, make's targets."""

from __future__ import annotations

import re

import pytest
from mmengine.config import Config

from iterbackbone.__main__ import config_path

from .blocks import FENCE, PAGES, ROOT
from .command_checks import check_make, check_python
from .config_keys import check_keys

TUTORIAL = 'faster-rcnn_iterative-r50-tiny_fpn_shapes'
SPAN = re.compile(r'`([^`\n]+)`')
FOLDERS = r'(?:benchmarks|configs|docs|examples|experiments|iterbackbone|requirements|tests|tools)'
FILE = re.compile(rf'^(?:python )?({FOLDERS}/[\w./-]+\.\w+)\b')
PLACE = re.compile(rf'((?:`\w+`(?:,| and)? )+)(?:in|of) `({FOLDERS}/[\w./-]+\.py)`')
CONFIG = re.compile(r'^python -m iterbackbone config ([a-z]\S+)$')


def mentions(path, text=None):
    """The inline code of a page, outside its blocks."""
    return SPAN.findall(FENCE.sub('', path.read_text() if text is None else text))


def check_mention(span):
    """Raise where what a span names is not there."""
    if match := FILE.match(span):
        file = ROOT / match[1]
        assert file.is_file(), f'{match[1]} does not exist'
        for option in re.findall(r'(?<=\s)--[\w-]+', span):
            assert f"'{option}'" in file.read_text(), f'{match[1]} has no option {option}'
    elif span.startswith('bench_'):  # a command of docs/evidence/performance/README.md
        script, *args = span.split()
        check_python([f'benchmarks/{script}', *args])
    elif span.startswith('--cfg-options '):  # of the tutorial's detector
        keys = [option.partition('=')[0] for option in span.split()[1:]]
        check_keys(Config.fromfile(config_path(TUTORIAL)), dict.fromkeys(keys))
    elif span.startswith('make '):
        check_make(span.split()[1:])
    elif match := CONFIG.match(span):
        config_path(match[1])


@pytest.mark.parametrize('path', PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_mentioned_is_there(path):
    for span in mentions(path):
        check_mention(span)


def check_places(text):
    """Raise where a file lacks a name that the text says is in it."""
    for names, file in PLACE.findall(text):
        for name in re.findall(r'`(\w+)`', names):
            assert re.search(rf'\b{name}\b', (ROOT / file).read_text()), f'{file} has no {name}'


@pytest.mark.parametrize('path', PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_are_in_the_files_that_are_said_to_hold_them(path):
    check_places(path.read_text())


def test_a_name_that_a_file_lacks_is_found():
    text = '`INPUTS` and `{}` in `iterbackbone/core/halting.py`'
    check_places(text.format('HaltingUnit'))
    with pytest.raises(AssertionError, match='has no none_such'):
        check_places(text.format('none_such'))


def test_pages_mention_something():
    spans = [span for path in PAGES for span in mentions(path)]
    assert sum(bool(FILE.match(span)) for span in spans) > 10
    assert sum(span.startswith('make ') for span in spans) > 5


@pytest.mark.parametrize(
    'text',
    [
        'see `tools/none.py` for it',
        '`tools/count_macs.py CONFIG --size 512 512`',
        '`bench_backbone.py --round 3 --sizes 9`',
        '`--cfg-options train_dataloader.dataset.pipeline.1.scale=(640,480)`',
        '`make quickstrat`',
        '`python -m iterbackbone config none`',
    ],
)
def test_what_is_not_there_is_found(text):
    (span,) = mentions(PAGES[0], text)
    with pytest.raises((AssertionError, ValueError)):
        check_mention(span)
