from __future__ import annotations

import pytest

from agentgym.scoring.checklist.effects import effects
from agentgym.scoring.checklist.shell import commands, run


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ls -la", ["ls -la"]),
        ("cd src && FOO=1 make -j2 all; echo done | tee log", ["make -j2 all", "echo done", "tee log"]),
        ("echo 'a && b; c' \"d | e\"", ["echo 'a && b; c' 'd | e'"]),
        ("cat <<'EOF' > a.txt\nrm -rf /\nEOF\nls", ["cat", "ls"]),
        ("# rm it\nls # and rm\npwd", ["ls", "pwd"]),
        ("make \\\n  all", ["make all"]),
        ("bash -c 'cd x && ls' && sudo -n true", ["ls", "-n true"]),
        ("if [ -f a ]; then cat a; fi", ["'[' -f a ']'", "cat a", "fi"]),
        ("timeout 60 env A=b pytest -q 2>&1 | tail -3", ["pytest -q", "tail -3"]),
        ("echo it's", ["echo 'it'\"'\"'s'"]),
        ("git commit -m \"$(cat <<'EOF'\nfix: a\n\nb && c\nEOF\n)\"", ["git commit -m 'fix: a\n\nb && c'"]),
        ("", []),
    ],
)
def test_simple_commands(text: str, words: list[str]) -> None:
    assert [command.text for command in commands(text)] == words


@pytest.mark.parametrize(
    ("text", "done"),
    [
        ("cat a.py b.py", ["read a.py", "read b.py"]),
        ("cd src && head -n 20 a.py", ["read src/a.py"]),
        ("sed -n '1,5p' a.py", ["read a.py"]),
        ("sed -i 's/a/b/' a.py b.py", ["edit a.py", "edit b.py"]),
        ("sed -i -e 's/a/b/' a.py", ["edit a.py"]),
        ("perl -pi -e 's/a/b/' a.py", ["edit a.py"]),
        ("grep -rn 'x' src | head", ["search src"]),
        ("find . -name '*.py'", ["search ."]),
        ("echo x > a.txt", ["write a.txt"]),
        ("echo x >> a.txt 2>/dev/null", ["edit a.txt"]),
        ("make 2>&1 | tee -a log", ["edit log"]),
        ("cp a.py b.py && mv c.py d.py && rm -f e.py", ["read a.py", "write b.py", "delete c.py", "write d.py", "delete e.py"]),
        ("cat > new.py <<EOF\nx = 1\nEOF", ["write new.py"]),
        ("python - <<'EOF'\nfrom pathlib import Path\nPath('a.py').write_text('x')\nEOF", ["write a.py"]),
        ("python3 -c \"open('a.py', 'a').write('x')\"", ["edit a.py"]),
        ("python3 -c \"open('a.py').read()\"", []),
        ("git checkout -- a.py; git rm b.py; git mv c.py d.py", ["edit a.py", "delete b.py", "delete c.py", "write d.py"]),
        ("git -C /app commit -am 'fix: x'", ["commit "]),
        ("git checkout -b topic", ["branch "]),
        ("git branch -a", []),
        ("python -m pytest -q", ["tests "]),
        ("make -C lib test", ["tests "]),
        ("make tested", []),
        ("npm run test", ["tests "]),
        ("diff a b > /dev/null", []),
    ],
)  # fmt: skip
def test_what_commands_do(text: str, done: list[str]) -> None:
    assert [f"{one.action} {one.path}" for command in commands(text) for one in effects(command)] == done


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("git commit -m one -m two", "one\n\ntwo"),
        ("git commit -qam'one'", "one"),
        ("git commit --message=one", "one"),
        ("git commit -F - <<'EOF'\none\n\ntwo\nEOF", "one\n\ntwo"),
        ("git commit --amend --no-edit", ""),
    ],
)
def test_commit_messages(text: str, message: str) -> None:
    (one,) = [one for command in commands(text) for one in effects(command)]
    assert (one.action, one.text) == ("commit", message)


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("cd src", "src"),
        ("cd src && cd shop; ls", "src/shop"),
        ("(cd src && ls)", ""),
        ("echo $(cd src; pwd)", ""),
        ("bash -c 'cd src'", ""),
        ("cd /app/src", "/app/src"),
        ("cd src; cd ..", "."),
    ],
)
def test_where_a_shell_is_afterwards(text: str, folder: str) -> None:
    assert run(text)[1] == folder
