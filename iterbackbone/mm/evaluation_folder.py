"""The folder of one evaluation: ranks write parts, rank 0 merges and renames.

A killed evaluation leaves only ``.part`` files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import barrier, get_rank, get_world_size

from ..files import named_errors, whole_file
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
        self._append(RECORDS, record)
        self._append(PREDICTIONS, {**prediction, **paths})
        self._images += 1

    def _append(self, name: str, content: Mapping[str, Any]) -> None:
        file, line = self._files[name], to_line(content).encode()
        with named_errors(Path(file.name)):
            while line:  # a disk that is nearly full takes a part and says how much
                line = line[file.write(line) :]

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
            self._replace(num_images, json.dumps(json.loads(to_line(meta)), indent=2) + '\n')
        barrier()

    def _replace(self, num_images: int, described: str) -> None:
        """An earlier evaluation's files stay until all of the new ones are on the disk."""
        parts = {
            name: [_part(self.path, name, rank) for rank in range(get_world_size())]
            for name in (RECORDS, PREDICTIONS)
        }
        lines = {name: islice(_interleaved(parts[name]), num_images) for name in parts}
        with ExitStack() as files:  # renamed last to first: what says that all is there comes last
            for name, content in {META: [described], **lines}.items():
                file = files.enter_context(whole_file(self.path / name))
                file.writelines(line.encode() for line in content)
                file.flush()
            (self.path / META).unlink(missing_ok=True)
        for part in chain(*parts.values()):
            part.unlink()


def _part(path: Path, name: str, rank: int) -> Path:
    return path / f'{name}.{rank}.part'


def _interleaved(parts: list[Path]) -> Iterator[str]:
    """Lines in the dataset's order: image i is line i // ranks of rank i % ranks."""
    with ExitStack() as stack:
        files = [stack.enter_context(open(part, encoding='utf-8')) for part in parts]
        yield from (line for line in chain.from_iterable(zip_longest(*files)) if line is not None)
