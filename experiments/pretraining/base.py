# What the trainings on packed images share: anytime training, batches that a core can take.
_base_ = 'mmpretrain::_base_/default_runtime.py'
custom_imports = dict(imports=['experiments.packed_images'])
data_root = 'data/tiny-imagenet-packed'
size, batch, steps = 64, 128, 9000
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        type='BatchCrops', mean=[122.4, 114.3, 101.4], std=[70.6, 68.6, 71.8], size=size
    ),
    backbone=dict(
        type='iterbackbone.IterativeResNet',
        depth=50,
        base_channels=32,
        out_indices=(3,),
        last_gamma=0.1,
        last_relu=False,
        halting=dict(layer_norm=True),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='Float32Head',
        num_classes=200,
        in_channels=1024,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
        topk=(1, 5),
    ),
)
train_dataloader = dict(
    batch_size=batch,
    num_workers=0,
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(type='PackedImages', data_root=data_root, part='train'),
)
optim_wrapper = dict(
    type='Bfloat16OptimWrapper',
    optimizer=dict(type='SGD', lr=0.2, momentum=0.9, weight_decay=1e-4, nesterov=True),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = dict(
    type='OneCycleLR', eta_max=0.2, total_steps=steps, pct_start=0.15, by_epoch=False
)
train_cfg = dict(type='IterBasedTrainLoop', max_iters=steps, val_interval=steps)
val_dataloader = test_dataloader = dict(
    batch_size=250,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='PackedImages', data_root=data_root, part='val'),
)
val_cfg = dict()
test_cfg = dict()
val_evaluator = test_evaluator = dict(type='Accuracy', topk=(1, 5))
custom_hooks = [dict(type='iterbackbone.AnytimeHook', measure_every=200)]
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=100, log_metric_by_epoch=False),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1000, max_keep_ckpts=1),
)
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)
