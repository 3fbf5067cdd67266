# The second leg: 64 pixels, from the first leg's weights (--cfg-options load_from=CHECKPOINT).
_base_ = 'iterative.py'
work_dir = 'work_dirs/pretraining/iterative_64'
steps = 900
model = dict(data_preprocessor=dict(size=64))
optim_wrapper = dict(optimizer=dict(lr=0.03))
param_scheduler = dict(eta_max=0.03, total_steps=steps)
train_cfg = dict(max_iters=steps, val_interval=steps)
