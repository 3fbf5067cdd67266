# The shipped detector behind an entry, trained on for two epochs as in the paper: features and halting
# together, to 70% of the MACs.
_base_ = 'entry_second_leg.py'
work_dir = 'work_dirs/voc_models/joint_detector'
load_from = 'iterbackbone://fcos_efficientnet_lite0_iterative.voc2007_subset'
train_cfg = dict(max_epochs=2, val_interval=2)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=25),
    dict(type='CosineAnnealingLR', convert_to_iter_based=True),
]
custom_hooks = [
    dict(type='iterbackbone.PonderCostHook', target=0.7, ramp=0.1),
    *_base_.anytime_hooks[1:],
]
