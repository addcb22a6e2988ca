"""Random specs against the real tools, and broken specs against the limits: `python -m tests.fuzz --help`."""
