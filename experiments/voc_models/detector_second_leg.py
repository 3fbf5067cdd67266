# The shipped detector's second leg, an hour on a core, from the first one's weights:
# --cfg-options load_from=work_dirs/fcos_iterative-r50-w32_fpn_anytime_voc2007-320/epoch_17.pth
_base_ = '../../configs/detection/fcos_iterative-r50-w32_fpn_anytime_voc2007-320.py'
custom_imports = dict(imports=['experiments.packed_images'])
work_dir = 'work_dirs/voc_models/detector_second_leg'
model = dict(backbone=dict(init_cfg=None))
train_dataloader = dict(batch_size=16)
train_cfg = dict(max_epochs=6, val_interval=6)
optim_wrapper = dict(type='Bfloat16OptimWrapper', optimizer=dict(lr=0.0004))
