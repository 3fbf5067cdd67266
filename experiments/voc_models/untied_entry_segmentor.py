# The twin of the segmentor behind an entry: from the same weights, but each iteration has its own.
_base_ = 'entry_segmentor.py'
custom_imports = dict(imports=['experiments.packed_images', 'experiments.voc_models.untied'])
work_dir = 'work_dirs/voc_models/untied_entry_segmentor'
model = dict(
    backbone=dict(_delete_=True, type='iterbackbone.UntiedResNet', shared=_base_.model.backbone)
)
custom_hooks = _base_.anytime_hooks[1:2]  # the average: those left out need iterations
