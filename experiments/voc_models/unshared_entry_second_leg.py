# The twin's second leg, by the recipe of the shipped detector's: --cfg-options load_from=FILE
_base_ = 'unshared_entry_detector.py'
work_dir = 'work_dirs/voc_models/unshared_entry_second_leg'
model = dict(backbone=dict(init_cfg=None))
train_cfg = dict(max_epochs=16, val_interval=16)
optim_wrapper = dict(optimizer=dict(lr=0.0004))
