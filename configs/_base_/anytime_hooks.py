# Training at all depths: custom_hooks = _base_.anytime_hooks
anytime_hooks = [
    dict(type='iterbackbone.AnytimeHook'),
    # The average's window grows with training. A fixed momentum of 0.002 would remember the random
    # start: a seventh of it after 1,000 steps, which cost a detector 7 points of mAP.
    dict(
        type='EMAHook',
        ema_type='MomentumAnnealingEMA',
        gamma=10,
        momentum=0.002,
        update_buffers=True,
    ),
    dict(type='iterbackbone.IterationLogHook'),
]
