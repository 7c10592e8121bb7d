#!/bin/bash
. /tests/word.sh two
