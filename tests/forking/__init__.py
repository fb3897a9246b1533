"""Commands of nnU-Net and of ours in forks of one process that has imported everything: no imports to wait for.

`fixture.py` starts the server once per test worker, `server.py` forks, `client.py` stands in for the program that a
user types. What only real processes show (spawned workers, the console scripts) a few tests still try with those.
"""
