# One classifier for every budget, from the shipped backbone, on images in class folders: trained at all
# depths. Fit its halting afterwards: tools/fit_halting.py.
_base_ = [
    '../_base_/datasets/cifar10_png.py',
    '../_base_/classification_runtime.py',
    '../_base_/anytime_hooks.py',
]
size = 128
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='iterbackbone.IterativeResNet',
        depth=50,
        base_channels=32,
        out_indices=(3,),
        halting=dict(layer_norm=True),
        init_cfg=dict(
            type='Pretrained',
            checkpoint='iterbackbone://iterative_resnet50_w32.tiny_imagenet_distilled',
        ),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=1024,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
    ),
)
data_preprocessor = dict(mean=[122.4, 114.3, 101.4], std=[70.6, 68.6, 71.8])
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=size, crop_ratio_range=(0.4, 1.0)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=size, edge='short'),
    dict(type='CenterCrop', crop_size=size),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=64, drop_last=True, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
train_cfg = dict(by_epoch=True, max_epochs=24, val_interval=8)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=0.001, weight_decay=0.05),
    clip_grad=dict(max_norm=10),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=100),
    dict(type='CosineAnnealingLR', convert_to_iter_based=True),
]
custom_hooks = _base_.anytime_hooks
default_hooks = dict(logger=dict(interval=20))
randomness = dict(seed=0)
