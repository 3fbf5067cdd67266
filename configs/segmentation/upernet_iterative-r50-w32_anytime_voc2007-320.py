# One segmentor for every budget, from the shipped backbone: trained at all depths, an hour on a
# core. Fit its halting afterwards: tools/fit_halting.py.
_base_ = [
    '../_base_/models/upernet_iterative-tiny.py',
    '../_base_/datasets/voc2007_segmentation_320.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/segmentation_runtime.py',
    '../_base_/anytime_hooks.py',
]
# Three of four pixels are background: unweighted, a short training finds little else.
loss = dict(class_weight=[0.4] + [1.0] * 20)
model = dict(
    data_preprocessor=dict(mean=[122.4, 114.3, 101.4], std=[70.6, 68.6, 71.8], size=(288, 288)),
    backbone=dict(
        base_channels=32,
        last_gamma=0.1,
        last_relu=False,
        halting=dict(layer_norm=True),
        init_cfg=dict(
            type='Pretrained', checkpoint='iterbackbone://iterative_resnet50_w32.tiny_imagenet'
        ),
    ),
    decode_head=dict(in_channels=[128, 256, 512, 1024], channels=64, num_classes=21, loss_decode=loss),
    auxiliary_head=dict(in_channels=512, channels=64, num_classes=21, loss_decode=loss),
)
train_cfg = dict(max_epochs=50, val_interval=50)
optim_wrapper = dict(optimizer=dict(lr=0.001))
custom_hooks = _base_.anytime_hooks
env_cfg = dict(cudnn_benchmark=False)  # each step's row counts differ
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=20),
    checkpoint=dict(type='CheckpointHook', interval=10, max_keep_ckpts=2),
    visualization=dict(type='SegVisualizationHook'),
)
randomness = dict(seed=0)
