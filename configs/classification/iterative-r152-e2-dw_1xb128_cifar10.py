_base_ = './iterative-r152-e2_1xb128_cifar10.py'
model = dict(backbone=dict(depthwise=True))
