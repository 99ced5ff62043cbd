"""Time and accuracy against named peers, each in one process: `python -m benchmarks.run`."""
