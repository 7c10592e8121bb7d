"""Lightning attention of a step: a recurrent step for those who decode, chunks from their state for the others."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from kernels.lightning import lightning_attention, lightning_step
from policy.engine.scheduler import Chunk

# T tokens of the step, N requests, S rows of states, H heads, D head dim


class LightningPlan:
    """Chunks of one token come first."""

    def __init__(self, chunks: Sequence[Chunk], device: torch.device) -> None:
        rows = [chunk.request.state_row for chunk in chunks]
        longer = [chunk.n for chunk in chunks if chunk.n > 1]
        self.n_steps = len(chunks) - len(longer)
        self._step_rows_N = torch.tensor(rows[: self.n_steps], dtype=torch.int64, device=device)
        self._chunk_rows_N = torch.tensor(rows[self.n_steps :], dtype=torch.int64, device=device)
        self._cu_seqlens = torch.tensor([0, *accumulate(longer)], dtype=torch.int32, device=device)

    def __call__(self, q_THD: Tensor, k_THD: Tensor, v_THD: Tensor, slopes_H: Tensor, states_SHDD: Tensor) -> Tensor:
        """-> [T, H, D]; the states are brought up to date in place."""
        n, outputs = self.n_steps, []
        if n:
            outputs.append(
                lightning_step(q_THD[:n], k_THD[:n], v_THD[:n], slopes_H, states_SHDD, slots=self._step_rows_N)
            )
        if len(self._chunk_rows_N):
            o_1THD, final_NHDD = lightning_attention(
                q_THD[None, n:],
                k_THD[None, n:],
                v_THD[None, n:],
                slopes_H,
                initial_state=states_SHDD[self._chunk_rows_N],
                cu_seqlens=self._cu_seqlens,
            )
            states_SHDD[self._chunk_rows_N] = final_NHDD
            outputs.append(o_1THD[0])
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs)
