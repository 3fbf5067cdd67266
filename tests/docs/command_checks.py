"""Whether a command of the documentation would be accepted: by its own parser, not by ours."""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import runpy
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path
from unittest import mock

from mmengine.config import Config

from .blocks import ROOT
from .config_keys import check_keys

MARKER = re.compile(r'# (needs (a GPU|data|root|Slurm|several machines|a checkpoint)|takes hours)\b')
PLACEHOLDER = re.compile(r'[A-Z_]{2,}(/|$)')  # CONFIG, WORK_DIR/TIMESTAMP
TESTS = ROOT / 'tests'


class Parsed(Exception):
    """The tool has its arguments; the rest of it need not run."""


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
    options = parse(script, args[1:])
    check_paths_and_keys(options)
    return any(TESTS.rglob(f'test_{script.name}'))


def parse(script: Path, args: list[str], as_module: str = '') -> argparse.Namespace:
    """Run a script until it has parsed its arguments."""
    real = argparse.ArgumentParser.parse_args

    def stop(parser, given=None, namespace=None):
        raise Parsed(real(parser, given, namespace))

    errors, path = io.StringIO(), [str(script.parent), *sys.path]
    with (
        mock.patch.object(argparse.ArgumentParser, 'parse_args', stop),
        mock.patch.object(sys, 'argv', [str(script), *args]),
        mock.patch.object(sys, 'path', path),
        contextlib.redirect_stderr(errors),
    ):
        try:
            if as_module:
                runpy.run_module(as_module, run_name='__main__')
            else:
                runpy.run_path(str(script), run_name='__main__')
        except Parsed as parsed:
            return parsed.args[0]
        except SystemExit:
            raise AssertionError(f'{script.name} refuses {args}: {errors.getvalue()}') from None
    raise AssertionError(f'{script} parses no arguments')


def check_paths_and_keys(options: argparse.Namespace) -> None:
    """Configs exist, and --cfg-options name what is in them."""
    for value in vars(options).values():
        text = str(value)
        if isinstance(value, (str, Path)) and text.endswith('.py') and not PLACEHOLDER.match(text):
            written_by_the_page = '/' not in text  # such as the tutorial's mine.py
            assert written_by_the_page or (ROOT / text).is_file(), f'no such config: {text}'
    config, changes = getattr(options, 'config', None), getattr(options, 'cfg_options', None)
    if config and changes and (ROOT / config).is_file():
        check_keys(Config.fromfile(ROOT / config), changes)


def check_torchrun(args: list[str]) -> bool:
    """torchrun's own parser, then the script's."""
    from torch.distributed.run import get_args_parser

    options = get_args_parser().parse_args(args)
    return check_python([options.training_script, *options.training_script_args])


def check_srun(args: list[str]) -> bool:
    """Slurm is not at hand; the command that it starts is."""
    return check_python(args[args.index('python') + 1 :]) and False


def check_pip(args: list[str]) -> bool:
    """pip's own parser, and extras that exist."""
    from pip._internal.commands import create_command

    options, wanted = create_command(args[0]).parse_args(args[1:])
    for requirement in [*wanted, *options.editables]:
        if extras := re.match(r'\.\[(.*)\]', requirement):
            known = metadata('iterbackbone').get_all('Provides-Extra')
            assert set(extras[1].split(',')) <= set(known), requirement
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
    'python': check_python,
    'torchrun': check_torchrun,
    'srun': check_srun,
    'pip': check_pip,
    'make': check_make,
    'source': check_source,
    'apt-get': lambda args: False,
}
