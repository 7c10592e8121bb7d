from __future__ import annotations

import struct
from pathlib import Path

import gguf
import pytest

from policy.gguf_metadata import MetadataError, read_metadata
from tests.policy.vocabularies import smollm2_file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Every type that there is, written by the gguf package."""
    file = tmp_path / "x.gguf"
    writer = gguf.GGUFWriter(file, "llama")
    for kind, value in {"uint8": 200, "int8": -3, "uint16": 60000, "int16": -3, "uint32": 1 << 31, "int32": -3, "float32": 0.5,
                        "bool": True, "string": "añb", "uint64": 1 << 63, "int64": -3, "float64": 0.1}.items():  # fmt: skip
        getattr(writer, f"add_{kind}")(f"a.{kind}", value)
    writer.add_array("a.numbers", [1, 2, 3])
    writer.add_array("a.strings", ["x", "", "日本"])
    writer.add_array("a.floats", [0.5, 1.5])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return file


def test_as_the_gguf_package_reads_it(file: Path) -> None:
    fields = gguf.GGUFReader(file).fields
    wanted = {name: field.contents() for name, field in fields.items() if not name.startswith("GGUF.")}
    assert read_metadata(file) == wanted
    assert wanted["a.strings"] == ["x", "", "日本"]
    assert len(wanted) == 16


def test_the_real_file() -> None:
    metadata = read_metadata(smollm2_file())
    assert metadata["general.architecture"] == "llama"
    assert len(metadata["tokenizer.ggml.tokens"]) == 49152
    assert metadata["llama.rope.freq_base"] == 100000.0


def test_cut_short_anywhere_it_says_so(file: Path) -> None:
    whole = file.read_bytes()
    end = whole.index(struct.pack("<ff", 0.5, 1.5)) + 8
    for n in range(end):
        file.write_bytes(whole[:n])
        with pytest.raises(MetadataError, match=r"damaged or cut short|begins with"):
            read_metadata(file)
    file.write_bytes(whole[:end])
    assert read_metadata(file)["a.floats"] == [0.5, 1.5]


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"GGML", "begins with b'GGML', and a GGUF file with b'GGUF'"),
        (b"GGUF" + struct.pack("<IQQ", 9, 0, 0), "is GGUF of version 9, and only 2 and 3 can be read"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 62), "damaged or cut short"),
        (b"GGUF" + struct.pack("<IQQQ1sI", 3, 0, 1, 1, b"k", 99), "damaged or cut short"),
        (b"GGUF" + struct.pack("<IQQQ1s", 3, 0, 1, 1, b"\xff"), "damaged or cut short"),
    ],
)
def test_damage_is_one_line(tmp_path: Path, head: bytes, said: str) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(head)
    with pytest.raises(MetadataError, match=said):
        read_metadata(file)
    with pytest.raises(MetadataError, match="cannot be read: No such file"):
        read_metadata(tmp_path / "none.gguf")
