# faster-rcnn_iterative-r50-w32-c4_anytime_voc2007-320 behind a frozen entry. One iterative stage goes
# on from the entry's map of stride 16, the other sees each region. Both start from the shipped
# detector behind that entry.
_base_ = [
    '../_base_/entries/efficientnet_lite0.py',
    './faster-rcnn_iterative-r50-w32-c4_anytime_voc2007-320.py',
]
start = dict(
    base_channels=128,
    init_cfg=dict(
        type='Pretrained',
        checkpoint='iterbackbone://fcos_efficientnet_lite0_iterative.voc2007_subset',
        prefix='backbone.',
    ),
)
model = dict(
    data_preprocessor=_base_.pixels_of_entry,
    backbone=dict(
        entry=_base_.stages_behind_entry['entry'],
        num_stages=1,
        max_iterations=(6,),
        strides=(1,),
        out_indices=(0,),
        **start,
    ),
    roi_head=dict(shared_head=dict(stage=1, max_iterations=3, **start)),
    train_cfg=dict(rcnn=dict(sampler=dict(num=32))),
)
train_dataloader = dict(batch_size=8)
train_cfg = dict(max_epochs=4, val_interval=4)
