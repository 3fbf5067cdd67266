"""Where the time of a forward pass goes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Parts:
    """Seconds spent in functions, each without those called from it.

    Only for devices that are not waited for anyway: CPUs.

    Attributes:
        seconds: By part.
    """

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._inner: list[float] = []  # seconds of the parts within, for each part that is open

    @contextmanager
    def watch(self, names: dict[str, list[tuple[Any, str]]]) -> Iterator[None]:
        """While it lasts the functions ``part: [(owner, name)]`` are timed."""
        before = [(o, n, getattr(o, n), part) for part, each in names.items() for o, n in each]
        for owner, name, function, part in before:
            setattr(owner, name, self.timed(part, function))
        try:
            yield
        finally:
            for owner, name, function, _ in before:
                setattr(owner, name, function)

    def timed(self, part: str, function: Callable) -> Callable:
        """``function``, its time counted as ``part``."""

        def run(*args: Any, **kwargs: Any) -> Any:
            self._inner.append(0.0)
            started = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                seconds = time.perf_counter() - started
                self.seconds[part] += seconds - self._inner.pop()
                if self._inner:
                    self._inner[-1] += seconds

        return run
