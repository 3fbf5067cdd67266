"""The description of an environment that checks read, and what they find."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What became of a probe.

    Attributes:
        facts: What it measured, such as a version.
        error: Why it failed, one line; empty where it did not.
        missing: What it examines is not installed.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    error: str = ''
    missing: bool = False


@dataclass(frozen=True)
class Environment:
    """A Python environment.

    Attributes:
        python: Version of the interpreter, such as (3, 11).
        distributions: Versions of what is installed, by its normalised name on a package index.
        outcomes: Of the probes, by name; all of ``worker.PROBES``.
        pins: Versions that were run together, by the same names.
    """

    python: tuple[int, int]
    distributions: dict[str, str]
    outcomes: dict[str, Outcome]
    pins: dict[str, str]

    def version(self, name: str) -> tuple[int, ...]:
        """Leading numbers of a distribution's version, () where it is not installed."""
        return numbers(self.distributions.get(name, ''))


@dataclass(frozen=True)
class Finding:
    """One line of the result.

    Attributes:
        check: What was checked.
        level: 'ok', 'warning' or 'error'; with an error the environment is not usable.
        reason: In plain words.
        command: For a shell, mends it; empty where there is nothing to mend.
    """

    check: str
    level: str
    reason: str
    command: str = ''


def numbers(version: str) -> tuple[int, ...]:
    """(2, 12, 1) of '2.12.1+cpu'."""
    release = re.match(r'[\d.]*\d|', version)
    return tuple(map(int, release[0].split('.'))) if release and release[0] else ()
