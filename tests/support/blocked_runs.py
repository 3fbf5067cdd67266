"""Processes in which some packages cannot be imported."""

from __future__ import annotations

import subprocess

from tests.support.processes import Program

OPENMMLAB = {'mmengine', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain'}
BLOCK = """
import sys
from importlib.machinery import PathFinder

def blocks(name):
    return name.split('.')[0] in {blocked!r}

class Block(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if blocks(name) and not {absent}:
            raise ImportError(f'{{name}} is blocked')
        return None if blocks(name) else super().find_spec(name, path, target)

for name in filter(blocks, list(sys.modules)):
    del sys.modules[name]
sys.meta_path[sys.meta_path.index(PathFinder)] = Block
"""


def run(statement: str, blocked: set[str], absent: bool = False) -> subprocess.CompletedProcess:
    """Run ``statement`` in a process without our modules that cannot import ``blocked``.

    With ``absent`` these are not found, as if not installed; else one that is asked for is named.
    """
    code = BLOCK.format(blocked=sorted(blocked), absent=absent) + statement
    return subprocess.CompletedProcess(statement, *Program(code=code).wait(timeout=120))
