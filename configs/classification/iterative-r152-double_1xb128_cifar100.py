_base_ = './iterative-r152_1xb128_cifar100.py'
# Two iterative blocks per stage.
model = dict(backbone=dict(blocks_per_stage=2))
