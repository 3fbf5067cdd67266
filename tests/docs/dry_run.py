"""Runs a page's shell blocks with a real shell and pretended commands.

The shell expands variables, functions and substitutions as a reader's would. Each command only writes
down its arguments, but `python -m iterbackbone config` and `tool`, whose paths others use, are run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .blocks import ROOT, Block

COMMANDS = ('python', 'iterbackbone', 'pip', 'make', 'torchrun', 'srun', 'apt-get', 'source')
PRELUDE = 'set -eu\nsource() { "$PRETENDED/source" "$@"; }\n'
PRETENDED = f"""#!/bin/sh
name=${{0##*/}}
printf '%s\\0' "$BLOCK" "$name" "$@" >> "$WRITTEN"
printf '\\n' >> "$WRITTEN"
case "$name $*" in
    "python -m iterbackbone config"*|"python -m iterbackbone tool"*) exec {sys.executable} "$@";;
esac
"""


def commands_of(blocks: list[Block], folder: Path) -> list[tuple[Block, list[str]]]:
    """Each command of a page's shell blocks with its arguments, in the order of execution."""
    if not blocks:
        return []
    pretended, written = folder / 'commands', folder / 'written'
    pretended.mkdir()
    for name in COMMANDS:
        (pretended / name).write_text(PRETENDED)
        (pretended / name).chmod(0o755)
    written.touch()
    script = ''.join(f'export BLOCK={i}\n{block.text}\n' for i, block in enumerate(blocks))
    env = {'PATH': str(pretended), 'PRETENDED': str(pretended), 'WRITTEN': str(written)}
    env |= {'PYTHONPATH': str(ROOT), 'HOME': os.environ.get('HOME', '/')}
    bash = ['/bin/bash', '--norc', '-c', PRELUDE + script]
    done = subprocess.run(bash, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f'{blocks[0].page}: {done.stderr}'
    found = [line.split('\0') for line in written.read_text().split('\0\n')[:-1]]
    return [(blocks[int(number)], words) for number, *words in found]
