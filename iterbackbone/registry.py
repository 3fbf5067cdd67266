"""Registries of scope ``iterbackbone``, children of mmengine's roots.

mmengine imports ``<scope>.registry`` for a scope it does not know yet, so
``type='iterbackbone.IterativeResNet'`` works in any OpenMMLab config without
``custom_imports``.
"""

from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_CONSTRUCTORS
from mmengine.registry import Registry

MODELS = Registry('model', parent=MMENGINE_MODELS, scope='iterbackbone', locations=['iterbackbone.mm'])
HOOKS = Registry('hook', parent=MMENGINE_HOOKS, scope='iterbackbone', locations=['iterbackbone.mm'])
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=MMENGINE_CONSTRUCTORS,
    scope='iterbackbone',
    locations=['iterbackbone.mm'],
)
