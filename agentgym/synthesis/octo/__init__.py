"""The suite tasks/octo: small work in real repositories, done by many rules that programs check.

environment  the repositories           rule, rules/  what may be asked for   seed     teams, written by hand
turn         what the user wants done   conflict      who should win          grammar  draws the suite
draft        a task and its items       folder, toml  ... as a task folder    suite    all of the folders
conduct      how a script behaves       writing       what it writes          script   its replies; `agent` plays them
breaking     breaches in one episode    checking      shows that each item can be kept, and broken by itself

    python -m agentgym.synthesis.octo write | check
"""
