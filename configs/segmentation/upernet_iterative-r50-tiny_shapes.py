# The quickstart of segmentation: a narrow UPerNet on the generated scenes, minutes on two CPU cores.
_base_ = [
    '../_base_/models/upernet_iterative-tiny.py',
    '../_base_/datasets/shapes_segmentation.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/segmentation_runtime.py',
]
max_epochs = 5
model = dict(
    data_preprocessor=dict(size=(192, 256)),
    decode_head=dict(num_classes=7),
    auxiliary_head=dict(num_classes=7),
)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=max_epochs, convert_to_iter_based=True),
]
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=20),
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=2),
    visualization=dict(type='SegVisualizationHook'),
)
randomness = dict(seed=0)
