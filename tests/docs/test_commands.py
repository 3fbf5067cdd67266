"""Every command in README and docs: taken by its own parser, and run by a test or marked."""

from __future__ import annotations

import pytest

from .blocks import BLOCKS, PAGES, ROOT, SHELL, blocks_of
from .command_checks import MARKER, check_command
from .dry_run import commands_of

LANGUAGES = (*SHELL, 'python', 'text', 'json')
EXECUTED = 'docs/tutorial.md'  # by test_tutorial.py


def check_page(path, folder, text=None):
    """Raise where a command of the page is refused, or neither run by a test nor marked."""
    shell = [block for block in blocks_of(path, text) if block.language in SHELL]
    for block, words in commands_of(shell, folder):
        tested = check_command(words) or block.page == EXECUTED
        assert tested or MARKER.search(block.text), (
            f'{block}: no test runs {words}, and no marker says why'
        )
    return shell


@pytest.mark.parametrize('path', PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_are_accepted(path, tmp_path):
    check_page(path, tmp_path)


@pytest.mark.parametrize('block', BLOCKS, ids=str)
def test_a_block_says_its_language(block):
    assert block.language in LANGUAGES


@pytest.mark.parametrize(
    ('command', 'message'),
    [
        ('make quickstrat', 'No rule to make target'),
        ('pip install --no-isolation .', 'no such option'),
        ("pip install -e '.[reports]'", 'reports'),
        ('python -m iterbackbone config faster-rcnn_r34', 'config must be one that'),
        ('python -m iterbackbone chekc', 'invalid choice'),
        ('python tools/count_mac.py CONFIG', 'no such script'),
        ('python tools/count_macs.py CONFIG --size 600 800', 'unrecognized arguments'),
        ('python tools/count_macs.py configs/none.py --input 600 800', 'no such config'),
        (
            'python $(python -m iterbackbone tool mmdet train) CONFIG --scale-lr',
            'unrecognized arguments',
        ),
        ('python $(python -m iterbackbone tool mmdet train) CONFIG', 'no test runs'),
        ('# needs data\npython $(python -m iterbackbone tool mmdet train) CONFIG', None),
        ('apt-get install make', 'no test runs'),
        ('torchrun --nnodes=2 tools/none.py', 'no such script'),
        ('torchrun --nprocs=2 tools/none.py', 'unrecognized arguments'),
        ('python $undefined', 'unbound variable'),
        ('wget http://example.org', 'command not found'),
    ],
)
def test_what_is_wrong_is_found(command, message, tmp_path, capsys):
    page, text = ROOT / 'docs/new.md', f'```shell\n{command}\n```\n'
    if message is None:
        assert check_page(page, tmp_path, text)
        return
    with pytest.raises((AssertionError, SystemExit)) as error:
        check_page(page, tmp_path, text)
    assert message in f'{error.value}{capsys.readouterr().err}'


@pytest.mark.parametrize(
    ('key', 'message'),
    [
        ('model.backbone.budget.max_iterations=4', None),
        ('sync_bn=torch', None),
        ('train_dataloader.dataset.indices=3', None),
        ('model.backbone.bugdet.max_iterations=4', "nothing takes 'bugdet'"),
        ('snyc_bn=torch', "nothing takes 'snyc_bn'"),
        ('train_dataloader.dataset.indexes=3', "nothing takes 'indexes'"),
        ('optim_wraper.optimizer.lr=1', "nothing takes 'optim_wraper'"),
    ],
)
def test_a_misspelt_override_is_found(key, message):
    name = 'configs/detection/faster-rcnn_iterative-r50_fpn_1x_voc2007.py'
    words = ['python', 'tools/count_macs.py', name, '--cfg-options', key]
    if message is None:
        assert check_command(words)
        return
    with pytest.raises(AssertionError, match=message):
        check_command(words)
