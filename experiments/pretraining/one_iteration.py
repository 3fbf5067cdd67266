# The same network with one iteration a stage, by the same recipe.
_base_ = 'iterative.py'
work_dir = 'work_dirs/pretraining/one_iteration'
model = dict(backbone=dict(max_iterations=(1, 1, 1, 1)))
custom_hooks = []
