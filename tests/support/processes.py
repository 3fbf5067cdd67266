"""Processes that start at once: the server that forks them has imported what takes seconds.

Not OpenMMLab's three libraries and not the plug-in: those each process imports by itself.
"""

from __future__ import annotations

import ast
import gc
import os
import runpy
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

METHOD = 'forkserver'
PROCESSES = get_context(METHOD)
PROCESSES.set_forkserver_preload(
    ['torch._dynamo', 'torchvision', 'scipy.stats', 'matplotlib.pyplot', 'mmengine.runner', 'mmcv.ops']
    + ['yapf.yapflib.yapf_api', 'tests.support.preloaded']
)


def hasten_configs(setattr=setattr):
    """Let mmengine neither lay configs out, four times a runner, nor read a package's index twice.

    Each takes half a second. Nothing reads the layout.
    """
    if find_spec('yapf'):
        from yapf.yapflib import yapf_api

        setattr(yapf_api, 'FormatCode', _not_laid_out)
    utils = sys.modules.get('mmengine.config.utils')  # where it is needed
    if utils is not None:
        setattr(utils, 'load', cache(utils.load))


def _not_laid_out(text, **_):
    ast.parse(text)  # what is no Python yapf would refuse
    return text, False


def _become(code, args, env, cwd, output):
    hasten_configs()
    gc.freeze()  # mmengine collects garbage for each data set: not what the server imported
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for stream, path in zip((1, 2), output, strict=True):
        os.dup2(os.open(path, os.O_WRONLY), stream)
    sys.argv = ['-c' if code else args[0], *args[0 if code else 1 :]]
    if code:
        exec(code, {'__name__': '__main__'})
    else:
        runpy.run_path(args[0], run_name='__main__')


class Program:
    """A running ``python FILE ARGUMENTS`` or ``python -c CODE``, the leader of its own group."""

    def __init__(self, *args, code='', env=None, cwd='.'):
        self._folder = tempfile.TemporaryDirectory()
        self._output = [Path(self._folder.name, name) for name in ('stdout', 'stderr')]
        for path in self._output:
            path.touch()
        env = {**os.environ, **(env or {})}
        args = (code, [str(arg) for arg in args], env, os.path.abspath(cwd), self._output)
        self.process = PROCESSES.Process(target=_become, args=args)
        self.process.start()

    def wait(self, timeout=None):
        """(Exit code, stdout, stderr)."""
        self.process.join(timeout)
        assert self.process.exitcode is not None, f'it runs for more than {timeout} s'
        stdout, stderr = (path.read_text() for path in self._output)
        self._folder.cleanup()
        return self.process.exitcode, stdout, stderr
