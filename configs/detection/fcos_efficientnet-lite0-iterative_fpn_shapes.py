# The quickstart: the shipped detector goes on with the generated scenes, minutes on two CPU cores.
_base_ = [
    '../_base_/entries/efficientnet_lite0.py',
    '../_base_/models/fcos_iterative-r50-w32_fpn.py',
    '../_base_/datasets/shapes_detection.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/detection_runtime.py',
]
load_from = 'iterbackbone://fcos_efficientnet_lite0_iterative.voc2007_subset'
model = dict(
    data_preprocessor=_base_.pixels_of_entry,
    backbone=dict(**_base_.stages_behind_entry, init_cfg=None),
    neck=dict(in_channels=[512, 1024], num_outs=3),
    bbox_head=dict(
        num_classes=6, strides=[16, 32, 64], regress_ranges=((-1, 128), (128, 256), (256, 1e8))
    ),
)
train_dataloader = dict(batch_size=8)
train_cfg = dict(max_epochs=3, val_interval=3)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=20),
    dict(type='CosineAnnealingLR', convert_to_iter_based=True),
]
custom_hooks = [
    dict(type='iterbackbone.PonderCostHook', target=0.7, ramp=0.1),
    dict(type='iterbackbone.IterationLogHook'),
]
default_hooks = dict(logger=dict(interval=10))
randomness = dict(seed=0)
