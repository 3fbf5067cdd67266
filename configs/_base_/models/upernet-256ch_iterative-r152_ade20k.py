_base_ = './upernet_iterative-r152_ade20k.py'
# The paper's comparison: half of mmseg's channels in the head.
model = dict(decode_head=dict(channels=256))
