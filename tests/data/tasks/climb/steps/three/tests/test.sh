#!/bin/bash
. /tests/word.sh three
