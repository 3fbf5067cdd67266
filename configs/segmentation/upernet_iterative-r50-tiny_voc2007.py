# Real images at a size two CPU cores can train: the quickstart's narrow UPerNet, twice as wide.
_base_ = [
    '../_base_/models/upernet_iterative-tiny.py',
    '../_base_/datasets/voc2007_segmentation.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/segmentation_runtime.py',
]
# Three of four pixels are background: unweighted, a short training finds little else.
loss = dict(class_weight=[0.2] + [1.0] * 20)
model = dict(
    data_preprocessor=dict(size=(224, 224)),
    backbone=dict(base_channels=32),
    decode_head=dict(in_channels=[128, 256, 512, 1024], channels=64, num_classes=21, loss_decode=loss),
    auxiliary_head=dict(in_channels=512, num_classes=21, loss_decode=loss),
)
train_cfg = dict(max_epochs=60, val_interval=10)
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=20),
    checkpoint=dict(type='CheckpointHook', interval=10, max_keep_ckpts=2),
    visualization=dict(type='SegVisualizationHook'),
)
randomness = dict(seed=0)
