"""Text to token ids and back, for byte-level BPE: SmolLM2, Qwen, Llama 3 and the MiniMax models have such vocabularies.

The merging itself is the `tokenizers` package's. Special and other added tokens are ours: plain text never becomes one
of them, whatever it spells, and they are reached by name. It knows no chat formats (`policy.chat`).
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tokenizers

from policy.gguf_metadata import MetadataError, read_metadata

# GGUF says by one word how text is cut before merging; the regular expressions are those of the original tokenizers
_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
_GGUF_CUTS: dict[str, dict[str, Any]] = {
    "gpt-2": _BYTE_LEVEL,
    "smollm": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, _BYTE_LEVEL]},
}
_GGUF_ADDED = (3, 4)
"""Token types `control` and `user defined`."""


class TokenizerError(ValueError):
    """The files are no tokenizer that we can use, or lack a token that was asked for."""


class Tokenizer:
    """One vocabulary. Safe to share between threads."""

    def __init__(
        self, definition: Mapping[str, Any], *, eos_ids: Iterable[int] = (), chat_template: str | None = None
    ) -> None:
        """`definition` is what a tokenizer.json holds."""
        if not _is_byte_level(definition):
            found = (definition.get("model") or {}).get("type", "no model")
            raise TokenizerError(f"the tokenizer is {found} and not byte-level BPE, which is what can be used here")
        self.added: dict[str, int] = {token["content"]: token["id"] for token in definition.get("added_tokens") or []}
        """Special and other added tokens, by name."""
        self.eos_ids = tuple(eos_ids)
        """What ends a sequence, as the checkpoint's files say."""
        self.chat_template = chat_template
        """The checkpoint's Jinja template; renderers read their default system prompt out of it, nobody runs it."""
        self._definition = definition
        vocabulary: dict[str, int] = definition["model"]["vocab"]
        # without the added tokens in it, no merge and no `ignore_merges` can ever arrive at one of them
        plain = {token: id for token, id in vocabulary.items() if token not in self.added}
        self._backend = tokenizers.Tokenizer.from_str(
            json.dumps(
                {
                    **definition,
                    "model": {**definition["model"], "vocab": plain},
                    "added_tokens": [],
                    "post_processor": None,
                    "truncation": None,
                    "padding": None,
                }
            )
        )
        self._bytes = {id: _to_bytes(token) for token, id in plain.items()}
        self._bytes |= {id: name.encode() for name, id in self.added.items()}
        self._names = {id: name for name, id in self.added.items()}
        longest_first = sorted(self.added, key=len, reverse=True)
        self._any_added = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    # --------------------------------------------------------------------------------------------------- origins

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """From a Hugging Face folder or a .gguf file. Raises TokenizerError."""
        return cls.from_gguf(path) if path.is_file() else cls.from_folder(path)

    @classmethod
    def from_folder(cls, folder: Path) -> Tokenizer:
        """From tokenizer.json and, where they are there, the configurations beside it. Raises TokenizerError."""
        if not (folder / "tokenizer.json").is_file():
            raise TokenizerError(f"{folder}: found no tokenizer.json, wanted a Hugging Face folder or a .gguf file")
        definition = _read_json(folder / "tokenizer.json")
        settings = _read_json(folder / "tokenizer_config.json")
        ids = [_read_json(folder / name).get("eos_token_id") for name in ("generation_config.json", "config.json")]
        stated = [id for found in ids for id in (found if isinstance(found, list) else [found]) if id is not None]
        eos = settings.get("eos_token")
        name = eos.get("content") if isinstance(eos, dict) else eos
        stated += [token["id"] for token in definition.get("added_tokens") or [] if token["content"] == name]
        template = settings.get("chat_template")
        if (folder / "chat_template.jinja").is_file():
            template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
        try:
            return cls(
                definition,
                eos_ids=dict.fromkeys(stated),
                chat_template=template if isinstance(template, str) else None,
            )
        except TokenizerError as error:
            raise TokenizerError(f"{folder}/tokenizer.json: {error}") from None
        except Exception as error:  # tokenizers raises bare Exceptions at what it cannot read
            raise TokenizerError(f"{folder}/tokenizer.json: cannot be read: {error}") from error

    @classmethod
    def from_gguf(cls, file: Path) -> Tokenizer:
        """From a GGUF file's metadata. Raises TokenizerError."""
        try:
            metadata = read_metadata(file)
        except MetadataError as error:
            raise TokenizerError(str(error)) from error
        return cls.from_gguf_metadata(metadata, where=str(file))

    @classmethod
    def from_gguf_metadata(cls, metadata: Mapping[str, Any], *, where: str = "GGUF") -> Tokenizer:
        """From the keys `tokenizer.*` of GGUF metadata. Raises TokenizerError."""

        def get(key: str) -> Any:
            try:
                return metadata[f"tokenizer.ggml.{key}"]
            except KeyError:
                raise TokenizerError(f"{where}: found no tokenizer.ggml.{key}, wanted a whole vocabulary") from None

        if get("model") != "gpt2" or get("pre") not in _GGUF_CUTS:
            raise TokenizerError(
                f"{where}: found a {get('model')} vocabulary cut as {metadata.get('tokenizer.ggml.pre')!r}, "
                f"wanted gpt2 cut as one of {', '.join(sorted(_GGUF_CUTS))}"
            )
        tokens: Sequence[str] = get("tokens")
        added = [id for id, kind in enumerate(get("token_type")) if kind in _GGUF_ADDED]
        definition = {
            "version": "1.0",
            "added_tokens": [_added_token(tokens[id], id) for id in added],
            "normalizer": None,
            "pre_tokenizer": _GGUF_CUTS[get("pre")],
            "post_processor": None,
            "decoder": {**_BYTE_LEVEL, "add_prefix_space": True},
            "model": {
                "type": "BPE",
                "vocab": {token: id for id, token in enumerate(tokens)},
                "merges": [merge.split(" ") for merge in get("merges")],
            },
        }
        return cls(definition, eos_ids=[get("eos_token_id")], chat_template=metadata.get("tokenizer.chat_template"))

    def save(self, folder: Path) -> None:
        """Write tokenizer.json and tokenizer_config.json, as transformers reads them too."""
        folder.mkdir(parents=True, exist_ok=True)
        settings: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
        if named := [self._names[id] for id in self.eos_ids if id in self._names]:
            settings["eos_token"] = named[0]
        if self.chat_template is not None:
            settings["chat_template"] = self.chat_template
        for name, data in (("tokenizer.json", self._definition), ("tokenizer_config.json", settings)):
            (folder / name).write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")

    # ------------------------------------------------------------------------------------------------------- use

    @property
    def n_vocab(self) -> int:
        """Ids are below this. A model may have more rows: its tables are often padded."""
        return max(self._bytes) + 1

    def token_id(self, name: str) -> int:
        """Of an added token. Raises TokenizerError."""
        try:
            return self.added[name]
        except KeyError:
            has = ", ".join(self.added) or "none"
            raise TokenizerError(f"the tokenizer has no added token {name!r}; it has: {has}") from None

    def encode(self, text: str, *, parse_added: bool = False) -> list[int]:
        """Ids of a text. Names of added tokens in it are text like any other, unless `parse_added` asks for them:
        never ask for text that a user, a tool or a model wrote."""
        text = clean(text)
        if not parse_added or self._any_added is None:
            return self._plain(text)
        ids: list[int] = []
        at = 0
        for match in self._any_added.finditer(text):
            ids += self._plain(text[at : match.start()])
            ids.append(self.added[match[0]])
            at = match.end()
        return ids + self._plain(text[at:])

    def decode(self, ids: Iterable[int]) -> str:
        """Text of the ids, added tokens by name. Bytes that are no UTF-8 and ids of no token become U+FFFD."""
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", "replace")

    def token_bytes(self, id: int) -> bytes:
        """What one token stands for: characters may be split over tokens, bytes are not."""
        return self._bytes.get(id, b"\xef\xbf\xbd")

    def _plain(self, text: str) -> list[int]:
        return self._backend.encode(text, add_special_tokens=False).ids if text else []


