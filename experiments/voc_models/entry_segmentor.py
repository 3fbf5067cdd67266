# The segmentor behind an entry in bfloat16, as a CPU trains it twice as fast.
_base_ = '../../configs/segmentation/upernet_efficientnet-lite0-iterative_anytime_voc2007-320.py'
custom_imports = dict(imports=['experiments.packed_images'])
work_dir = 'work_dirs/voc_models/entry_segmentor'
optim_wrapper = dict(type='Bfloat16OptimWrapper')
train_cfg = dict(max_epochs=80, val_interval=80)
