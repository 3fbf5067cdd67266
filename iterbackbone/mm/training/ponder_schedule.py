"""When halting units are held, and how much the ponder cost counts."""

from __future__ import annotations

from typing import NamedTuple

from mmengine.runner import Runner

LENGTH = 'ponder_schedule_length'  # in the message hub, which checkpoints carry


class PonderSchedule(NamedTuple):
    """Held scores first, then a linear ramp of the weight; training steps count from 0."""

    length: int  # training steps that both shares refer to
    warmup: float  # share of it with held scores
    ramp: float  # share of it over which the weight then grows

    @classmethod
    def for_runner(cls, runner: Runner, warmup: float, ramp: float) -> PonderSchedule:
        """Of a run as it began: resumed for longer it would else hold trained units again."""
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
        """Whether the halting units are held in this training step."""
        return step / self.length < self.warmup

    def weight_share(self, step: int) -> float:
        """Share of the full ponder weight in this training step."""
        if self.held(step):
            return 0.0
        return 1.0 if self.ramp == 0.0 else min(1.0, (step / self.length - self.warmup) / self.ramp)
