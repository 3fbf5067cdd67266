_base_ = './iterative-r152_8xb32_in1k.py'
# The paper's "small".
model = dict(backbone=dict(expansion=2), head=dict(in_channels=1024))
