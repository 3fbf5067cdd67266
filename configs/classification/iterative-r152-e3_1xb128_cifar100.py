_base_ = './iterative-r152_1xb128_cifar100.py'
model = dict(backbone=dict(expansion=3), head=dict(in_channels=1536))
