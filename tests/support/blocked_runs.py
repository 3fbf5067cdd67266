"""Fresh interpreters in which some packages cannot be imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import iterbackbone

OPENMMLAB = {'mmengine', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain'}
BLOCK = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {blocked!r}:
            raise ImportError(f'{{name}} is blocked')

sys.meta_path.insert(0, Block())
sys.path.insert(0, {root!r})
"""


def run(statement: str, blocked: set[str]) -> subprocess.CompletedProcess:
    """Run ``statement`` in a fresh interpreter in which ``blocked`` cannot be imported."""
    root = str(Path(iterbackbone.__file__).parents[1])
    code = BLOCK.format(blocked=sorted(blocked), root=root) + statement
    return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=120)
