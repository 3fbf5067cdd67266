# The same network with one iteration a stage, trained the same way.
_base_ = 'anytime.py'
model = dict(backbone=dict(max_iterations=(1, 1, 1)))
custom_hooks = []
