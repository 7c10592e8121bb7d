"""The composite reward by hand."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from rl.objective.reward import OverlongConfig, RewardConfig, call_rewards, overlong_penalty, speed


def test_the_verifiers_reward_falls_to_the_last_call() -> None:
    assert call_rewards(1.0, [0.0, -1.0, 0.0], RewardConfig()) == [0.0, 0.0, 1.0]


def test_all_terms() -> None:
    config = RewardConfig(
        process_weight=0.1, speed_weight=0.2, overlong=OverlongConfig(max_tokens=100, buffer_tokens=20)
    )
    got = call_rewards(1.0, [-1.0, 0.5], config, n_tokens=90, completion_s=5.0, baseline_s=10.0)
    assert got == pytest.approx([-0.1, 0.05 + 1.0 - 0.5 + 0.2 / 3])


def test_compliance_is_a_channel_that_nobody_hears_unless_it_is_weighed() -> None:
    assert call_rewards(1.0, [0.0], RewardConfig(), compliance=0.5) == [1.0]
    weighed = RewardConfig(compliance_weight=0.4)
    assert call_rewards(0.0, [0.0, 0.0], weighed, compliance=0.5) == [0.0, 0.2]
    assert call_rewards(1.0, [0.0], weighed) == [1.0]  # there is no checklist


def test_failing_quickly_earns_nothing() -> None:
    config = RewardConfig(speed_weight=1.0)
    assert call_rewards(0.0, [0.0], config, completion_s=1.0, baseline_s=100.0) == [0.0]


def test_overlong_is_dapos_eq_13() -> None:
    config = OverlongConfig(max_tokens=100, buffer_tokens=20)
    found = [overlong_penalty(n, config) for n in (0, 80, 85, 90, 100, 101, 10_000)]
    assert found == pytest.approx([0.0, 0.0, -0.25, -0.5, -1.0, -1.0, -1.0])


def test_speed_falls_and_is_bounded() -> None:
    found = [speed(took_s, 10.0) for took_s in (0.0, 5.0, 10.0, 20.0, 1e9)]
    assert found == pytest.approx([1.0, 1 / 3, 0.0, -1 / 3, -1.0], abs=1e-6)
    assert speed(0.0, 0.0) == 0.0


def test_a_rollout_without_calls_is_refused() -> None:
    with pytest.raises(ValueError, match="without a model call"):
        call_rewards(1.0, [], RewardConfig())


def test_nested_problems_are_told_with_their_place() -> None:
    with pytest.raises(ValidationError) as error:
        RewardConfig.model_validate({"overlong": {"max_tokens": 5, "bufer_tokens": 9}, "sped_weight": 1})
    told = {".".join(map(str, problem["loc"])): problem["msg"] for problem in error.value.errors()}
    assert told["overlong.bufer_tokens"] == 'unknown key (nearest known key: "buffer_tokens")'
    assert told["sped_weight"] == 'unknown key (nearest known key: "speed_weight")'
    assert "overlong.buffer_tokens" in told
    with pytest.raises(ValidationError, match="buffer_tokens 9 is more than max_tokens 5"):
        OverlongConfig(max_tokens=5, buffer_tokens=9)
