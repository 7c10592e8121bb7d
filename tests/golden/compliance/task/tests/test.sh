#!/bin/bash
mkdir -p /logs/verifier
cd /app && python3 -m unittest discover -s tests -q
echo $((1 - ($? > 0))) > /logs/verifier/reward.txt
