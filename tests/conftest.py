"""What all tests share: repeatable random numbers."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.processes import hasten_configs
from tests.support.run_names import of_different_seconds

# Before torch is imported, and for the tools that tests start: on tiny networks more threads only
# wait for each other, and other work on the machine makes that wait long.
os.environ.setdefault('OMP_NUM_THREADS', '1')

# The same examples on every run and no deadline: a slow machine is not an error.
settings.register_profile('repeatable', derandomize=True, deadline=None, database=None, max_examples=60)
settings.load_profile('repeatable')


def pytest_collection_modifyitems(config, items):
    """Leave out what is marked long, whatever other markers are asked for."""
    if 'long' not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker('long')]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish(session):
    """mmengine collects garbage for each data set, half a second with all that is imported here."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _seed():
    torch = sys.modules.get('torch')  # tests that do without torch stay without it
    if torch is not None:
        torch.manual_seed(0)


@pytest.fixture(scope='session', autouse=True)
def _configs_as_they_are():
    with pytest.MonkeyPatch.context() as patch:
        hasten_configs(patch.setattr)
        yield


@pytest.fixture(scope='session', autouse=True)
def _runs_of_different_seconds():
    runner = sys.modules.get('mmengine.runner.runner')  # where some test here needs it
    with pytest.MonkeyPatch.context() as patch:
        if runner is not None:
            patch.setattr(runner.Runner, 'setup_env', of_different_seconds(runner.Runner.setup_env))
        yield


@pytest.fixture(scope='module', autouse=True)
def _no_pictures():
    """Each evaluation draws one for half a second; files that look at it override this."""
    summary = sys.modules.get('iterbackbone.mm.evaluation.summary')  # where some test here needs it
    with pytest.MonkeyPatch.context() as patch:
        if summary is not None:
            patch.setattr(summary, '_pixels', lambda figure: summary.np.zeros((1, 1, 3), 'uint8'))
        yield


@pytest.fixture(scope='session')
def shapes_root(tmp_path_factory):
    """Generated scenes: 8 training and 5 validation images of 96x64 with up to 4 objects."""
    root = tmp_path_factory.mktemp('data') / 'shapes'
    tool = Path(__file__).parents[1] / 'tools' / 'make_shapes_voc.py'
    options = '--num-train 8 --num-val 5 --size 96 64 --objects 1 4 --object-size 0.2 0.5'
    subprocess.run([sys.executable, tool, root, *options.split()], check=True, capture_output=True)
    return root


@pytest.fixture(scope='session')
def voc2007():
    """The data root with the real VOC2007 images."""
    return _real_data('VOCdevkit/VOC2007')


@pytest.fixture(scope='session')
def ade20k():
    """The data root with real images of ADE20K."""
    return _real_data('ADEChallengeData2016')


@pytest.fixture(scope='session')
def cifar10():
    """The data root with real images of CIFAR-10 in class folders."""
    return _real_data('cifar10/train')


def _real_data(folder):
    root = Path(os.environ.get('ITERBACKBONE_DATA_ROOT', 'data'))
    if not (root / folder).is_dir():
        pytest.skip(f'no real images: {root}/{folder} does not exist')
    return root
