"""Registries of scope ``iterbackbone``, children of mmengine's roots.

mmengine imports ``<scope>.registry`` for a scope it does not know yet, so
``type='iterbackbone.IterativeResNet'`` works in any OpenMMLab config without
``custom_imports``.
"""

from mmengine import registry

OURS = dict(scope='iterbackbone', locations=['iterbackbone.mm'])
MODELS = registry.Registry('model', parent=registry.MODELS, **OURS)
HOOKS = registry.Registry('hook', parent=registry.HOOKS, **OURS)
OPTIM_WRAPPER_CONSTRUCTORS = registry.Registry(
    'optimizer wrapper constructor', parent=registry.OPTIM_WRAPPER_CONSTRUCTORS, **OURS
)
