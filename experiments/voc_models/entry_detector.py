# The detector behind an entry, from ImageNet's weights in the entry alone, which entry_start.py writes.
# In bfloat16, as a CPU trains it twice as fast.
_base_ = '../../configs/detection/fcos_efficientnet-lite0-iterative_fpn_anytime_voc2007-320.py'
custom_imports = dict(imports=['experiments.packed_images'])
work_dir = 'work_dirs/voc_models/entry_detector'
optim_wrapper = dict(type='Bfloat16OptimWrapper')
model = dict(
    backbone=dict(
        init_cfg=dict(
            _delete_=True, type='Pretrained', checkpoint='work_dirs/voc_models/entry_start.pth'
        )
    )
)
