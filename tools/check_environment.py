"""Says what in the environment does not work; docs/environment.md lists known errors and commands.

The exit status is 0 where it is usable, else 1. Packages are tried in child processes.
"""

import argparse
import sys

from iterbackbone import environment


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    environment.add_options(parser)
    return environment.run(parser.parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
