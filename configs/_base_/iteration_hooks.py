# mmengine replaces an inherited custom_hooks list, it does not extend it. Hooks of your own:
# custom_hooks = [*_base_.custom_hooks, dict(type=...)] or default_hooks = dict(name=dict(type=...)).
custom_hooks = [
    # Random weights: hold full depth for the first tenth of training, then let the weight grow.
    # Fine-tuning a trained network: halting_warmup=0.
    dict(type='iterbackbone.PonderCostHook', weight=0.005, halting_warmup=0.1, ramp=0.1),
    dict(type='iterbackbone.IterationLogHook'),
]
