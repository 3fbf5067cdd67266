"""Which files of a folder an earlier report wrote: only those may a later one remove."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

MANIFEST = 'files.json'


def manifest(contents: Mapping[str, bytes]) -> bytes:
    """JSON of the files' names and SHA-256 sums."""
    return msgspec.json.format(msgspec.json.encode({n: _sum(c) for n, c in contents.items()})) + b'\n'


def earlier_files(folder: Path) -> list[Path]:
    """Files that the folder's manifest names and nobody changed since; none without a manifest.

    Somebody may have written other figures under such a name, as ``measure_gain.py --out`` does.
    """
    try:
        sums = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=dict[str, str])
    except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
        return []
    own = {path.name: path for path in folder.iterdir() if path.is_file()}  # no path leads elsewhere
    return [
        own[name] for name in own.keys() & sums.keys() if _sum(own[name].read_bytes()) == sums[name]
    ]


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
