echo "set up for two, after $(tail -n 1 log.txt)" > two.txt
