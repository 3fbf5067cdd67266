"""Halting fitted to compute budgets after training, without touching the features.

At iteration j of a block the halting unit predicts what going on gains for each MAC, and stops where
that is below a price, which a budget sets for all blocks. Needs torch only;
:mod:`iterbackbone.mm.fitting` feeds it from OpenMMLab models.

Shape legend: N images, R rows of a block (images or RoIs), L iterations of it at most, D inputs of its
halting unit.
"""
