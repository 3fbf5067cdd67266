"""Whether a command of the documentation would be accepted: by its own parser, not by ours."""

from __future__ import annotations

import contextlib
import io
import itertools
import re
import runpy
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path
from unittest import mock

from mmengine.config import Config

from iterbackbone.__main__ import tool_path
from iterbackbone.cli import arguments

from .blocks import ROOT
from .config_keys import check_keys

MARKER = re.compile(r'# (needs (a GPU|data|root|Slurm|several machines|a checkpoint)|takes hours)\b')
PLACEHOLDER = re.compile(r'[A-Z_]{2,}(/|$)')  # CONFIG, WORK_DIR/TIMESTAMP
TESTS = ROOT / 'tests'
UNKNOWN = '--an-option-that-no-script-has'


def check_command(words: list[str]) -> bool:
    """Raise unless the command's own parser takes it.

    Returns:
        Whether a test of the suite runs the command's tool; of others a marker says what they need.
    """
    name, *args = words
    return CHECKS[name](args)


def check_python(args: list[str]) -> bool:
    """A module, or a script that exists."""
    if args[0] == '-u':
        args = args[1:]
    if args[0] == '-m':
        assert args[1] == 'iterbackbone', args
        parse(ROOT / 'iterbackbone/__main__.py', args[2:], as_module='iterbackbone')
        return True
    script = ROOT / args[0]  # an absolute path stays as it is
    assert script.is_file(), f'no such script: {args[0]}'
    parse(script, args[1:])
    check_paths_and_keys(args[1:])
    return any(TESTS.rglob(f'test_{script.name}'))


def check_short(args: list[str]) -> bool:
    """Our console script; `train` and `test` hand their options over, here to mmdet's tools."""
    if args[0] not in ('train', 'test'):
        return check_python(['-m', 'iterbackbone', *args])
    parse(tool_path('mmdet', args[0]), args[1:])
    return False


def parse(script: Path, args: list[str], as_module: str = '') -> None:
    """Raise unless a script's own parser takes all but one more, which no script has."""
    errors, path = io.StringIO(), [str(script.parent), *sys.path]
    with (
        mock.patch.object(sys, 'argv', [str(script), *args, UNKNOWN]),
        mock.patch.object(sys, 'path', path),
        mock.patch.multiple(
            arguments, folder=Path, new_file=Path
        ),  # what the example names is elsewhere
        contextlib.redirect_stderr(errors),
        contextlib.suppress(SystemExit),
    ):
        if as_module:
            runpy.run_module(as_module, run_name='__main__')
        else:
            runpy.run_path(str(script), run_name='__main__')
    refused = errors.getvalue()
    assert refused.endswith(f'unrecognized arguments: {UNKNOWN}\n'), f'{script.name} {args}: {refused}'


def check_paths_and_keys(args: list[str]) -> None:
    """Configs exist, and --cfg-options name what is in them."""
    configs = [word for word in args if re.search(r'/.*\.py$', word) and not PLACEHOLDER.match(word)]
    for name in configs:
        assert (ROOT / name).is_file(), f'no such config: {name}'
    if configs and '--cfg-options' in args:
        changes = itertools.takewhile(lambda word: '=' in word, args[args.index('--cfg-options') + 1 :])
        keys = [word.partition('=')[0] for word in changes]
        check_keys(Config.fromfile(ROOT / configs[0]), dict.fromkeys(keys))


def check_torchrun(args: list[str]) -> bool:
    """torchrun's own parser, then the script's."""
    from torch.distributed.run import get_args_parser

    options = get_args_parser().parse_args(args)
    return check_python([options.training_script, *options.training_script_args])


def check_srun(args: list[str]) -> bool:
    """Slurm is not at hand; the command that it starts is."""
    return check_python(args[args.index('python') + 1 :]) and False


def check_pip(args: list[str]) -> bool:
    """pip's own parser, which reads the options before --help, and extras that exist."""
    command = [sys.executable, '-m', 'pip', *args, '--help']
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    known = metadata('iterbackbone').get_all('Provides-Extra')
    for extras in re.findall(r'\[(.*?)\]', ' '.join(args)):
        assert set(extras.split(',')) <= set(known), extras
    return True


def check_make(args: list[str]) -> bool:
    """make's own reading of the Makefile; -n runs nothing."""
    done = subprocess.run(['make', '-n', *args], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return True


def check_source(args: list[str]) -> bool:
    """The one file that set-up makes for it."""
    assert args == ['.venv/bin/activate'], args
    return True


CHECKS = {
    'iterbackbone': check_short,
    'python': check_python,
    'torchrun': check_torchrun,
    'srun': check_srun,
    'pip': check_pip,
    'make': check_make,
    'source': check_source,
    'apt-get': lambda args: False,
}
