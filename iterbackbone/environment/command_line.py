"""What ``python -m iterbackbone check`` and ``tools/check_environment.py`` do."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from .checks import findings
from .description import Finding
from .probing import describe


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the check."""
    parser.add_argument('--json', action='store_true', help='print the findings as JSON')


def run(args: argparse.Namespace) -> int:
    """Check the running interpreter's environment and print what was found.

    Returns:
        Exit status: 0 where the environment is usable, else 1.
    """
    found = findings(describe())
    usable = not any(each.level == 'error' for each in found)
    if args.json:
        print(json.dumps({'usable': usable, 'findings': [asdict(each) for each in found]}, indent=2))
    else:
        print('\n'.join(map(line, found)))
        print('usable' if usable else 'not usable: mend the errors from the top, then check again')
    return 0 if usable else 1


def line(finding: Finding) -> str:
    """A finding as text."""
    text = f'{finding.level:<9}{finding.check:<17}{finding.reason}'
    return f'{text}; mend it by: {finding.command}' if finding.command else text
