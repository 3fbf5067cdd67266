_base_ = [
    'mmpretrain::_base_/models/resnet18.py',
    '../_base_/datasets/imagenet_256-224.py',
    '../_base_/schedules/imagenet_90e.py',
    '../_base_/classification_runtime.py',
]
