# The twin's second leg, by the recipe of the shipped detector's.
_base_ = ['detector_second_leg.py', 'unshared_backbone.py']
work_dir = 'work_dirs/voc_models/unshared_second_leg'
model = dict(backbone=dict(**{**_base_.unshared_backbone, 'init_cfg': None}, out_indices=(1, 2, 3)))
custom_hooks = _base_.anytime_hooks[1:2]  # the average: those left out need iterations
