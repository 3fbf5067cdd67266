# A classifier of Imagenette's photographs at 128 pixels, trained at all depths; an hour on a core.
# A sixth of the training images is held out: halting is fitted and budgets are calibrated on it.
default_scope = 'mmpretrain'
data_root = '{{$ITERBACKBONE_DATA_ROOT:data}}/imagenette'
work_dir = 'work_dirs/imagenette'
size, steps, batch, classes = 128, 3000, 48, 10
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        mean=[122.4, 114.3, 101.4], std=[70.6, 68.6, 71.8], to_rgb=True, num_classes=classes
    ),
    backbone=dict(
        type='iterbackbone.IterativeResNet',
        base_channels=16,
        num_stages=3,
        max_iterations=(3, 4, 6),
        out_indices=(2,),
        last_gamma=0.1,
        last_relu=False,
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=classes,
        in_channels=256,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
    ),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=size, crop_ratio_range=(0.35, 1.0)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=146, edge='short'),
    dict(type='CenterCrop', crop_size=size),
    dict(type='PackInputs'),
]
held_out = dict(type='KFoldDataset', fold=0, num_splits=6, seed=0)
folder = dict(type='CustomDataset', data_root=data_root, data_prefix='train')
train_dataloader = dict(
    batch_size=batch,
    num_workers=0,
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(**held_out, dataset=dict(**folder, pipeline=train_pipeline)),
)
val_dataloader = dict(
    batch_size=batch,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**held_out, test_mode=True, dataset=dict(**folder, pipeline=test_pipeline)),
)
test_dataloader = dict(
    batch_size=batch,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CustomDataset', data_root=data_root, data_prefix='val', pipeline=test_pipeline),
)
val_evaluator = dict(type='Accuracy', topk=1)
test_evaluator = val_evaluator
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = dict(
    type='OneCycleLR', eta_max=0.1, total_steps=steps, pct_start=0.15, by_epoch=False
)
train_cfg = dict(type='IterBasedTrainLoop', max_iters=steps, val_interval=steps)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
custom_hooks = [dict(type='iterbackbone.AnytimeHook')]
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=100, log_metric_by_epoch=False),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=500, max_keep_ckpts=1),
)
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)
