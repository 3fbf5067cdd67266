# The paper's joint training of features and halting, to the mean MACs of 58% of all iterations.
_base_ = 'anytime.py'
custom_hooks = [dict(type='iterbackbone.PonderCostHook', target=0.58, halting_warmup=0.1, ramp=0.1)]
