_base_ = './iterative-r152-e3_1xb128_cifar100.py'
model = dict(backbone=dict(depthwise=True))
