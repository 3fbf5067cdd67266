# A modern recipe of the same length: ten times the rate, warm-up, cosine, Nesterov, bfloat16 (which
# needs a GPU). Its configs add label smoothing to the head's loss.
_base_ = './imagenet_90e.py'
optim_wrapper = dict(
    type='AmpOptimWrapper',
    dtype='bfloat16',
    optimizer=dict(lr=0.1, nesterov=True),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=5, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=5, convert_to_iter_based=True),
]
