"""A model behind any OpenAI-compatible server, over HTTP.

One request a reply, to `/chat/completions`, not streamed: nobody watches tokens come in. What passes by itself (a busy
server, a lost connection, a broken answer) is tried again; what does not is one clear ModelError. It knows nothing of
tokens: servers that give token ids and log-probabilities are the gateway's business.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import random
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from agentgym.errors import ModelError, UsageError
from agentgym.models.spec import read_toml, refuse_unknown
from agentgym.protocols import FinishReason, Message, MessageToolCall, Reply, Sampling, Usage

logger = logging.getLogger(__name__)

RETRIED = frozenset({408, 409, 425, 429, *range(500, 600)})
QUOTED_CHARS = 500
"""Of what a server said, in an error."""

# what servers say in place of a code: OpenAI, vLLM, SGLang, llama.cpp, Anthropic, TGI, MiniMax, Gemini and LiteLLM
OVERFLOW = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum context length|model.s context length|maximum model length"
    r"|context (length|window) (is )?exceed|exceeds? (the |model )?(available )?context (size|window|length|limit)"
    r"|context window exceeds|(prompt|input) is too long|maximum allowed (input )?length"
    r"|tokens \+ .max_new_tokens. must be|input token count .* exceeds",
    re.IGNORECASE,
)


class ContextOverflow(ModelError):
    """The prompt does not fit the model's window. Trying again is no use; a shorter prompt is."""

    context_overflow = True


class EndpointConfig(BaseModel):
    """Where the server is and how to sample from it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str
    """Up to and with the version, such as `http://localhost:8000/v1`."""
    model: str
    """The name the server knows it by."""
    api_key_env: str | None = None
    """Environment variable that holds the key. Without it and `api_key_file` no key is sent."""
    api_key_file: Path | None = None
    """File that holds the key and nothing else."""
    temperature: float | None = Field(default=None, ge=0)
    """None leaves it to the server, as with the next two."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, gt=0)
    """Tokens sampled at most for one reply."""
    window_tokens: int | None = Field(default=None, gt=0)
    """What the model can read and write in one request, told to scaffolds that keep below it; None: not known."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Further keys of the request's body, as the server names them; they win over ours."""
    timeout_s: float = Field(default=600.0, gt=0)
    """For one attempt, from the request's first byte to the answer's last."""
    retries: int = Field(default=6, ge=0)
    """Attempts after the first."""
    backoff_s: float = Field(default=1.0, gt=0)
    """Longest wait before the first retry; doubles with each, and a random half of it is taken off."""
    backoff_max_s: float = Field(default=60.0, gt=0)
    """The doubling ends here. A server's own Retry-After is honoured above it, up to `timeout_s`."""

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, value: str) -> str:
        try:
            url = httpx.URL(value)
        except httpx.InvalidURL as error:
            raise ValueError(f"found {value!r}: {error}") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError(f"found {value!r}, wanted http://HOST[:PORT]/v1 or https://…")
        if url.userinfo or url.query or url.fragment:
            raise ValueError("found user, query or fragment in the URL, wanted none; a key goes into api_key_env")
        return value.rstrip("/")


class _Fault(Exception):
    """One attempt that failed; says so in one line, without the key."""

    def __init__(self, line: str, *, retry: bool, wait_s: float = 0.0, overflow: bool = False) -> None:
        super().__init__(line)
        self.retry = retry
        """Whether it may pass by itself."""
        self.wait_s = wait_s
        """What the server asked to wait."""
        self.overflow = overflow


