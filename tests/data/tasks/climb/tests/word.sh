# for every step's test.sh: reward 1 when log.txt has the word
mkdir -p /logs/verifier
grep -qx "$1" log.txt
echo $((1 - $?)) > /logs/verifier/reward.txt
