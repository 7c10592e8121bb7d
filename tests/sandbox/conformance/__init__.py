"""What agentgym/protocols.py promises of sandboxes, sentence by sentence, held against every backend."""
