"""Messages to token ids, token ids to messages, and from one turn to the next without touching an id that is held."""

from policy.chat.chatml import ChatML
from policy.chat.choose import choose_renderer
from policy.chat.live import Delta, LiveReply
from policy.chat.message import Call, Message, Parsed, RenderError, Tool
from policy.chat.minimax_m2 import MiniMaxM2
from policy.chat.rendered import Rendered, Renderer, Span

__all__ = [
    "Call",
    "ChatML",
    "Delta",
    "LiveReply",
    "Message",
    "MiniMaxM2",
    "Parsed",
    "RenderError",
    "Rendered",
    "Renderer",
    "Span",
    "Tool",
    "choose_renderer",
]
