"""One message with what answered it as a step of ATIF, and back.

What the format's own fields would not bring back as it was is kept under `extra`, and nothing else is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from agentgym.protocols import Message, MessageToolCall
from agentgym.trajectory import StepRecord, Turn
from agentgym.views import atif_schema as atif
from agentgym.views.turns import read_arguments, text_of

EPOCH = "1970-01-01T00:00:00Z"


def step_of(message: Message, answers: Sequence[Message] = (), turn: Turn | None = None) -> atif.Step:
    """A message as step 1; of a reply also what answered it, and the steps of its turn, answered or not."""
    match message["role"]:
        case "assistant":
            step = _agent_step(message, answers, turn)
        case "tool":  # it answers nothing in sight
            event = atif.Step(step_id=1, source="system", message="")
            return event.model_copy(update={"observation": _observation([_result(event, None, message)])})
        case "user":
            step = atif.Step(step_id=1, source="user", message=text_of(message))
        case _:
            step = atif.Step(step_id=1, source="system", message=text_of(message))
    return with_extra(step, message=_difference(message, _said(step)))


def n_answers(messages: Sequence[Message], turn: Turn | None) -> int:
    """How many of the messages after a reply belong into its step."""
    n = next((n for n, message in enumerate(messages) if message["role"] != "tool"), len(messages))
    n_loose = sum(not step.id for step in turn.steps) if turn else 0
    while n_loose and n < len(messages) and messages[n]["role"] == "user":
        n, n_loose = n + 1, n_loose - 1
    return n


def messages_of(step: atif.Step) -> list[Message]:
    """What the step says, and the answers that the model read."""
    answers = [_answer(step, result) for result in step.results if (result.extra or {}).get("sent", True)]
    if step.source == "system" and step.results and not step.message:
        return answers
    return [_restored(_said(step), step.extra, "message"), *answers]


def records_of(step: atif.Step) -> list[StepRecord]:
    """The actions of an agent's step."""
    records = []
    for result in step.results:
        extra = result.extra or {}
        kept = extra.get("step", {})
        if kept is not None and (kept or result.source_call_id):
            record = StepRecord.model_validate({**_action(step, result), **kept})
            records.append((extra.get("place", 0), record))
    return [record for _, record in sorted(records, key=lambda pair: pair[0])]


def with_extra(step: atif.Step, **extra: Any) -> atif.Step:
    """The step with what is not empty of `extra` in its own."""
    more = {name: value for name, value in extra.items() if value not in (None, {}, [])}
    return step.model_copy(update={"extra": {**(step.extra or {}), **more} or None})


def _agent_step(message: Message, answers: Sequence[Message], turn: Turn | None) -> atif.Step:
    steps = list(turn.steps) if turn else []
    calls = [_tool_call(call) for call in message.get("tool_calls") or ()]
    loose = [step for step in steps if not step.id and step.name]
    calls += [_text_call(f"text-{n}", step) for n, step in enumerate(loose)]
    around = atif.Step(
        step_id=1,
        source="agent",
        message=text_of(message),
        reasoning_content=message.get("reasoning_content"),
        tool_calls=calls or None,
    )
    results = []
    for answer, place in _paired(answers, steps):
        record = steps[place] if place is not None else None
        source: str | None = None
        if record in loose:
            source = f"text-{loose.index(record)}"
        elif record is not None:
            source = record.id
        elif answer is not None:
            source = answer.get("tool_call_id")
        if source not in [call.tool_call_id for call in calls]:
            source = None
        result = _result(around, source, answer, record)
        if record is not None:  # results come in any order, or not at all
            result = result.model_copy(update={"extra": {**(result.extra or {}), "place": place}})
        results.append(result)
    return around.model_copy(update={"observation": _observation(results)})


def _paired(answers: Sequence[Message], steps: Sequence[StepRecord]) -> list[tuple[Message | None, int | None]]:
    """Each answer with the place of the step that it answers, then the steps without one."""
    left = dict(enumerate(steps))
    pairs: list[tuple[Message | None, int | None]] = []
    for answer in answers:
        wanted = answer.get("tool_call_id") if answer["role"] == "tool" else ""
        place = next((place for place, step in left.items() if step.id == wanted), None)
        pairs.append((answer, place))
        if place is not None:
            del left[place]
    return [*pairs, *((None, place) for place in left)]


