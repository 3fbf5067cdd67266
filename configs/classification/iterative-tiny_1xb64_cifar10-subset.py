# A narrow, shallower network that a CPU trains on a part of CIFAR-10 in class folders.
_base_ = [
    '../_base_/models/iterative-r152_cifar.py',
    '../_base_/datasets/cifar10_png.py',
    '../_base_/schedules/cifar_150e.py',
    '../_base_/classification_runtime.py',
]
model = dict(
    backbone=dict(max_iterations=(3, 4, 12, 3), base_channels=8),
    head=dict(in_channels=256),
)
train_dataloader = dict(batch_size=64)
train_cfg = dict(max_epochs=8, val_interval=2)
optim_wrapper = dict(optimizer=dict(lr=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=100),
    dict(type='CosineAnnealingLR', convert_to_iter_based=True),
]
default_hooks = dict(logger=dict(interval=20))
randomness = dict(seed=0)
