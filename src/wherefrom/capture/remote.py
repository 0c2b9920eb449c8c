"""Which server a project records to, if it does: the environment says it, or `wherefrom.toml`.

A token is only sent to the server that whoever gave the token named: WHEREFROM_TOKEN to WHEREFROM_URL, and the one in
`.wherefrom/token` to the URL in `wherefrom.toml`. So nobody's repository can name a server that gets your token.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wherefrom.capture.locate import FOLDER
from wherefrom.errors import UnavailableError

if TYPE_CHECKING:
    from wherefrom.capture.config import Config

URL = "WHEREFROM_URL"
TOKEN = "WHEREFROM_TOKEN"  # noqa: S105 - a name  # nosec B105


@dataclass(frozen=True)
class Remote:
    """`token_file` is where the token is, when it is not here; `send_for_s` is how long a recorder goes on sending."""

    url: str
    token: str | None
    token_file: Path | None
    send_for_s: float

    def read_token(self) -> str | None:
        """None when there is none: a server may take statements from anybody. Raises UnavailableError."""
        if self.token_file is None:
            return self.token
        try:
            return self.token_file.read_text().strip() or None
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise UnavailableError(f"token file {self.token_file}: {error}") from error


def find_remote(root: str | Path, config: Config, environment: Mapping[str, str] = os.environ) -> Remote | None:
    """The server of a project; None: it records into its own archive, as it does where WHEREFROM_URL is set to ""."""
    if URL in environment:
        url = environment[URL].strip()
        return Remote(url, environment.get(TOKEN) or None, None, config.send_for_s) if url else None
    if config.server_url is None:
        return None
    return Remote(config.server_url, None, Path(root) / FOLDER / "token", config.send_for_s)
