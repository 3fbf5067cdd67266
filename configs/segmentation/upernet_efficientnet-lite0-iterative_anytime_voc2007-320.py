# One segmentor for every budget, behind a frozen entry. Its backbone starts from the detector's of the
# same kind, whose 2,000 training images have none of the images that this one is evaluated on.
_base_ = [
    '../_base_/entries/efficientnet_lite0.py',
    './upernet_iterative-r50-w32_anytime_voc2007-320.py',
]
model = dict(
    data_preprocessor=_base_.pixels_of_entry,
    backbone=dict(
        **_base_.stages_behind_entry,
        init_cfg=dict(
            checkpoint='iterbackbone://fcos_efficientnet_lite0_iterative.voc2007_subset',
            prefix='backbone.',
        ),
    ),
    decode_head=dict(in_channels=[512, 1024], in_index=[0, 1]),
    auxiliary_head=dict(in_channels=512, in_index=0),
)
