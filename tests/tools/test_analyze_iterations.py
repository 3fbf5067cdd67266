"""The command from an evaluation's folder to the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from iterbackbone.__main__ import tool_path
from tests.support.logs import correlated, write_images, write_log
from tests.support.processes import Program


def run(*args, cwd):
    """(Exit code, stdout, stderr)."""
    return Program(tool_path('iterbackbone', 'analyze_iterations'), *args, cwd=cwd).wait(timeout=300)


def test_one_command_from_the_log_to_the_report(tmp_path):
    records = [*correlated(40), '{"img_id": "cut off', '\n']
    write_log(tmp_path / 'log', records)
    write_images(tmp_path / 'images_are_here', records[:40])
    args = ('log', '--out', 'out', '--image-root', 'images_are_here')
    code, stdout, stderr = run(*args, cwd=tmp_path)
    assert code == 0, stderr
    assert 'problem: log/records.jsonl:41: not JSON (a truncated line?)' in stderr
    assert 'tiny log: 40 images' in stdout
    assert 'Images with more objects tend to take more iterations' in stdout
    assert stdout.endswith('out/report.html\n')
    summary = json.loads((tmp_path / 'out/summary.json').read_text())[0]
    assert summary['num_images'] == 40
    assert len((tmp_path / 'out/records.csv').read_text().splitlines()) == 41
    for name in ('figure6', 'figure4', 'stages', 'easiest', 'hardest'):
        picture = Image.open(tmp_path / f'out/{name}.png').convert('RGB')
        assert len(picture.getcolors(2**24)) > 10, name
    text = (tmp_path / 'out/report.html').read_text()
    assert '2 problems' in text  # the line, and that an image is missing
    assert 'pictures of 40 of 40 images' in text


def test_the_same_log_gives_the_same_numbers(tmp_path):
    write_log(tmp_path / 'log', correlated(30))
    for out in ('a', 'b'):
        assert run('log', '--out', out, cwd=tmp_path)[0] == 0
    for name in ('summary.json', 'summary.md', 'records.csv', 'report.html'):
        assert (tmp_path / 'a' / name).read_bytes() == (tmp_path / 'b' / name).read_bytes(), name


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (['nowhere', '--out', 'out'], 'nowhere is no complete evaluation: it has no meta.json'),
        (['log', '--out', 'out', '--names', 'a', 'b'], 'names must be 1, one a folder, got 2'),
        (['log', '--out', 'out', '--score-thr', '2'], '--score-thr: must be 0 to 1, got 2'),
        (['log'], 'the following arguments are required: --out'),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, args, message):
    write_log(tmp_path / 'log', correlated(3))
    code, _, stderr = run(*args, cwd=tmp_path)
    assert code == 2
    assert message in stderr
    assert 'Traceback' not in stderr
    assert not Path(tmp_path, 'out').exists()
