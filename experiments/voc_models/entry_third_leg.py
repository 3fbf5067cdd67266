# The shipped detector's third leg, an hour on a core, from the second one's plain weights:
# --cfg-options load_from=FILE
_base_ = 'entry_second_leg.py'
work_dir = 'work_dirs/voc_models/entry_third_leg'
randomness = dict(seed=1)
