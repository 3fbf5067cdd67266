# The shipped detector's twin, by the same recipe.
_base_ = [
    '../../configs/detection/fcos_iterative-r50-w32_fpn_anytime_voc2007-320.py',
    'unshared_backbone.py',
]
work_dir = 'work_dirs/voc_models/unshared_detector'
model = dict(backbone=dict(**_base_.unshared_backbone, out_indices=(1, 2, 3)))
custom_hooks = _base_.anytime_hooks[1:2]  # the average: those left out need iterations
