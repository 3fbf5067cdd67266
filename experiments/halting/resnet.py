# The ResNet-50 of the same width from which warm starts are made, by mmpretrain's train.py.
_base_ = './config.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet_CIFAR',
        depth=50,
        base_channels=8,
        stem_channels=8,
        out_indices=(3,),
        style='pytorch',
    )
)
custom_hooks = []
