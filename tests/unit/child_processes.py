"""Processes that tests start, and that end with them."""

import subprocess

DEADLINE_S = 60  # to end when told to


def end_process(process):
    """Have it end: told to, and killed if that is not enough. Nothing to do for one that has ended."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait(DEADLINE_S)
