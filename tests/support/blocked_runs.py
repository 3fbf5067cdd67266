"""Processes in which some packages cannot be imported."""

from __future__ import annotations

import subprocess

from tests.support.processes import Program

OPENMMLAB = {'mmengine', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain'}
BLOCK = """
import sys

def blocks(name):
    return name.split('.')[0] in {blocked!r}

class Block:
    def find_spec(self, name, path=None, target=None):
        if blocks(name):
            raise ImportError(f'{{name}} is blocked')

for name in filter(blocks, list(sys.modules)):
    del sys.modules[name]
sys.meta_path.insert(0, Block())
"""


def run(statement: str, blocked: set[str]) -> subprocess.CompletedProcess:
    """Run ``statement`` in a process without our modules that cannot import ``blocked``."""
    code = BLOCK.format(blocked=sorted(blocked)) + statement
    return subprocess.CompletedProcess(statement, *Program(code=code).wait(timeout=120))
