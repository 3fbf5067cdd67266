"""Says what the environment lacks or what in it does not go together, and the command that mends it.

The exit status is 0 where it is usable, else 1. Only the standard library is imported; torch and the
OpenMMLab packages are tried in processes of their own.
"""

import argparse
import sys

from iterbackbone.environment import command_line


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    command_line.add_options(parser)
    return command_line.run(parser.parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
