_base_ = [
    '../_base_/models/iterative-r152_cifar.py',
    '../_base_/datasets/cifar10_{{$ITERBACKBONE_CIFAR:archive}}.py',
    '../_base_/schedules/cifar_modern-150e.py',
    '../_base_/classification_runtime.py',
]
model = dict(head=dict(loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1)))
