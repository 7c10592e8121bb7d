#!/bin/bash
set -e
patch -p1 < /solution/fix.patch
