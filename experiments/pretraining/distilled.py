# A further leg on two CPU cores from shipped weights; half of each target is what a teacher says.
_base_ = 'iterative.py'
work_dir = 'work_dirs/pretraining/distilled'
load_from = 'iterbackbone://iterative_resnet50_w32.tiny_imagenet'
batch, steps = 128, 3600  # of each process
model = dict(data_preprocessor=dict(train_sizes=(48,)))
train_dataloader = dict(
    batch_size=batch,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(smoothing=0.0, teacher=0.5),
)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(lr=0.15))
param_scheduler = dict(eta_max=0.15, total_steps=steps, pct_start=0.1)
train_cfg = dict(max_iters=steps, val_interval=steps)
model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
default_hooks = dict(checkpoint=dict(interval=400))
