# Anytime pre-training on Tiny-ImageNet at several sizes; minutes on a GPU.
_base_ = 'base.py'
work_dir = 'work_dirs/pretraining/iterative'
batch, steps = 2048, 800
model = dict(
    data_preprocessor=dict(train_sizes=(48, 64, 64, 96)),
    head=dict(loss=dict(_delete_=True, type='CrossEntropyLoss', use_soft=True)),
)
train_dataloader = dict(
    batch_size=batch,
    num_workers=2,
    persistent_workers=True,
    dataset=dict(type='PackedBatches', smoothing=0.1),
    collate_fn=dict(type='whole_batch'),
)
optim_wrapper = dict(optimizer=dict(lr=1.6))
param_scheduler = dict(eta_max=1.6, total_steps=steps)
train_cfg = dict(max_iters=steps, val_interval=steps)
