_base_ = './iterative-r152-e2_1xb128_cifar100.py'
model = dict(backbone=dict(depthwise=True))
