# One detector for every budget, from the shipped backbone: trained at all depths, minutes on a
# GPU. Fit its halting afterwards: tools/fit_halting.py.
_base_ = [
    '../_base_/models/fcos_iterative-r50-w32_fpn.py',
    '../_base_/datasets/voc2007_detection_320.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/detection_runtime.py',
    '../_base_/anytime_hooks.py',
]
train_cfg = dict(max_epochs=17, val_interval=17)
optim_wrapper = dict(optimizer=dict(lr=0.001))
custom_hooks = _base_.anytime_hooks
default_hooks = dict(logger=dict(interval=20))
randomness = dict(seed=0)
