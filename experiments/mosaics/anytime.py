# Anytime training on mosaics; tens of minutes on a core. Another seed: --cfg-options randomness.seed=1.
custom_imports = dict(imports=['experiments.mosaics.dataset'])
default_scope = 'mmseg'
data_root = 'data/tiny-imagenet'
work_dir = 'work_dirs/mosaics'
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[122.4, 114.3, 101.4],
        std=[70.6, 68.6, 71.8],
        bgr_to_rgb=False,
        size=(128, 128),
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
    decode_head=dict(
        type='FCNHead',
        in_channels=256,
        channels=256,
        in_index=0,
        num_convs=0,
        concat_input=False,
        dropout_ratio=0,
        num_classes=20,
        norm_cfg=None,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss'),
    ),
    test_cfg=dict(mode='whole'),
)
steps, batch = 2000, 48
train_dataloader = dict(
    batch_size=batch,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='MosaicDataset', data_root=data_root, part='train', length=steps * batch),
)
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4, nesterov=True),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = dict(
    type='OneCycleLR', eta_max=0.1, total_steps=steps, pct_start=0.15, by_epoch=False
)
train_cfg = dict(type='IterBasedTrainLoop', max_iters=steps, val_interval=steps + 1)
custom_hooks = [dict(type='iterbackbone.AnytimeHook')]
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=100, log_metric_by_epoch=False),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=500, max_keep_ckpts=1),
)
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)
val_dataloader = dict(  # halting is fitted on the first, budgets are calibrated on the second part
    batch_size=30,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(type='MosaicDataset', data_root=data_root, part='fit', length=3000, pool=20),
            dict(type='MosaicDataset', data_root=data_root, part='calibrate', length=1500, pool=20),
        ],
    ),
)
val_cfg = dict(type='ValLoop')
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_dataloader = dict(
    batch_size=30,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='MosaicDataset', data_root=data_root, part='test', length=3000, pool=20),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
