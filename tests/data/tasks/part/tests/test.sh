#!/bin/bash
mkdir -p /logs/verifier
good=$(grep -c good greeting.txt) bye=$(grep -c bye greeting.txt)
python3 - "$good" "$bye" > /logs/verifier/reward.json <<'PY'
import json, sys

good, bye = (float(count != "0") for count in sys.argv[1:])
print(json.dumps({"reward": (good + bye) / 2, "good": good, "bye": bye}))
PY
