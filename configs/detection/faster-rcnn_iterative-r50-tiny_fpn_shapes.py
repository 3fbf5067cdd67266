# A narrow detector on the generated scenes from random weights, minutes on two CPU cores.
_base_ = [
    '../_base_/models/faster-rcnn_iterative-tiny_fpn.py',
    '../_base_/datasets/shapes_detection.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/detection_runtime.py',
]
model = dict(
    rpn_head=dict(anchor_generator=dict(scales=[4])),
    roi_head=dict(bbox_head=dict(num_classes=6)),
)
train_cfg = dict(max_epochs=5, val_interval=5)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=50),
    dict(type='CosineAnnealingLR', convert_to_iter_based=True),
]
default_hooks = dict(logger=dict(interval=20))
randomness = dict(seed=0)
