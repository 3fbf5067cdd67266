"""What the server of processes reads before it forks them: how mmdet and mmseg find configs."""

from __future__ import annotations

from pathlib import Path

import imgaug  # noqa: F401  mmdet's, and slow
from mmengine.config import utils
from mmengine.utils import get_installed_path

from tests.support.processes import hasten_configs

hasten_configs()
for package in ('mmdet', 'mmseg'):
    folder = Path(get_installed_path(package), '.mim')
    for index in utils.load(str(folder / 'model-index.yml'))['Import']:
        utils.load(str(folder / index))
