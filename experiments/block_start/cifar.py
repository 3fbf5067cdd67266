# CIFAR-10 at full size for the comparison of block starts; run.py sets block, depths and length.
_base_ = '../pretraining/base.py'
data_root = 'data/cifar10-packed'
model = dict(
    data_preprocessor=dict(
        mean=[125.3, 123.0, 113.9], std=[63.0, 62.1, 66.7], size=32, scale=(0.6, 1.0)
    ),
    backbone=dict(stem='cifar', num_stages=3, base_channels=16, strides=(2, 2, 2), out_indices=(2,)),
    head=dict(num_classes=10, in_channels=256),
)
train_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(batch_size=500, dataset=dict(data_root=data_root, part='test'))
val_dataloader = val_cfg = val_evaluator = None
custom_hooks = []
log_level = 'WARNING'
