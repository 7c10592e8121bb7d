"""What becomes of a hostile program: the error it met, by name."""

from __future__ import annotations

import textwrap

from agentgym.protocols import Sandbox

PRELUDE = '''
import ctypes, errno, glob, os, signal, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    """A libc function; OSError where it fails."""
    result = getattr(libc, name)(*arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
'''


def attempt(sandbox: Sandbox, body: str, *, user: str | None = None) -> str:
    """Run the Python code `body` inside: the name of the errno that ended it, or "ALLOWED" and what it printed."""
    program = (
        f"{PRELUDE}\ntry:\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n"
        "except OSError as error:\n    print(errno.errorcode.get(error.errno, f'{type(error).__name__}: {error}'))\n"
        "else:\n    print('ALLOWED')\n"
    )
    result = sandbox.exec(["python3", "-I", "-c", program], timeout_s=30, user=user)
    assert result.exit_code == 0, f"the attempt itself broke: {result}"
    return result.stdout.strip()
