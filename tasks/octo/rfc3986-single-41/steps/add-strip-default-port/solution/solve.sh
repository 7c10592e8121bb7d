#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/rfc3986/normalizers.py')
before = 'def remove_dot_segments(s):'
new = 'def strip_default_port(host: str, scheme: str = "http") -> str:\n    """Take the port off a host where it is the scheme\'s own.\n\n    Args:\n        host: The host, with or without a port.\n        scheme: The scheme.\n\n    Returns:\n        What was asked for.\n    """\n    ports = {"http": ":80", "https": ":443", "ftp": ":21"}\n    return host.removesuffix(ports.get(scheme, ":"))\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_strip_default_port.py <<'END'
from rfc3986.normalizers import strip_default_port


def test_strip_default_port_1():
    assert strip_default_port("a.org:80") == "a.org"


def test_strip_default_port_2():
    assert strip_default_port("a.org:443", "https") == "a.org"


def test_strip_default_port_3():
    assert strip_default_port("a.org:8080") == "a.org:8080"
END
