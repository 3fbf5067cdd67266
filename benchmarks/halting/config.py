# A small IterativeResNet on the CIFAR-10 subset: what every halting experiment starts from.
# The data root holds cifar10/train and cifar10/test, PNG files in one folder a class.
default_scope = 'mmpretrain'
data_root = '{{$ITERBACKBONE_DATA_ROOT:data}}/cifar10'
max_epochs = 6
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        num_classes=10, mean=[125.3, 123.0, 113.9], std=[51.6, 50.8, 51.3], to_rgb=True
    ),
    backbone=dict(
        type='iterbackbone.IterativeResNet',
        stem='cifar',
        max_iterations=(3, 4, 12, 3),
        base_channels=8,
        out_indices=(3,),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead', num_classes=10, in_channels=256, loss=dict(type='CrossEntropyLoss')
    ),
)
dataset = dict(type='CustomDataset', data_root=data_root, with_label=True)
load, pack = dict(type='LoadImageFromFile'), dict(type='PackInputs')
flip = dict(type='RandomFlip', prob=0.5, direction='horizontal')
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(**dataset, data_prefix='train', pipeline=[load, flip, pack]),
)
test_dataloader = dict(
    batch_size=100,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**dataset, data_prefix='test', pipeline=[load, pack]),
)
train_cfg = dict(by_epoch=True, max_epochs=max_epochs)
test_cfg, test_evaluator = dict(), dict(type='Accuracy')
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(custom_keys={'halting.fc2.bias': dict(decay_mult=0.0)}),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=max_epochs, convert_to_iter_based=True),
]
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=26),
    checkpoint=dict(type='CheckpointHook', interval=max_epochs),
)
custom_hooks = [dict(type='iterbackbone.PonderCostHook', weight=0.005)]
log_level = 'WARNING'
