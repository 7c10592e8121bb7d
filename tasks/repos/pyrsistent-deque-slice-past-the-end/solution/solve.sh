#!/bin/bash
set -eu
patch -p1 < /solution/fix.patch
