"""From a project's outbox to its server: in the background of a recorder, or at once (`wherefrom outbox send`)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from wherefrom.capture.channel import say
from wherefrom.capture.recorder.draining import drain_into
from wherefrom.capture.recorder.parcels import list_refused
from wherefrom.capture.recorder.sender import Courier, Delivery, Sender, send_patiently
from wherefrom.capture.recorder.sink import RemoteSink, read_producer_key
from wherefrom.capture.remote import Remote
from wherefrom.client import Client
from wherefrom.errors import WherefromError

_OTHERS_S = 30.0


def start_courier(root: str, remote: Remote) -> Courier | None:
    """Begin to send what waits, and what comes; None, said on stderr, when it is not known where to."""
    try:
        sender = make_sender(root, remote)
    except WherefromError as error:
        say(f"warning: nothing can be sent: {error}; statements wait in the outbox")
        return None
    if refused := list_refused(root):
        say(f"warning: the server refused statements before: {len(refused)} files in '{refused[0].parent}/*.refused'")
    return Courier(sender, url=remote.url)


def make_sender(root: str | Path, remote: Remote) -> Sender:
    """Raises FormatError: no such URL. UnavailableError: the token can't be read."""
    # Its own pace, not the client's, so that a recorder that ends need not wait for the next attempt.
    client = Client(remote.url, remote.read_token(), attempts=1)
    return Sender(root, client, partial(read_producer_key, root))


def send_outbox(root: str | Path, remote: Remote, *, namespace: str | None) -> Delivery:
    """Sign what is not signed yet, and send all that waits. Raises as `make_sender` and `RemoteSink.open` do."""
    sender = make_sender(root, remote)
    drained = drain_into(RemoteSink.open(str(root), namespace=namespace), root)
    delivery = send_patiently(sender, seconds=_OTHERS_S)
    delivery.left += drained.left
    return delivery
