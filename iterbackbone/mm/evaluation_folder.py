"""The folder of one evaluation: ranks write parts, rank 0 merges and renames.

A killed evaluation leaves only ``.part`` files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import barrier, get_rank, get_world_size

from ..files import whole_file
from ..stats.records import META, PREDICTIONS, RECORDS, to_line
from .png_files import PngFiles


class EvaluationFolder:
    """Writes ``records.jsonl``, ``predictions.jsonl``, PNG files and ``meta.json``.

    Args:
        path: The folder, on a file system that all ranks share.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self._files = {
            # Unbuffered, so that a line is one write: a killed process leaves whole lines.
            name: open(_part(path, name, get_rank()), 'wb', buffering=0)  # noqa: SIM115
            for name in (RECORDS, PREDICTIONS)
        }
        self._pngs = PngFiles(path)
        self._images = 0

    def write(
        self,
        record: Mapping[str, Any],
        prediction: Mapping[str, Any],
        pngs: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Append one image's lines; its label maps or picture become files, named in its prediction."""
        index = get_rank() + get_world_size() * self._images
        paths = self._pngs.write(index, record.get('img_id'), pngs or {})
        self._files[RECORDS].write(to_line(record).encode())
        self._files[PREDICTIONS].write(to_line({**prediction, **paths}).encode())
        self._images += 1

    def close(self) -> None:
        """Close this rank's parts, which stay ``.part`` files."""
        for file in self._files.values():
            file.close()

    def publish(self, num_images: int, meta: Mapping[str, Any]) -> None:
        """Merge the ranks' parts into the final files; called on all ranks.

        Args:
            num_images: Of the dataset. Samplers repeat images to give all ranks the same
                number; what goes beyond is dropped.
            meta: Content of ``meta.json``, which is written last.
        """
        self.close()
        barrier()
        self._pngs.publish(num_images)
        barrier()
        if get_rank() == 0:
            described = json.dumps(json.loads(to_line(meta)), indent=2) + '\n'
            (self.path / META).unlink(missing_ok=True)  # an earlier evaluation's: no longer whole
            for name in (PREDICTIONS, RECORDS):
                parts = [_part(self.path, name, rank) for rank in range(get_world_size())]
                _replace(self.path / name, islice(_interleaved(parts), num_images))
                for part in parts:
                    part.unlink()
            _replace(self.path / META, [described])
        barrier()


def _part(path: Path, name: str, rank: int) -> Path:
    return path / f'{name}.{rank}.part'


def _interleaved(parts: list[Path]) -> Iterator[str]:
    """Lines in the dataset's order: image i is line i // ranks of rank i % ranks."""
    with ExitStack() as stack:
        files = [stack.enter_context(open(part, encoding='utf-8')) for part in parts]
        yield from (line for line in chain.from_iterable(zip_longest(*files)) if line is not None)


def _replace(target: Path, lines: Iterable[str]) -> None:
    with whole_file(target) as file:
        file.writelines(line.encode() for line in lines)
