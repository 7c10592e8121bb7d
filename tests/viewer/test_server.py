"""What keeps other pages, and what agents wrote, from doing harm."""

from __future__ import annotations

import http.client
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from agentgym.errors import UsageError
from agentgym.viewer.server import HEADERS, listen
from tests.viewer.conftest import get
from tests.viewer.episodes import rich, write

PAGES = ["/", "/a.jsonl", "/a.jsonl/0", "/a.jsonl/0/raw", "/-/style.css", "/-/viewer.js", "/-/icon.svg", "/nope", "/a.jsonl/7"]  # fmt: skip


@pytest.fixture(autouse=True)
def run(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", rich())


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_says_what_a_browser_may_do(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert {name: response.headers[name] for name in HEADERS} == HEADERS
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "data:" not in policy


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "[::2]:1", "", "x@127.0.0.1", "127.0.0.2"])  # fmt: skip
def test_a_name_of_elsewhere_is_refused(client: httpx.Client, host: str) -> None:
    for path in PAGES[:5]:
        response = client.get(path, headers={"Host": host})
        assert response.status_code == 403
        assert "isodate" not in response.text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1234", "LOCALHOST", "[::1]:80", "[::1]"])
def test_names_of_this_machine_are_taken_at_any_port(client: httpx.Client, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"])
def test_it_is_read_only(client: httpx.Client, method: str) -> None:
    assert client.request(method, "/a.jsonl").status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.jsonl",
        "/..%2fsecret.jsonl",
        "/%2e%2e/secret.jsonl",
        "/a.jsonl/../../secret.jsonl/0",
        "/a.jsonl%00",
        "/-/../server.py",
        "/-/..%2fserver.py",
        "//etc/passwd",
        "/a.jsonl/live-..%2f..%2fx",
        "/a.jsonl/0/text?at=/__class__",
        "/a.jsonl/0/text?at=/model_config",
        "/a.jsonl/0/text?at=/turns/-1/message/content",
        "/a.jsonl/0/text?at=/turns/99",
        "/a.jsonl/0/text?at=",
        "/a.jsonl/0/text",
        "/a.jsonl/0/tokens/99",
        "/a.jsonl/0/calls/99",
        "/a.jsonl/0/patch/99",
        "/a.jsonl/999999999",
        "/a.jsonl/99999999999999999999",
        "/a.jsonl/live-x/raw",
    ],
)
def test_what_is_not_there_is_not_found(tmp_path: Path, client: httpx.Client, path: str) -> None:
    write(tmp_path.parent / "secret.jsonl", rich(task="kept-apart"))
    address = urlsplit(str(client.base_url))
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 0)
    connection.request("GET", path)  # as it is: httpx would tidy it up
    response = connection.getresponse()
    body = response.read().decode()
    assert response.status == 404, body
    assert "kept-apart" not in body
    connection.close()


@pytest.mark.parametrize("query", ["sort=x&page=99999999", "page=-1", "turns=x", "turns=99999999999", "task=%ff%00", "sort=reward&order=down&sort=task"])  # fmt: skip
def test_odd_queries_are_pages(client: httpx.Client, query: str) -> None:
    get(client, f"/a.jsonl?{query}")
    get(client, f"/a.jsonl/0?{query}")


def test_a_page_that_has_not_changed_is_not_sent_again(tmp_path: Path, client: httpx.Client) -> None:
    for path in ("/", "/a.jsonl", "/a.jsonl/0"):
        tag = client.get(path).headers["etag"]
        again = client.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
    tag = client.get("/a.jsonl").headers["etag"]
    assert client.get("/a.jsonl?sort=reward", headers={"If-None-Match": tag}).status_code == 200
    write(tmp_path / "a.jsonl", rich(id="2"))
    assert client.get("/a.jsonl", headers={"If-None-Match": tag}).status_code == 200


def test_a_file_that_goes_away_while_it_is_shown(tmp_path: Path, client: httpx.Client) -> None:
    get(client, "/a.jsonl")
    (tmp_path / "a.jsonl").unlink()
    assert client.get("/a.jsonl/0").status_code == 404


def test_it_listens_on_this_machine_alone() -> None:
    with listen(0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"
        with pytest.raises(UsageError, match="Address already in use; name another with --port"):
            listen(listening.getsockname()[1])
