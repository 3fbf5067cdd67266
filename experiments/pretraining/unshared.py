# The plain ResNet of the same blocks and widths, by the same recipe.
_base_ = 'iterative.py'
work_dir = 'work_dirs/pretraining/unshared'
model = dict(
    backbone=dict(
        _delete_=True, type='ResNet', depth=50, stem_channels=32, base_channels=32, out_indices=(3,)
    )
)
custom_hooks = []
