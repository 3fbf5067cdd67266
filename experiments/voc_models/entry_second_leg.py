# The shipped detector's second leg, an hour on a core, from the first one's plain weights:
# --cfg-options load_from=FILE
_base_ = 'entry_detector.py'
work_dir = 'work_dirs/voc_models/entry_second_leg'
max_epochs = 16
model = dict(backbone=dict(init_cfg=None))
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=0.0004))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=max_epochs, convert_to_iter_based=True),
]
