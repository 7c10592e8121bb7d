"""Other shapes of a trajectory, each a file and each a pure function of the record: nothing here reads or writes files.

conversation   who said what to whom: the calls of a session taken apart into branches, the main line among them
turns          turns and steps of agents that only the gateway saw
messages       OpenAI messages, one conversation a line
atif           Harbor's Agent Trajectory Interchange Format; atif_reading is the way back
samples        token ids to train on
difference     where two trajectories part

What went over the wire is in the journal alone: `gateway/reading.py`.
"""
