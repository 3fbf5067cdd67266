# The shipped detector's second leg, an hour on a core, from the first one's plain weights:
# --cfg-options load_from=FILE
_base_ = 'entry_detector.py'
work_dir = 'work_dirs/voc_models/entry_second_leg'
model = dict(backbone=dict(init_cfg=None))
train_cfg = dict(max_epochs=16, val_interval=16)
optim_wrapper = dict(optimizer=dict(lr=0.0004))
