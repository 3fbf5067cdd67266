_base_ = [
    'mmpretrain::_base_/models/resnet101_cifar.py',
    '../_base_/datasets/cifar10_{{$ITERBACKBONE_CIFAR:archive}}.py',
    '../_base_/schedules/cifar_150e.py',
    '../_base_/classification_runtime.py',
]
