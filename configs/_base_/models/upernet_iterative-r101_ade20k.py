_base_ = './upernet_iterative-r50_ade20k.py'
model = dict(backbone=dict(depth=101))
