_base_ = './iterative-r152_1xb128_cifar100.py'
model = dict(backbone=dict(depthwise=True))
