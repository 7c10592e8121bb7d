#!/bin/bash
. /tests/word.sh one
