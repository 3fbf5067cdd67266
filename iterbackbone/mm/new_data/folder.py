"""A folder of pictures: what is in it, and what is wrong with it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ...files import IMAGE_TYPES, files_below

SPLIT = re.compile(r'(train|val|test)(ing|id|idation)?\d*')  # training, valid, val2017
HIDDEN = ('.', '__MACOSX')  # folders of a system or a program: '.ipynb_checkpoints'


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
        self.path, self.files = path, []
        self.problems: dict[str, list[str]] = defaultdict(list)
        self._named: dict[str, list[Path]] = defaultdict(list)
        for file in files_below(path, *IMAGE_TYPES):
            if not any(part.startswith(HIDDEN) for part in file.relative_to(path).parts):
                self.files.append(file)
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
        """The file of that name or stem whose path is most like these two; else where it should be."""
        name = name.lstrip('/')  # of another machine: all that counts is what it is like
        wanted = {*self.words(self.path / name), *self.words(near)}
        files = self._named.get(re.split(r'[\\/]', name)[-1], [self.path / name])
        return max(files, key=lambda file: len(wanted.intersection(self.words(file))))

    def wrong(self, kind: str, what: str) -> None:
        """One more of a kind of problem; a name that no file or terminal takes is escaped."""
        self.problems[kind].append(what if what.isprintable() else ascii(what))

    @contextmanager
    def reading(self, kind: str, path: Path, entry: Any = '') -> Iterator[None]:
        """Count what raises an error as broken; the ``entry`` of the file at ``path`` tells which."""
        try:
            yield
        except Exception as error:  # whatever a broken one raises
            self.wrong(f'broken {kind}, left out', f'{path.name}: {str(entry)[:80] or error}')

    def lines(self, shown: int | None = None) -> Iterator[str]:
        """Each kind of problem with its number and the first ``shown`` cases, or all."""
        for kind, cases in self.problems.items():
            yield f'  {len(cases):>6}  {kind}'
            yield from (f'          {each}' for each in cases[:shown])


def text_of(path: Path) -> str:
    """Of a text file, a byte order mark left out; ValueError where it is no UTF-8."""
    try:
        return path.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} must be text in UTF-8: {error}') from None
