"""The sampler's side of a policy: token ids in, tokens with logprobs and versions out, many requests at once.

Engine            the asyncio service; ThreadedEngine: the same for threads, TokenStream: one request of theirs
EngineConfig      its sizes; SamplingParams: one request's
Generation        a caller's end of a request: tokens as they come, interrupt, resume, cancel
Token             id, logprob, version; FinishReason: why there are no more
"""

from policy.engine.config import EngineConfig, SamplingParams
from policy.engine.errors import EngineError, EngineStopped, QueueFull, RequestError
from policy.engine.generation import Generation
from policy.engine.metrics import Metrics
from policy.engine.request import FinishReason, Token
from policy.engine.runner import Weights
from policy.engine.service import Engine
from policy.engine.stream import TokenStream
from policy.engine.threads import Completion, ThreadedEngine

__all__ = [
    "Completion",
    "Engine",
    "EngineConfig",
    "EngineError",
    "EngineStopped",
    "FinishReason",
    "Generation",
    "Metrics",
    "QueueFull",
    "RequestError",
    "SamplingParams",
    "ThreadedEngine",
    "Token",
    "TokenStream",
    "Weights",
]
