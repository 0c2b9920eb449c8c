"""The recorder: `python -m wherefrom.capture.recorder ROOT SPOOL`, started by the captured process.

It reads frames from stdin, hashes and records, and replies on descriptor 4: {"answer": n} to those who ask,
{"done": true, …} after `bye`. When every process that could write has gone without a `bye`, they were killed.
A recorder for a server goes on sending for some time after that; nobody waits for it then.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from typing import IO, Any

from wherefrom.capture.channel import REPLIES, say
from wherefrom.capture.recorder.inbox import Inbox
from wherefrom.capture.recorder.outbox import Spool

_NICENESS = 10
_LINGER_S = 10.0


def main(root: str, spool_name: str) -> None:
    """Serve one captured process, its forked children included."""
    with suppress(OSError):
        os.setsid()
    with suppress(OSError):
        os.nice(_NICENESS)
    replies = os.fdopen(REPLIES, "wb", buffering=0)
    inbox = Inbox(sys.stdin.buffer)
    # The pipe is read from here on, so that these slow imports don't hold up who writes into it.
    from wherefrom.capture.recorder.service import Service

    spool = Spool(root, spool_name)
    service = Service(root, answer=lambda number: _reply(replies, {"answer": number}), on_open=spool.open)
    is_killed = True
    for frame in inbox:
        spool.write(frame)
        if not service.take(frame):
            is_killed = False
            break
    try:
        done = service.finish(at_ns=time.time_ns())
    except Exception as error:  # noqa: BLE001 - the spool file keeps what this could not record
        say(f"warning: {type(error).__name__}: {error}; what was not recorded is kept in '{spool.path}'")
        return
    spool.remove()
    _reply(replies, done)
    replies.close()
    if not is_killed and inbox.await_end(_LINGER_S):
        service.note_late_changes()
    _leave_stderr()
    service.send_rest()


def _leave_stderr() -> None:
    """Whoever reads the program's output to its end must not wait for us."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)


def _reply(replies: IO[bytes], reply: dict[str, Any]) -> None:
    with suppress(OSError):
        replies.write(json.dumps(reply).encode() + b"\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
