_base_ = [
    'mmpretrain::_base_/models/resnet50_cifar.py',
    '../_base_/datasets/cifar100_{{$ITERBACKBONE_CIFAR:archive}}.py',
    '../_base_/schedules/cifar_modern-150e.py',
    '../_base_/classification_runtime.py',
]
model = dict(head=dict(num_classes=100, loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1)))
