# Real images at a size two CPU cores can train: the tutorial's narrow detector, twice as wide,
# from the train images of VOC2007 to its val images.
_base_ = [
    '../_base_/models/faster-rcnn_iterative-tiny_fpn.py',
    '../_base_/datasets/voc2007_detection_240.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/detection_runtime.py',
]
model = dict(
    backbone=dict(base_channels=32),
    neck=dict(in_channels=[128, 256, 512, 1024]),
    roi_head=dict(bbox_head=dict(num_classes=20)),
)
train_cfg = dict(max_epochs=10, val_interval=2)
default_hooks = dict(logger=dict(interval=20))
randomness = dict(seed=0)
