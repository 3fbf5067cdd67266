"""A folder of pictures: what is in it, and what is wrong with it."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from ...files import IMAGE_TYPES, files_below

SPLIT = re.compile(r'(train|val|test)(ing|id|idation)?\d*')  # training, valid, val2017


class Box(NamedTuple):
    """An annotation: class, (left, top, width, height), and whether it neither trains nor counts."""

    name: str
    xywh: tuple[float, ...] = ()  # of none: the whole picture
    ignored: bool = False


class Picture(NamedTuple):
    """A file with its annotations, in pixels of the stated (W, H), or as shares of the picture."""

    file: Path
    split: str  # 'train', 'val', 'test', or '' where the folder does not say
    boxes: list[Box]
    size: tuple[int, int] | None = None
    relative: bool = False


class Folder:
    """The image files in a folder and below, and what is wrong, by kind; ValueError for no pictures."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise ValueError(f'--data must be a folder, got {path}')
        found = files_below(path, *IMAGE_TYPES)
        self.path, self.files = path, [p for p in found if not _is_hidden(p.relative_to(path))]
        self.problems: dict[str, list[str]] = defaultdict(list)
        self._named: dict[str, list[Path]] = defaultdict(list)
        for file in self.files:
            self._named[file.name].append(file)
            self._named[file.stem].append(file)
        if not self.files:
            raise ValueError(f'--data must be a folder with pictures, found none in {path}')

    def words(self, path: Path) -> list[str]:
        """Of a path in the folder, in lower case."""
        return re.split(r'[\W_]+', str(path.relative_to(self.path)).lower())

    def split_of(self, path: Path) -> str:
        """The first of 'train', 'val', 'test' that a path has among its words, or ''."""
        return next((match[1] for word in self.words(path) if (match := SPLIT.fullmatch(word))), '')

    def find(self, name: str, near: Path) -> Path:
        """The file of a name or stem whose path is most like an annotation file's.

        Without any: where it should be.
        """
        name = name.lstrip('/')  # of another machine: all that counts is what it is like
        last = re.split(r'[\\/]', name)[-1]
        wanted = {*self.words(self.path / name), *self.words(near)}
        common = {
            file: len(wanted.intersection(self.words(file))) for file in self._named.get(last, [])
        }
        return max(common, key=common.__getitem__, default=self.path / name)

    def wrong(self, kind: str, what: str) -> None:
        """One more of a kind of problem."""
        self.problems[kind].append(what)

    def lines(self, shown: int | None = None) -> list[str]:
        """Each kind of problem with its number and the first ``shown`` cases, or all."""
        found = []
        for kind, cases in self.problems.items():
            found += [f'  {len(cases):>6}  {kind}', *(f'          {each}' for each in cases[:shown])]
        return found


def _is_hidden(path: Path) -> bool:
    """Of the system or a program, not of the user: '.ipynb_checkpoints/a.jpg'."""
    return any(part.startswith('.') or part == '__MACOSX' for part in path.parts)


def text_of(path: Path) -> str:
    """Of a text file, a byte order mark left out; ValueError where it is no UTF-8."""
    try:
        return path.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} must be text in UTF-8: {error}') from None
