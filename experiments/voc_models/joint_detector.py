# The shipped detector's network trained as in the paper, to 60% of the MACs, instead of at all depths.
_base_ = '../../configs/detection/fcos_iterative-r50-w32_fpn_anytime_voc2007-320.py'
work_dir = 'work_dirs/voc_models/joint_detector'
max_epochs = 12
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=max_epochs, convert_to_iter_based=True),
]
custom_hooks = [
    dict(type='iterbackbone.PonderCostHook', target=0.6, halting_warmup=0.1, ramp=0.1),
    *_base_.anytime_hooks[1:],
]
