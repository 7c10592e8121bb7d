#!/bin/bash
# Grade /repair/repair.py: run as root, this folder at /tests, verdict in /logs/verifier. The agent is nobody, so what it
# may have left running cannot touch any of this; see grade.py for what the code under test can.
exec python3 -I -S /tests/grade.py < /dev/null
