# The plain ResNet of the same blocks and widths as the shipped backbone, pre-trained the same way.
unshared_backbone = dict(
    _delete_=True,
    type='ResNet',
    depth=50,
    stem_channels=32,
    base_channels=32,
    style='pytorch',
    norm_eval=False,
    init_cfg=dict(
        type='Pretrained',
        checkpoint='work_dirs/pretraining/unshared/iter_800.pth',
        prefix='backbone.',
    ),
)