def _tool_call(call: MessageToolCall) -> atif.ToolCall:
    name, text = call["function"]["name"], call["function"]["arguments"]
    arguments = read_arguments(text)
    made = atif.ToolCall(
        tool_call_id=call["id"], function_name=name, arguments=arguments if isinstance(arguments, dict) else {}
    )
    return made if json.dumps(made.arguments) == text else made.model_copy(update={"extra": {"text": text}})


def _text_call(id: str, step: StepRecord) -> atif.ToolCall:
    """An action that the scaffold read out of the text."""
    arguments = step.arguments if isinstance(step.arguments, dict) else {}
    return atif.ToolCall(tool_call_id=id, function_name=step.name, arguments=arguments, extra={"in_text": True})


def _observation(results: list[atif.ObservationResult]) -> atif.Observation | None:
    return atif.Observation(results=results) if results else None


def _result(
    around: atif.Step, source: str | None, answer: Message | None, record: StepRecord | None = None
) -> atif.ObservationResult:
    content = text_of(answer) if answer is not None else record.observation if record is not None else ""
    result = atif.ObservationResult(source_call_id=source, content=content)
    extra: dict[str, Any] = {"step": None}
    if answer is None:
        extra["sent"] = False
    elif message := _difference(answer, _bare_answer(around, result)):
        extra["message"] = message
    if record is not None:
        action = _action(around, result)
        extra["step"] = {k: v for k, v in record.model_dump(mode="json").items() if action.get(k) != v}
    return result.model_copy(update={"extra": extra})


def _said(step: atif.Step) -> dict[str, Any]:
    """The message that the format's own fields tell."""
    if step.source != "agent":
        return {"role": step.source, "content": step.message}
    native = [call for call in step.tool_calls or () if not (call.extra or {}).get("in_text")]
    said: dict[str, Any] = {"role": "assistant", "content": step.message or (None if native else "")}
    if step.reasoning_content is not None:
        said["reasoning_content"] = step.reasoning_content
    if native:
        said["tool_calls"] = [
            {
                "id": call.tool_call_id,
                "type": "function",
                "function": {
                    "name": call.function_name,
                    "arguments": (call.extra or {}).get("text", json.dumps(call.arguments)),
                },
            }
            for call in native
        ]
    return said


def _answer(step: atif.Step, result: atif.ObservationResult) -> Message:
    return _restored(_bare_answer(step, result), result.extra, "message")


def _bare_answer(step: atif.Step, result: atif.ObservationResult) -> dict[str, Any]:
    call = _call_of(step, result)
    if call is None or (call.extra or {}).get("in_text"):
        return {"role": "user", "content": result.content}
    return {"role": "tool", "content": result.content, "tool_call_id": call.tool_call_id}


def _action(step: atif.Step, result: atif.ObservationResult) -> dict[str, Any]:
    """The StepRecord that the format's own fields tell."""
    call = _call_of(step, result)
    extra = (call.extra if call else None) or {}
    return {
        "name": call.function_name if call else "",
        "arguments": read_arguments(extra["text"]) if "text" in extra else call.arguments if call else {},
        "id": call.tool_call_id if call and not extra.get("in_text") else "",
        "observation": result.content or "",
        "is_error": False,
        "started_at": step.timestamp or EPOCH,
        "duration_s": 0.0,
    }


def _call_of(step: atif.Step, result: atif.ObservationResult) -> atif.ToolCall | None:
    return next((call for call in step.tool_calls or () if call.tool_call_id == result.source_call_id), None)


def _difference(message: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """What to change in `told` to have the message."""
    differs = {key: value for key, value in message.items() if key not in told or told[key] != value}
    lacks = [key for key in told if key not in message]
    return {**differs, **({"_lacks": lacks} if lacks else {})}


def _restored(told: dict[str, Any], extra: Mapping[str, Any] | None, name: str) -> Message:
    changes = dict((extra or {}).get(name, {}))
    for key in changes.pop("_lacks", ()):
        del told[key]
    return cast(Message, {**told, **changes})
