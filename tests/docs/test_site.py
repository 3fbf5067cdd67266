"""The site builds without a warning and without a network, and what is broken stops the build."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .blocks import ROOT

REMOTE = re.compile(
    r'<(?:script|img|source|iframe|link (?!rel="canonical"))[^>]*(?:src|href)="(https?:)?//'
)
SOURCES = ('docs', 'examples', 'iterbackbone', 'requirements')
SOURCES += ('mkdocs.yml', 'README.md', 'CHANGELOG.md', 'CONTRIBUTING.md')


def build(root, site):
    """MkDocs' strict build, its standard error."""
    # No proxy listens there: whatever asks the network fails.
    env = {
        **os.environ,
        'NO_MKDOCS_2_WARNING': '1',
        'https_proxy': 'http://127.0.0.1:9',
        'http_proxy': '',
    }
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--site-dir', site]
    done = subprocess.run([*map(str, command)], cwd=root, env=env, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp('site')
    code, output = build(ROOT, folder)
    assert code == 0, output
    assert 'WARNING' not in output
    return folder


def test_the_pages_need_no_network(site):
    pages = list(site.rglob('*.html'))
    assert len(pages) > 20
    assert [page.name for page in pages if REMOTE.search(page.read_text())] == []


def test_the_home_page_is_the_readme(site):
    text = (site / 'index.html').read_text()
    assert 'Two commands' in text
    assert 'href="tutorial.html"' in text
    assert 'src="evidence/imagenette.png"' in text


def test_links_out_of_docs_bring_the_file_along(site):
    text = (site / 'environment.html').read_text()
    assert 'href="repository/requirements/constraints.txt"' in text
    copy = site / 'repository/requirements/constraints.txt'
    assert copy.read_text() == (ROOT / 'requirements/constraints.txt').read_text()


def test_docstrings_are_rendered(site):
    text = (site / 'api/model.html').read_text()
    assert 'id="iterbackbone.core.IterativeResNet.set_budget"' in text
    assert 'Channels of the input image.' in text
    roles = [
        page.name
        for page in site.glob('api/*.html')
        if re.search(':(class|meth|mod|func):', page.read_text())
    ]
    assert roles == []
    assert 'href="#iterbackbone.core.halting.HaltingUnit"' in text  # a role that became a link


UNDOCUMENTED = '''
def undocumented(x):
    """F.

    Args:
        y: Not an argument.
    """
'''
BROKEN = [
    ('docs/faults.md', '[gone](gone.md)', "'gone.md'"),
    ('docs/faults.md', '[gone](evidence/decisions.md#gone)', "'evidence/decisions.md#gone'"),
    ('docs/faults.md', '[gone](../configs/gone.py)', "'../configs/gone.py'"),
    ('docs/faults.md', '![gone](evidence/report/gone.png)', "'evidence/report/gone.png'"),
    ('README.md', '[gone](docs/gone2.md)', "'docs/gone2.md'"),
    ('docs/new.md', '# Not in the navigation', 'new.md'),
    ('docs/api/model.md', '::: iterbackbone.core.trace.undocumented', ''),
    (
        'iterbackbone/core/trace.py',
        UNDOCUMENTED,
        "Parameter 'y' does not appear in the function signature",
    ),
]


def test_each_fault_is_a_warning_and_stops_the_build(tmp_path):
    copy = copied(tmp_path / 'copy')
    for name, added, _ in BROKEN:
        with open(copy / name, 'a') as file:
            file.write(f'\n\n{added}\n')
    code, output = build(copy, tmp_path / 'site')
    warnings = [line for line in output.splitlines() if line.startswith('WARNING') or '.md' in line]
    assert [message for *_, message in BROKEN if not any(message in line for line in warnings)] == []
    assert code != 0
    assert re.search(r'Aborted with (\d+) warnings in strict mode', output)


def test_one_broken_link_is_enough(tmp_path):
    copy = copied(tmp_path / 'copy')
    with open(copy / 'docs/faults.md', 'a') as file:
        file.write('\n\n[gone](gone.md)\n')
    code, output = build(copy, tmp_path / 'site')
    assert code != 0
    assert 'Aborted with 1 warnings in strict mode' in output


def test_a_name_that_is_gone_stops_the_build(tmp_path):
    copy = copied(tmp_path / 'copy')
    with open(copy / 'docs/api/model.md', 'a') as file:
        file.write('\n\n::: iterbackbone.core.Gone\n')
    code, output = build(copy, tmp_path / 'site')
    assert code != 0
    assert 'iterbackbone.core.Gone' in output


def copied(folder: Path) -> Path:
    """What the site is made of."""
    for name in SOURCES:
        source, ignore = ROOT / name, shutil.ignore_patterns('*.gz', '__pycache__')
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignore)
        else:
            shutil.copy(source, folder / name)
    return folder
