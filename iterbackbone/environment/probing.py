"""Describes the environment of the running interpreter."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

from ..files import shipped
from .description import Environment, Outcome
from .worker import PROBES

WORKER = Path(__file__).with_name('worker.py')
SECONDS = 600  # for all probes of one process; they take about ten seconds on an idle machine


def describe() -> Environment:
    """The running interpreter's environment, with every probe run."""
    return Environment(
        python=(sys.version_info[0], sys.version_info[1]),
        distributions=installed(),
        outcomes=probe_all(list(PROBES)),
        pins=read_pins(shipped('requirements/constraints.txt')),
    )


def installed() -> dict[str, str]:
    """Versions of the installed distributions by normalised name, as the interpreter finds them."""
    versions: dict[str, str] = {}
    for each in distributions():
        name = each.metadata['Name']
        if name:  # a broken installation may leave a folder without one
            versions.setdefault(re.sub(r'[-_.]+', '-', name).lower(), each.version)
    return versions


def read_pins(path: Path) -> dict[str, str]:
    """The pins of a constraints file that hold for all versions of Python."""
    return dict(re.findall(r'^([\w.-]+)==([\w.]+)$', path.read_text(encoding='utf-8'), re.MULTILINE))


def probe_all(names: list[str]) -> dict[str, Outcome]:
    """Outcomes of probes by name: one process, and a fresh one after each that failed."""
    outcomes: dict[str, Outcome] = {}
    while len(outcomes) < len(names):
        outcomes.update(_run(names[len(outcomes) :]))
    return outcomes


def _run(names: list[str]) -> dict[str, Outcome]:
    """Outcomes of the first of the probes, at least one."""
    command = [sys.executable, str(WORKER), *names]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors='replace'
    )
    try:
        output, errors = process.communicate(timeout=SECONDS)
        end = ''
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
        end = f'no answer within {SECONDS} seconds'
    records = map(json.loads, output.splitlines())
    outcomes = {record.pop('name'): Outcome(**record) for record in records}
    if len(outcomes) < len(names) and not any(each.error for each in outcomes.values()):
        outcomes[names[len(outcomes)]] = Outcome(error=end or _death(process.returncode, errors))
    return outcomes


def _death(code: int, errors: str) -> str:
    """Of a process that ended without a word, and the last line that it wrote to standard error."""
    how = f'crashed by {signal.Signals(-code).name}' if code < 0 else f'exited with status {code}'
    last = [line.strip() for line in errors.splitlines() if line.strip()][-1:]
    return ': '.join([how, *last])
