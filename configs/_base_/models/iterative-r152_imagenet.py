# IterativeNet152; pooling and head are ResNet-152's.
_base_ = ['mmpretrain::_base_/models/resnet152.py', '../iteration_hooks.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='iterbackbone.IterativeResNet',
        depth=152,
        out_indices=(3,),
    )
)
