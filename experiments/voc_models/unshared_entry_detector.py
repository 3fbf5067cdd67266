# The twin of the detector behind an entry: the same entry, plain blocks instead of iterations, by the
# same recipe. Its start: entry_start.py --unshared.
_base_ = 'entry_detector.py'
custom_imports = dict(imports=['experiments.packed_images', 'experiments.voc_models.unshared_stages'])
work_dir = 'work_dirs/voc_models/unshared_entry_detector'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmdet.UnsharedStages',
        entry=_base_.stages_behind_entry.entry,
        base_channels=_base_.stages_behind_entry.base_channels,
        blocks=_base_.stages_behind_entry.max_iterations,
        strides=_base_.stages_behind_entry.strides,
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/voc_models/unshared_entry_start.pth'),
    )
)
custom_hooks = _base_.anytime_hooks[1:2]  # the average: those left out need iterations
