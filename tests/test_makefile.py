"""The Makefile's own lines, of which make -n runs none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from iterbackbone.files import PACKAGE


def test_an_environment_that_is_there_needs_no_other_python(tmp_path):
    shutil.copy(PACKAGE.parent / 'Makefile', tmp_path)
    for name in ('requirements/constraints.txt', 'setup.py', 'tools/setup_venv.sh', '.venv/.ready'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1, 1))  # none is newer than the stamp
    (tmp_path / '.venv/bin').mkdir()
    (tmp_path / '.venv/bin/python').symlink_to(sys.executable)
    call = ['make', '-n', '--no-print-directory', 'test', 'PYTHON=no-such-python']
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True)
    command = f'.venv/bin/python -m pytest -n {min(os.cpu_count() + 1, 4)} '
    assert (done.stdout[: len(command)], done.stderr) == (command, '')
