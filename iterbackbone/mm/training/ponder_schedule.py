"""When the halting units are held and how the ponder weight grows."""

from __future__ import annotations

from typing import NamedTuple

from mmengine.runner import Runner

LENGTH = 'ponder_schedule_length'  # in the message hub, which checkpoints carry


class PonderSchedule(NamedTuple):
    """Two shares of a training: held scores first, then a linear ramp of the weight.

    Attributes:
        length: Training steps that the shares refer to.
        warmup: Share of it with held scores.
        ramp: Share of it over which the weight then grows.
    """

    length: int
    warmup: float
    ramp: float

    @classmethod
    def for_runner(cls, runner: Runner, warmup: float, ramp: float) -> PonderSchedule:
        """The schedule of a new run, or that of a resumed one as it began.

        A resumed run that is to go on for longer would otherwise hold trained units again.
        """
        hub, length = runner.message_hub, runner.max_iters
        if runner.iter:
            length = hub.runtime_info.get(LENGTH, length)
        if length != runner.max_iters:
            runner.logger.info(
                f'halting warm-up and ramp stay those of a training of {length} steps, as which this '
                f'one began; it now has {runner.max_iters}'
            )
        hub.update_info(LENGTH, length)
        return cls(length, warmup, ramp)

    def held(self, step: int) -> bool:
        """Whether the halting units are held in training step ``step``, from 0."""
        return step / self.length < self.warmup

    def weight_share(self, step: int) -> float:
        """Share of the full ponder weight in training step ``step``, from 0."""
        return ramp_factor(step / self.length, self.warmup, self.ramp)


def ramp_factor(progress: float, warmup: float, ramp: float) -> float:
    """Share of the full weight at ``progress`` (0 to 1) of the training."""
    if progress < warmup:
        return 0.0
    return 1.0 if ramp == 0.0 else min(1.0, (progress - warmup) / ramp)
