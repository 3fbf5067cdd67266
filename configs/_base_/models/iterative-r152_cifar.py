# IterativeNet152 with the 3x3 stem of 32x32 images; pooling and head are ResNet-152's.
_base_ = ['mmpretrain::_base_/models/resnet152_cifar.py', '../iteration_hooks.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='iterbackbone.IterativeResNet',
        depth=152,
        stem='cifar',
        last_gamma=1.0,  # the paper's block; 0.1 without the ReLU trains depth better
        last_relu=True,
        out_indices=(3,),
    )
)
