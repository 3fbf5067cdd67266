"""Files that one process of a test run makes for all of them."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def made_once(tmp_path_factory, name, make) -> Path:
    """The folder of this name, which ``make(folder)`` fills where a process is the first to ask."""
    root = tmp_path_factory.getbasetemp()
    if 'PYTEST_XDIST_WORKER' in os.environ:  # each has a folder of its own there
        root = root.parent
    folder, part = root / name, root / f'{name}.part'
    with open(root / f'{name}.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            part.mkdir(exist_ok=True)
            make(part)
            part.rename(folder)
    return folder
