"""Speaking with a Wherefrom server over HTTP: recording, asking, following. Manual: docs/client.md."""

from wherefrom.client.client import Client
from wherefrom.client.connection import ServerBusyError
from wherefrom.client.live import LiveEvent
from wherefrom.client.receipts import Sent

__all__ = ["Client", "LiveEvent", "Sent", "ServerBusyError"]