class EndpointModel:
    """Asks the server for one reply at a time. Safe to share between threads."""

    def __init__(self, config: EndpointConfig) -> None:
        self.config = config
        self.name = config.model
        self.window_tokens = config.window_tokens
        self._url = f"{config.base_url}/chat/completions"
        self._key = _read_key(config)
        authorization = {"authorization": f"Bearer {self._key}"} if self._key else {}
        self._client = httpx.Client(
            headers={"content-type": "application/json", **authorization},
            timeout=config.timeout_s,
            # as many connections as there are episodes: the limit on those is not ours to set
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
            # a proxy for the world outside cannot reach this machine's own servers
            trust_env=not _is_loopback(httpx.URL(config.base_url).host),
        )
        self._warned_of_usage = False

    @classmethod
    def from_spec(cls, rest: str, options: Mapping[str, Any]) -> EndpointModel:
        """`MODEL@BASE_URL`, or a .toml file with the keys of EndpointConfig; `options` are such keys too and win."""
        values: dict[str, Any]
        if rest.endswith(".toml"):
            values = read_toml(Path(rest))
        else:
            model, at, base_url = rest.rpartition("@")
            if not (model and at and base_url):
                raise UsageError(
                    f"endpoint:{rest}: wanted endpoint:MODEL@BASE_URL, such as "
                    "endpoint:gpt-x@http://localhost:8000/v1, or endpoint:FILE.toml"
                )
            values = {"model": model, "base_url": base_url}
        values |= options
        refuse_unknown(values, EndpointConfig.model_fields, f"endpoint:{rest}")
        try:
            config = EndpointConfig(**values)
        except ValidationError as error:
            first = error.errors()[0]
            raise UsageError(f"endpoint:{rest}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        return cls(config)

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] = (),
        sampling: Sampling | None = None,
    ) -> Reply:
        """Answer. Raises ContextOverflow, and ModelError when the retries are used up or would be of no use."""
        body = self._body(messages, tools, sampling or Sampling())
        failed = 0
        while True:
            try:
                return self._parse(self._post(body))
            except _Fault as fault:
                failed += 1
                wait_s = self._wait_s(fault, failed)
                logger.warning("%s; again in %.1f s", fault, wait_s)
            time.sleep(wait_s)

    def close(self) -> None:
        """End the connections that are kept open."""
        self._client.close()

    def _body(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], asked: Sampling) -> bytes:
        config = self.config
        caps = [n for n in (config.max_tokens, asked.max_tokens) if n is not None]
        sampling = {
            "temperature": asked.temperature if config.temperature is None else config.temperature,
            "top_p": asked.top_p if config.top_p is None else config.top_p,
            "max_tokens": min(caps, default=None),
            "stop": list(asked.stop) or None,
        }
        body: dict[str, Any] = {"model": config.model, "messages": list(messages)}
        body |= {key: value for key, value in sampling.items() if value is not None}
        if tools:
            body["tools"] = list(tools)
        # plain ASCII: a lone surrogate in what a model wrote earlier has no UTF-8
        return json.dumps(body | config.extra).encode("ascii")

    def _post(self, body: bytes) -> dict[str, Any]:
        """One attempt: the answer's JSON object, or a _Fault."""
        deadline = time.monotonic() + self.config.timeout_s
        content = bytearray()
        try:
            with self._client.stream("POST", self._url, content=body) as response:
                for chunk in response.iter_bytes():
                    content += chunk
                    # some servers send blanks to keep the line open, which the client's own timeout takes for life
                    if time.monotonic() > deadline:
                        raise httpx.ReadTimeout("timed out")
        except httpx.RequestError as error:
            reason = f"no answer in {self.config.timeout_s:g} s" if isinstance(error, httpx.TimeoutException) else error
            raise _Fault(f"POST {self._url}: {reason or type(error).__name__}", retry=True) from error
        text = content.decode("utf-8", "replace")
        try:
            payload = json.loads(text)
        except (ValueError, RecursionError):
            payload = None
        if response.is_success and isinstance(payload, dict) and not payload.get("error"):
            return payload
        raise self._refusal(response, payload, text)

    def _refusal(self, response: httpx.Response, payload: Any, text: str) -> _Fault:
        """What the server said in place of a reply."""
        error = payload.get("error") if isinstance(payload, dict) else None
        details = error if isinstance(error, dict) else payload if isinstance(payload, dict) else {}
        said = next((details[key] for key in ("message", "detail") if details.get(key)), error or text)
        code = details.get("code")
        # routers answer 200 and put the status of the server behind them into the body
        status = code if response.is_success and isinstance(code, int) else response.status_code
        line = f"POST {self._url}: {status}: {self._quote(str(said)) or response.reason_phrase}"
        if response.is_success and not isinstance(payload, dict):
            line = f"POST {self._url}: {status}, but the body is no JSON object: {self._quote(text)!r}"
        if status in (401, 403):
            line += f" ({self._key_origin()})"
        if status == 404:
            line += f" (check base_url and model, here {self.config.model!r})"
        overflow = status != 429 and OVERFLOW.search(f"{code} {details.get('type')} {said}") is not None
        # a spent account answers 429 too, and no wait refills it
        passing = status in RETRIED or (response.is_success and status == response.status_code)
        retry = passing and code != "insufficient_quota"
        return _Fault(line, retry=retry, wait_s=_retry_after_s(response), overflow=overflow)

    def _parse(self, payload: dict[str, Any]) -> Reply:
        try:
            choice = payload["choices"][0]
            said = choice["message"]
            tool_calls = [_tool_call(call) for call in said.get("tool_calls") or []]
            content = _clean(said.get("content") or "")
            reasoning = _clean(said.get("reasoning_content") or said.get("reasoning") or "")
            usage = payload.get("usage") or {}
            counted = Usage(int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            text = json.dumps(payload)
            line = f"POST {self._url}: 200, but the body is no chat completion: {self._quote(text)!r}"
            raise _Fault(line, retry=True, overflow=OVERFLOW.search(text) is not None) from error
        if not counted.completion_tokens and not self._warned_of_usage:
            self._warned_of_usage = True
            logger.warning("POST %s: the server counts no tokens: limits on tokens will not hold", self._url)
        message: Message = {"role": "assistant", "content": content or (None if tool_calls else "")}
        if reasoning:
            message["reasoning_content"] = reasoning
        if tool_calls:
            message["tool_calls"] = tool_calls
        finish_reason: FinishReason = "tool_calls" if tool_calls else "stop"
        if choice.get("finish_reason") == "length":
            finish_reason = "length"
        return Reply(message, finish_reason, counted)

    def _wait_s(self, fault: _Fault, failed: int) -> float:
        """Seconds until the next attempt; raises when there should be none."""
        if fault.overflow:
            raise ContextOverflow(str(fault))
        if not fault.retry:
            raise ModelError(str(fault))
        if failed > self.config.retries:
            raise ModelError(f"{fault}; gave up after {failed} attempt{'s' if failed > 1 else ''}")
        if fault.wait_s > self.config.timeout_s:
            raise ModelError(f"{fault}; the server asks to wait {fault.wait_s:.0f} s, longer than timeout_s")
        if fault.wait_s:
            # every episode was told the same moment
            return fault.wait_s + random.uniform(0, self.config.backoff_s)
        longest_s = min(self.config.backoff_s * 2.0 ** (failed - 1), self.config.backoff_max_s)
        return longest_s * random.uniform(0.5, 1)

    def _quote(self, text: str) -> str:
        """What a server said, on one line and without the key: some quote the one that they refuse."""
        text = text.replace(self._key, "[key]") if self._key else text
        line = " ".join(text.split())
        return line if len(line) <= QUOTED_CHARS else f"{line[:QUOTED_CHARS]}…"

    def _key_origin(self) -> str:
        origin = self.config.api_key_env or self.config.api_key_file
        return f"check the key in {origin}" if origin else "no key was sent: set api_key_env or api_key_file"


def _tool_call(call: dict[str, Any]) -> MessageToolCall:
    """In OpenAI's shape also where the server is lax about it."""
    name, arguments = call["function"]["name"], call["function"].get("arguments") or "{}"
    if not isinstance(name, str):
        raise TypeError(f"the name of a tool call is {name!r}")
    return {
        "id": call.get("id") or f"call_{uuid.uuid4().hex[:24]}",
        "type": "function",
        "function": {
            "name": name,
            "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments),
        },
    }


def _clean(text: str) -> str:
    """Without lone surrogates, which JSON can say and UTF-8 cannot."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _retry_after_s(response: httpx.Response) -> float:
    """Seconds that the Retry-After header asks for; 0 without one that can be read."""
    value = response.headers.get("retry-after", "")
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, until.timestamp() - time.time())


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read_key(config: EndpointConfig) -> str:
    """The key, empty when none is wanted."""
    if config.api_key_env and config.api_key_file:
        raise UsageError("found api_key_env and api_key_file, wanted one of them")
    if config.api_key_env:
        key = os.environ.get(config.api_key_env, "").strip()
        origin = f"environment variable {config.api_key_env}"
    elif config.api_key_file:
        origin = str(config.api_key_file)
        try:
            key = config.api_key_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"api_key_file {origin} cannot be read: {error}") from error
    else:
        return ""
    if not re.fullmatch(r"[!-~]+", key):
        found = "not one word of plain ASCII" if key else "empty or missing"
        raise UsageError(f"the key in {origin} is {found}; put the key there and nothing else")
    return key
