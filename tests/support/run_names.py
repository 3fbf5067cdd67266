"""Names of mmengine's runs, which end with the second they start in.

Two of one name share their message hub, and the later one leaves the default scope as it is.
"""

from __future__ import annotations

from datetime import datetime, timedelta

FORMAT = '%Y%m%d_%H%M%S'


def of_different_seconds(setup_env):
    """``Runner.setup_env`` with a time stamp behind all it has given before."""
    last = datetime.min

    def setup(runner, cfg):
        nonlocal last
        setup_env(runner, cfg)
        last = max(datetime.strptime(runner.timestamp, FORMAT), last + timedelta(seconds=1))
        runner._timestamp = last.strftime(FORMAT)

    return setup
