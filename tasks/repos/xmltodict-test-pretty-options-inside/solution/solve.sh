#!/bin/bash
set -eu
cp /solution/test_pretty_options.py tests/
