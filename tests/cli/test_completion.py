"""Completion in bash, by the line that the guide puts into ~/.bashrc."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
eval "$(register-python-argcomplete iterbackbone)"
COMP_LINE="$1"; COMP_POINT=${#1}; COMP_TYPE=9
_python_argcomplete iterbackbone
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ('line', 'found'),
    [
        ('iterbackbone vari', 'variants'),
        ('iterbackbone variants --targ', '--target-ms'),
        (
            'iterbackbone train detection/fcos_iterative-r50',
            'detection/fcos_iterative-r50-w32_fpn_anytime',
        ),
    ],
)
def test_bash(line, found):
    bin_folder = str(Path(sys.executable).parent)
    path = os.pathsep.join([bin_folder, os.environ['PATH']])
    if not all(shutil.which(name, path=path) for name in ('bash', 'iterbackbone')):
        pytest.skip('bash or the console script is not installed')
    command = ['bash', '-c', SCRIPT, 'bash', line]
    done = subprocess.run(
        command, env={**os.environ, 'PATH': path}, capture_output=True, text=True, check=True
    )
    (word,) = done.stdout.split()
    assert word.startswith(found)
