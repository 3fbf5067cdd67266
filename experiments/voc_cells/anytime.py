# Anytime training on VOC2007's boxes as dense labels, from shipped weights; half an hour on a core.
# Another seed: VOC_CELLS_SEED=1 in the environment of each command.
_base_ = '../mosaics/anytime.py'
custom_imports = dict(
    imports=['experiments.packed_images', 'experiments.voc_cells.dataset'], _delete_=True
)
data_root = '{{$ITERBACKBONE_DATA_ROOT:data}}/VOCdevkit/VOC2007'
work_dir = 'work_dirs/voc_cells'
split_seed = int('{{$VOC_CELLS_SEED:0}}')
randomness = dict(seed=split_seed)
side, steps, batch = 288, 700, 16
model = dict(
    data_preprocessor=dict(bgr_to_rgb=True, size=(side, side)),
    backbone=dict(
        base_channels=32,
        halting=dict(layer_norm=True),
        init_cfg=dict(
            type='Pretrained', checkpoint='iterbackbone://iterative_resnet50_w32.tiny_imagenet'
        ),
    ),
    decode_head=dict(
        in_channels=512,
        channels=512,
        num_classes=20,
        loss_decode=dict(avg_non_ignore=True),
    ),
)
load = [dict(type='LoadImageFromFile'), dict(type='BoxMap', smallest=side / 16)]
keys = ('img_id', 'img_path', 'img_shape', 'ori_shape', 'object_size')
pack = [dict(type='CellLabels'), dict(type='PackSegInputs', meta_keys=keys)]
test_pipeline = [*load, dict(type='Resize', scale=(10000, side), keep_ratio=True), *pack]
train_dataloader = dict(
    batch_size=batch,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True, _delete_=True),
    dataset=dict(
        type='VOCCells',
        data_root=data_root,
        part='train',
        seed=split_seed,
        pipeline=[
            *load,
            dict(type='RandomResize', scale=(10000, side), ratio_range=(0.7, 1.4), keep_ratio=True),
            dict(type='RandomCrop', crop_size=(side, side), cat_max_ratio=1.0),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PhotoMetricDistortion'),
            dict(type='Pad', size=(side, side), pad_val=dict(img=0, seg=255)),
            *pack,
        ],
        _delete_=True,
    ),
)
optim_wrapper = dict(type='Bfloat16OptimWrapper', optimizer=dict(lr=0.05, weight_decay=5e-4))
param_scheduler = dict(eta_max=0.05, total_steps=steps, pct_start=0.1)
train_cfg = dict(max_iters=steps, val_interval=10 * steps)
default_hooks = dict(
    logger=dict(interval=50), checkpoint=dict(interval=200), timer=dict(type='IterTimerHook')
)
val_dataloader = dict(
    batch_size=1,
    dataset=dict(
        datasets=[
            dict(
                type='VOCCells',
                data_root=data_root,
                part=part,
                seed=split_seed,
                pipeline=test_pipeline,
            )
            for part in ('fit', 'calibrate')
        ]
    ),
)
test_dataloader = dict(
    batch_size=1,
    dataset=dict(
        type='VOCCells',
        data_root=data_root,
        part='test',
        seed=split_seed,
        pipeline=test_pipeline,
        _delete_=True,
    ),
)
