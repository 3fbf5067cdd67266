# What every halting experiment starts from: the small network on the CIFAR-10 subset, six epochs,
# evaluated by run.py. The halting warm-up is off: it is one of the remedies compared.
_base_ = '../../configs/classification/iterative-tiny_1xb64_cifar10-subset.py'
data_preprocessor = dict(mean=[125.3, 123.0, 113.9], std=[51.6, 50.8, 51.3])
train_dataloader = dict(num_workers=0, persistent_workers=False, drop_last=True)
test_dataloader = dict(batch_size=100, num_workers=0, persistent_workers=False)
val_dataloader = val_cfg = val_evaluator = None
train_cfg = dict(max_epochs=6)
optim_wrapper = dict(optimizer=dict(weight_decay=5e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=100),
    dict(type='CosineAnnealingLR', convert_to_iter_based=True),
]
default_hooks = dict(logger=dict(interval=26), checkpoint=dict(interval=6))
custom_hooks = [dict(type='iterbackbone.PonderCostHook', weight=0.005)]
log_level = 'WARNING'
