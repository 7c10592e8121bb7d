#!/bin/bash
set -e
cp /solution/test_intword_rounding.py tests/test_intword_rounding.py
