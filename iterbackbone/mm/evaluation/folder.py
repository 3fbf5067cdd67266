"""The folder of one evaluation: ranks write parts, rank 0 merges them and renames the folder."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from contextlib import ExitStack, suppress
from itertools import accumulate, chain, count, product, zip_longest
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from mmengine.dist import all_gather_object, barrier, broadcast_object_list, get_rank, get_world_size
from mmengine.logging import MMLogger

from ...files import named_errors, whole_file
from ...log.meta_schema import EvaluationMeta
from ...log.parsing import LineWriter
from ...log.png_files import PngFiles
from ...log.schema import META, PREDICTIONS, RECORDS, IterationRecord, PredictionLine
from .sources import Index

KINDS = {RECORDS: IterationRecord, PREDICTIONS: PredictionLine, META: EvaluationMeta}
Key = tuple[Index | None, Hashable]  # place in the data set, name


class EvaluationFolder:
    """Writes ``records.jsonl``, ``predictions.jsonl``, PNG files and ``meta.json``; made on all ranks.

    Its ``path``, on a file system that all ranks share, is the wanted one. Where there is such a
    folder, ``_2`` or a higher number is appended. It ends in ``.part`` until it is published.
    """

    def __init__(self, path: Path) -> None:
        made = [str(_new_part(path)) if get_rank() == 0 else '']
        broadcast_object_list(made)
        self.path, self._wanted = Path(made[0]), path
        self._files = {
            # Unbuffered, so that a line is one write: a killed process leaves whole lines.
            name: open(_part(self.path, name, get_rank()), 'wb', buffering=0)  # noqa: SIM115
            for name in (RECORDS, PREDICTIONS)
        }
        warn = MMLogger.get_current_instance().warning
        self._lines = {name: LineWriter(kind, warn) for name, kind in KINDS.items()}
        self._pngs = PngFiles(self.path)
        self._keys: list[Key] = []  # of the lines, in order
        self._told_apart: set[Key] = set()

    def write(
        self,
        record: Mapping[str, Any],
        prediction: Mapping[str, Any],
        pngs: Mapping[str, np.ndarray] | None = None,
        index: Index | None = None,
    ) -> None:
        """Append one image's lines; its label maps or picture become files, named in its prediction.

        An image that this rank has written already is left out. Without its ``index``, the place in the
        data set, images are told apart by ``img_id`` and ``img_path``, and stand as evaluated.
        """
        number = get_rank() + get_world_size() * len(self._keys)  # no other rank has it
        names = (record.get('img_id'), record.get('img_path'))
        named = number if names == (None, None) else names
        apart = (index, None if index is not None else named)
        if apart in self._told_apart:
            return
        paths = self._pngs.write(number, record.get('img_id'), pngs or {})
        self._append(RECORDS, record)
        self._append(PREDICTIONS, {**prediction, **paths})
        self._keys.append((index, named))
        self._told_apart.add(apart)

    def _append(self, name: str, content: Mapping[str, Any]) -> None:
        file, line = self._files[name], self._lines[name](content)
        with named_errors(Path(file.name)):
            while line:  # a disk that is nearly full takes a part and says how much
                line = line[file.write(line) :]

    def close(self) -> None:
        """Close this rank's parts, which stay."""
        for file in self._files.values():
            file.close()

    def publish(self, meta: Mapping[str, Any], label: str = '') -> int:
        """Merge the ranks' parts, name the folder, with the label, and return the number of lines.

        Called on all ranks. Samplers repeat images to give these the same number; each stands once.
        """
        self.close()
        order = _merged(all_gather_object(self._keys))
        ranks = get_world_size()
        self._pngs.keep({rank + ranks * line for rank, line in order if rank == get_rank()})
        barrier()
        try:
            if get_rank() == 0:
                self._complete(order, msgspec.json.format(self._lines[META](meta)) + b'\n')
                wanted = self._wanted.name + (f'_{label}' if label else '')
                self.path = _renamed(self.path, self._wanted.with_name(wanted))
        finally:
            barrier()  # others wait there, on a full disk, too
        return len(order)

    def _complete(self, order: list[tuple[int, int]], described: bytes) -> None:
        ranks = range(get_world_size())
        for name in self._files:
            with whole_file(self.path / name) as file:
                file.writelines(_lines([_part(self.path, name, rank) for rank in ranks], order))
        with whole_file(self.path / META) as file:
            file.write(described)
        for name, rank in product(self._files, ranks):
            _part(self.path, name, rank).unlink()


def _merged(ranks: list[list[Key]]) -> list[tuple[int, int]]:
    """(Rank, line) of each image, by its place in the data set if all ranks know that, else by name."""
    known = all(index is not None for index, _ in chain(*ranks))
    first: dict[Any, tuple[int, int]] = {}
    for line, keys in enumerate(zip_longest(*ranks)):
        for rank, key in enumerate(keys):
            if key is not None:
                first.setdefault(key[0] if known else key[1], (rank, line))
    if not known:
        return list(first.values())
    # Videos of one frame have a number, others two a frame.
    places = sorted(first, key=lambda place: np.atleast_1d(place).tolist())
    return [first[place] for place in places]


def _lines(parts: list[Path], order: list[tuple[int, int]]) -> Iterator[bytes]:
    """The ranks' lines in the order given by (rank, line)."""
    with ExitStack() as stack:
        files = [stack.enter_context(open(part, 'rb')) for part in parts]
        starts = [[0, *accumulate(map(len, file))] for file in files]
        for rank, line in order:
            files[rank].seek(starts[rank][line])
            yield files[rank].readline()


def _new_part(wanted: Path) -> Path:
    for part in _numbered(wanted, '.part'):
        with suppress(FileExistsError):  # of an evaluation that broke off, or still runs
            part.mkdir(parents=True)
            return part


def _renamed(part: Path, wanted: Path) -> Path:
    for target in _numbered(wanted):
        try:
            return part.rename(target)
        except OSError:  # an earlier evaluation's folder is never replaced
            if not target.exists():
                raise


def _numbered(path: Path, suffix: str = '') -> Iterator[Path]:
    numbers = chain([''], (f'_{number}' for number in count(2)))
    return (path.with_name(path.name + number + suffix) for number in numbers)


def _part(path: Path, name: str, rank: int) -> Path:
    return path / f'{name}.{rank}.part'
