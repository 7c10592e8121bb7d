"""Turn a softmax checkpoint into a block-sparse one, and teach its index branches what to pick.

    student = with_msa(teacher, MSAConfig(index_dim=64, block_size=16, top_k=8))    # exact up to 128 tokens
    for loss in warm_up(student, text_T, window=1024, n_steps=200): ...

Only the index branches learn; the weights of the main branch are the teacher's own tensors.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

import torch
from torch import Tensor, nn

from policy.config import ConfigError, MSAConfig, PolicyConfig
from policy.model.decoder import Decoder
from policy.model.layer import Layer
from policy.model.msa import MSA, Index
from policy.model.packed import PackedContext
from policy.model.softmax import QKV, Softmax

# T tokens, H query heads, K kv heads, G query heads of a kv head, D head dim, I index dim, E embedding


def with_msa(model: Decoder, msa: MSAConfig, layers: Collection[int] | None = None) -> Decoder:
    """The same weights (shared, not copied) with MSA in these layers, None for every softmax layer.

    Computes what `model` does for sequences of at most top_k * block_size tokens, and picks blocks beyond. The index
    branch starts from the main one: as query the mean of the group's query heads, as key the mean of the kv heads.
    ConfigError: a layer that is not softmax, an index_dim that is not the head dim.
    """
    config = model.config
    chosen = _softmax_layers(config) if layers is None else sorted(layers)
    if wrong := [i for i in chosen if i not in _softmax_layers(config)]:
        raise ConfigError(f"layers {wrong} are no softmax layers; those are {_softmax_layers(config)}")
    if not chosen:
        raise ConfigError("found no softmax layer to convert")
    if msa.index_dim != config.head_dim:
        raise ConfigError(f"index_dim is {msa.index_dim}, wanted head_dim {config.head_dim}: it starts from the heads")
    kinds = [kind.model_dump() | ({"mixer": "msa"} if i in chosen else {}) for i, kind in enumerate(config.layers)]
    student = _rebuilt(model, PolicyConfig.of(config.model_dump() | {"layers": kinds, "msa": msa.model_dump()}))
    mixers, teachers = _mixers(student), _mixers(model)
    for i in chosen:
        mixer, teacher = mixers[i], teachers[i]
        assert isinstance(mixer, MSA)
        assert isinstance(teacher, Softmax)
        _start_index(mixer.index, teacher.qkv)
    return student


def warm_up(
    model: Decoder,
    tokens_T: Tensor,
    *,
    window: int,
    n_steps: int,
    windows_per_step: int = 4,
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> Iterator[float]:
    """Train the index branches alone, yielding each step's loss: the KL divergence from the main branch's attention
    over every visible block (arXiv 2606.13392: dense main, then sparse), mean over layers.

    Windows of `window` tokens are drawn from int64 tokens_T [T]. ValueError: fewer tokens than a window.
    """
    msa = model.config.msa
    if msa is None:
        raise ConfigError("the model has no MSA layer to warm up")
    if len(tokens_T) < window:
        raise ValueError(f"found {len(tokens_T)} tokens of text, wanted at least one window of {window}")
    everything = msa.model_copy(update={"top_k": math.ceil(window / msa.block_size)})
    dense = _rebuilt(model, PolicyConfig.of(model.config.model_dump() | {"msa": everything.model_dump()}))
    dense.requires_grad_(False)
    index = [weight for mixer in _mixers(dense) if isinstance(mixer, MSA) for weight in mixer.index.parameters()]
    for weight in index:
        weight.requires_grad_(True)
    optimizer = torch.optim.AdamW(index, lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=n_steps, pct_start=0.1)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(n_steps):
        starts = torch.randint(len(tokens_T) - window + 1, (windows_per_step,), generator=generator)
        batch_T = torch.cat([tokens_T[start : start + window] for start in starts.tolist()])
        context = PackedContext(
            [window] * windows_per_step, device=batch_T.device, collect_losses=True, index_loss_coeff=1.0
        )
        dense(batch_T, context)
        losses = [loss for name, loss in (context.losses or {}).items() if name.startswith("index/")]
        loss = torch.stack(losses).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        yield loss.item()


def _softmax_layers(config: PolicyConfig) -> list[int]:
    return [i for i, kind in enumerate(config.layers) if kind.mixer == "softmax"]


def _mixers(model: Decoder) -> list[nn.Module]:
    return [layer.mixer for layer in model.layers if isinstance(layer, Layer)]


def _rebuilt(model: Decoder, config: PolicyConfig) -> Decoder:
    """A decoder of this config on the model's own tensors; what the model does not have is still to be set."""
    state = model.state_dict()
    weight = model.embedding.weight
    rebuilt = Decoder(config, dtype=weight.dtype, device="meta")
    fresh = {
        name: torch.empty_like(parameter, device=weight.device)
        for name, parameter in rebuilt.named_parameters()
        if name not in state
    }
    rebuilt.load_state_dict({**state, **fresh}, assign=True)
    return rebuilt


@torch.no_grad()
def _start_index(index: Index, qkv: QKV) -> None:
    H, K, D = qkv.H, qkv.K, qkv.D
    weight_SDE = qkv.proj.weight.view(H + 2 * K, D, -1)
    queries_KDE = weight_SDE[:H].view(K, H // K, D, -1).mean(1)
    key_DE = weight_SDE[H : H + K].mean(0)
    index.proj.weight.copy_(torch.cat((queries_KDE, key_DE[None])).flatten(0, 1))
    for ours, theirs in ((index.q_norm, qkv.q_norm), (index.k_norm, qkv.k_norm)):
        if ours is not None and theirs is not None:
            ours.weight.copy_(theirs.weight.view(-1, D).mean(0))
