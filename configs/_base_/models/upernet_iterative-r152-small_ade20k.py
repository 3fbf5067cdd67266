_base_ = './upernet_iterative-r152_ade20k.py'
# The paper's "small": expansion 2, so half the channels reach the heads.
model = dict(
    backbone=dict(expansion=2),
    decode_head=dict(in_channels=[128, 256, 512, 1024]),
    auxiliary_head=dict(in_channels=512),
)
