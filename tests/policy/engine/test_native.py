"""The compiled kernels against plain torch, by name, at sizes that fill no vector; and machines that cannot have them."""

import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from policy.config import RopeConfig
from policy.engine import Engine, RequestError, native
from policy.engine.native import Native, NativeError
from policy.model.rope import Rotation, rotation
from tests.policy.engine import tiny

DTYPES = [torch.float32, torch.bfloat16]


def close(found: Tensor, wanted: Tensor) -> None:
    """wanted is fp64: as near as its dtype can tell, twice that for sums in another order."""
    tolerance = {torch.float32: 2e-6, torch.bfloat16: 2**-8}[found.dtype]
    torch.testing.assert_close(found.double(), wanted, atol=tolerance, rtol=tolerance)


def unturned(lengths: Tensor, dtype: torch.dtype) -> Rotation:
    return rotation(0 * lengths, RopeConfig(theta=100.0, rotary_dim=2), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("H", "K", "D", "page", "lengths"),
    [
        (9, 3, 64, 32, [1, 31, 32, 33, 400]),
        (4, 4, 10, 3, [7]),
        (14, 2, 17, 5, [5, 6, 100]),
        (6, 1, 33, 7, [1, 50]),
        (5, 1, 128, 16, [257]),
    ],
)
def test_attention_over_pages(dtype: torch.dtype, H: int, K: int, D: int, page: int, lengths: list[int]) -> None:
    torch.manual_seed(0)
    n_pages = [-(-length // page) for length in lengths]
    P, width = sum(n_pages) + 3, max(n_pages)
    k, v = (torch.randn(P * page, K, D).to(dtype) for _ in range(2))
    # queries of a projection: a row's heads lie together, rows do not
    q, k_new, v_new = (3 * torch.randn(len(lengths), H + 2 * K, D)).to(dtype).split((H, K, K), 1)
    pages = torch.randperm(P).tolist()
    tables = torch.zeros(len(lengths), width, dtype=torch.int32)
    for row, n in enumerate(n_pages):
        tables[row, :n] = torch.tensor([pages.pop() for _ in range(n)])
    lens = torch.tensor(lengths, dtype=torch.int32)
    kernels = Native(dtype)
    turn = rotation(lens - 1, RopeConfig(theta=100.0, rotary_dim=D // 4 * 2), dtype)
    before = k.clone(), v.clone()
    rows = torch.arange(len(lengths), dtype=torch.int32)
    found = kernels.attend(q, k_new, v_new, turn, k, v, tables, rows, lens, page, D**-0.5)
    for row, length in enumerate(lengths):
        slots = (tables[row].long()[:, None] * page + torch.arange(page)).flatten()[:length]
        close(k[slots[-1]], turn(k_new.double())[row])
        assert torch.equal(v[slots[-1]], v_new[row])
        for cache, old in zip((k, v), before, strict=True):
            assert torch.equal(cache[slots[:-1]], old[slots[:-1]]), "what was there stays"
        keys, values = (cache[slots].double().repeat_interleave(H // K, 1) for cache in (k, v))
        weights = (torch.einsum("hd,lhd->hl", turn(q)[row].double(), keys) * D**-0.5).softmax(-1)
        close(found[row], torch.einsum("hl,lhd->hd", weights, values))
        # nor do the others in the batch change a bit
        one = slice(row, row + 1)
        turn_one = Rotation(turn.cos_TR[one], turn.sin_TR[one])
        new = (q[one], k_new[one], v_new[one], turn_one)
        alone = kernels.attend(*new, k, v, tables, rows[one], lens[one], page, D**-0.5)
        assert torch.equal(alone[0], found[row])


def test_attention_that_is_all_on_one_key() -> None:
    """Scores that only a softmax without overflow survives."""
    k = torch.zeros(40, 1, 8)
    k[23] = 100.0
    v = torch.arange(40.0)[:, None, None].expand(40, 1, 8).contiguous()
    q = torch.full((1, 2, 8), 50.0)
    tables, lengths = torch.arange(5, dtype=torch.int32)[None], torch.tensor([39], dtype=torch.int32)
    turn = unturned(lengths, torch.float32)
    found = Native(torch.float32).attend(q, k[38:39], v[38:39], turn, k, v, tables, 0 * lengths, lengths, 8, 1.0)
    assert torch.equal(found, torch.full((1, 2, 8), 23.0))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 48), (37, 576), (3, 5, 17), (9, 1)])
def test_rms_norm(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(shape).to(dtype), torch.randn(shape[-1]).to(dtype)
    wanted = F.rms_norm(x.double(), shape[-1:], weight.double(), 1e-5)
    close(Native(dtype).rms_norm(x, weight, 1e-5), wanted)
    strided = torch.stack((x, x), -2)[..., 0, :]
    close(Native(dtype).rms_norm(strided, weight, 1e-5), wanted)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("R", "width"), [(1, 64), (37, 1536), (9, 17)])
def test_swiglu(dtype: torch.dtype, R: int, width: int) -> None:
    torch.manual_seed(0)
    gate, up = 20 * torch.randn(R, width), torch.randn(R, width)
    gate[0, :4] = torch.tensor([-1e4, -88.5, 88.5, 1e4])
    gate_up = torch.cat((gate, up), -1).to(dtype)
    gate, up = gate_up.chunk(2, -1)
    silu = F.silu(gate.double()).to(dtype)
    close(Native(dtype).swiglu(gate_up), silu.double() * up.double())


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_no_number_stays_none(dtype: torch.dtype) -> None:
    """A model that has diverged must not be served as if it were well."""
    kernels = Native(dtype)
    # all bits of the payload set: the NaN that rounding would carry furthest
    nan = torch.full((1, 17), -1, dtype=torch.int32).view(torch.float32).to(dtype)
    assert kernels.rms_norm(nan, torch.ones(17, dtype=dtype), 1e-5).isnan().all()
    assert kernels.swiglu(torch.cat((nan, nan), -1)).isnan().all()
    k = torch.ones(8, 1, 17, dtype=dtype)
    tables, lengths = torch.zeros(1, 1, dtype=torch.int32), torch.tensor([8], dtype=torch.int32)
    found = kernels.attend(
        nan[None], k[:1], k[:1], unturned(lengths, dtype), k, k.clone(), tables, 0 * lengths, lengths, 8, 1.0
    )
    assert found.isnan().all()


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Nothing is compiled yet -> the cache's folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    native._library.cache_clear()
    yield tmp_path / "agentgym" / "native"
    native._library.cache_clear()


def test_what_is_compiled_is_kept(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Native(torch.float32)
    (kept,) = fresh.iterdir()
    native._library.cache_clear()
    # looking at the compiler is all that may be done
    run, commands = subprocess.run, []
    monkeypatch.setattr(subprocess, "run", lambda command, **more: (commands.append(command), run(command, **more))[1])
    Native(torch.bfloat16)
    assert [kept] == list(fresh.iterdir())
    assert len(commands) == 1
    assert "-E" in commands[0]


@pytest.mark.parametrize(
    ("compiler", "problem"),
    [
        ("no-such-compiler", "no C\\+\\+ compiler 'no-such-compiler': install one"),
        ("false -O1", "`false -O1 .*` failed"),
    ],
)
def test_without_a_compiler_torch_serves_and_it_is_said(
    fresh: Path, compiler: str, problem: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CXX", compiler)
    with pytest.raises(NativeError, match=problem):
        Native(torch.float32)
    with pytest.raises(RequestError, match=f"native_kernels: .*{problem}"):
        Engine(tiny.model(), tiny.config(native_kernels=True))

    async def use(engine: Engine) -> tuple[str, list[int]]:
        generation = await tiny.complete(engine, [1, 2, 3])
        return engine.metrics().kernels, generation.ids

    with caplog.at_level(logging.WARNING):
        found = tiny.serve(tiny.model(), tiny.config(), use)
    assert "the engine computes through torch" in caplog.text
    assert found == tiny.serve(tiny.model(), tiny.config(native_kernels=False), use)
    assert found[0] == "torch"


def test_kernels_are_native_where_that_is_possible_and_it_is_told() -> None:
    async def told(engine: Engine) -> str:
        await tiny.complete(engine, [1, 2, 3])
        return engine.metrics().kernels

    assert tiny.serve(tiny.model(), tiny.config(), told) == "native"
    assert tiny.serve(tiny.model().double(), tiny.config(), told) == "torch"
    with pytest.raises(RequestError, match=r"native_kernels need fp32 or bf16 .* not torch.float64 on cpu"):
        Engine(tiny.model().double(), tiny.config(native_kernels=True))
