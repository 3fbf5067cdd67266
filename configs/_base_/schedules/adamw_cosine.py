# Short trainings from random weights. A config gives train_cfg and the cosine's end in epochs.
_base_ = './voc2007_1x.py'
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=0.002, weight_decay=0.05),
    clip_grad=dict(max_norm=10),
)
