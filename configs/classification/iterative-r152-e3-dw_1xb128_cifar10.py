_base_ = './iterative-r152-e3_1xb128_cifar10.py'
model = dict(backbone=dict(depthwise=True))
