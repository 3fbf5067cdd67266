# A narrow segmentor that two CPU cores train in minutes. The classes and the size are the config's.
_base_ = './upernet_iterative-r50_ade20k.py'
channels = 32
model = dict(
    backbone=dict(base_channels=16),
    decode_head=dict(in_channels=[64, 128, 256, 512], channels=channels),
    auxiliary_head=dict(in_channels=256, channels=channels),
)
