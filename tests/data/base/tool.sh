#!/bin/bash
echo "tool says $1"
