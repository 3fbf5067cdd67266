"""Constructed descriptions of environments, and packages that stand in for broken ones."""

from __future__ import annotations

import re
from dataclasses import replace

from iterbackbone.environment.checks import findings
from iterbackbone.environment.description import Environment, Outcome
from iterbackbone.environment.probing import read_pins
from iterbackbone.environment.worker import PROBES
from iterbackbone.files import shipped

PINS = read_pins(shipped('requirements/constraints.txt'))
MISSING = Outcome(missing=True)


def of(version='2.12.1', cuda='13.0', gpu=None):
    """The outcome of a torch that works."""
    return Outcome(facts={'version': version, 'cuda': cuda, 'gpu': gpu})


MAINTAINED = Environment(
    python=(3, 11),
    distributions={
        'torch': '2.12.1',
        'torchvision': '0.27.1',
        'numpy': '2.2.6',
        'setuptools': '80.10.2',
        'onedl-mmengine': '0.10.12',
        'onedl-mmcv': '2.3.6',
        'onedl-mmdetection': '3.5.1',
        'onedl-mmsegmentation': '1.4.2',
        'onedl-mmpretrain': '1.3.6',
        'ftfy': '6.3.1',
        'regex': '2026.11.15',
    },
    outcomes={name: Outcome() for name in PROBES}
    | {'torch': of(), 'mmcv': Outcome(facts={'cuda': 'not available'})},
    pins=PINS,
)
ORIGINALS = replace(
    MAINTAINED,
    distributions={
        'torch': '2.5.1',
        'torchvision': '0.20.1',
        'numpy': '1.26.4',
        'setuptools': '80.10.2',
        'mmengine': '0.10.7',
        'mmcv': '2.1.0',
        'mmdet': '3.3.0',
    },
    outcomes=MAINTAINED.outcomes | {'torch': of('2.5.1'), 'mmseg': MISSING, 'mmpretrain': MISSING},
)


def changed(env=MAINTAINED, without=(), distributions=(), **outcomes):
    """A copy without some distributions, with others, and with other outcomes of probes.

    An outcome given as a string is an error; a name's underscores stand for spaces.
    """
    named = {
        name.replace('_', ' '): Outcome(error=value) if isinstance(value, str) else value
        for name, value in outcomes.items()
    }
    kept = {name: version for name, version in env.distributions.items() if name not in without}
    return replace(env, distributions=kept | dict(distributions), outcomes=env.outcomes | named)


def found(env, check):
    """The one finding of a check."""
    (finding,) = [each for each in findings(env) if each.check == check]
    return finding


def assert_finding(env, check, level, reason, command):
    finding = found(env, check)
    assert (finding.level, finding.command) == (level, command)
    assert re.search(reason, finding.reason), finding.reason
    assert '\n' not in finding.reason