class TextStream:
    """The text of tokens as they come: a character is given out when its last byte has come."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, id: int) -> str:
        """The text that this token completes, often none. All pushes and the end together are `decode` of the ids."""
        return self._decoder.decode(self._tokenizer.token_bytes(id))

    def end(self) -> str:
        """U+FFFD where a character is left unfinished."""
        return self._decoder.decode(b"", final=True)


def clean(text: str) -> str:
    """Without lone surrogates, which JSON can say and UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _is_byte_level(definition: Mapping[str, Any]) -> bool:
    model, decoder = definition.get("model") or {}, definition.get("decoder") or {}
    kinds = {decoder.get("type"), *(part.get("type") for part in decoder.get("decoders", []))}
    return model.get("type") == "BPE" and "ByteLevel" in kinds and not model.get("byte_fallback")


def _added_token(name: str, id: int) -> dict[str, Any]:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": id, "content": name, **flags, "special": True}


def _read_json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TokenizerError(f"{file}: no JSON: {error}") from error
    if not isinstance(data, dict):
        raise TokenizerError(f"{file}: found {type(data).__name__}, wanted a JSON object")
    return data


def _byte_alphabet() -> dict[int, int]:
    """Code point to byte: byte-level vocabularies spell bytes that do not print with characters from U+0100 on."""
    printing = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printing)]
    return {byte: byte for byte in printing} | {0x100 + n: byte for n, byte in enumerate(others)}


_ALPHABET = _byte_alphabet()


def _to_bytes(token: str) -> bytes:
    try:
        return token.translate(_ALPHABET).encode("latin-1")
    except UnicodeEncodeError:  # a token of another alphabet, such as a placeholder
        return token.encode()
