"""The ranks of one evaluation, one after the other in this process."""

from __future__ import annotations

from iterbackbone.mm.evaluation import folder as evaluation_folder
from iterbackbone.mm.evaluation.folder import EvaluationFolder


class LogRanks:
    """An EvaluationFolder for each rank.

    Args:
        monkeypatch: Replaces what the ranks exchange.
        path: Of the folder.
        ranks: Their number.
    """

    def __init__(self, monkeypatch, path, ranks):
        self._patch = monkeypatch
        monkeypatch.setattr(evaluation_folder, 'get_world_size', lambda: ranks)
        monkeypatch.setattr(evaluation_folder, 'broadcast_object_list', self._broadcast)
        gather = lambda _: [list(folder._keys) for folder in self.folders]  # noqa: E731
        monkeypatch.setattr(evaluation_folder, 'all_gather_object', gather)
        self.folders = []
        for rank in range(ranks):
            self._be(rank)
            self.folders.append(EvaluationFolder(path))

    def write(self, rank, *args, **kwargs):
        """As EvaluationFolder's, on one rank."""
        self._be(rank)
        self.folders[rank].write(*args, **kwargs)

    def publish(self, meta):
        """On all ranks, rank 0 last as behind a barrier; returns the final folder."""
        for rank in reversed(range(len(self.folders))):
            self._be(rank)
            self.folders[rank].publish(meta)
        return self.folders[0].path

    def _be(self, rank):
        self._patch.setattr(evaluation_folder, 'get_rank', lambda: rank)

    def _broadcast(self, made):
        if self.folders:
            made[0] = str(self.folders[0].path)
