"""What of `wherefrom.toml` the captured process itself must know. What is wrong with the file, the recorder says."""

# Runs in the user's process, where pathlib would be one more import.
# ruff: noqa: PTH110, PTH118

from __future__ import annotations

import os

from wherefrom.errors import WherefromError


class Limits:
    """Defaults until the project is known.

    Attributes:
        log_level: lowest number of a kept log record; None keeps none.
        fit_max_bytes: larger tables in memory are not fingerprinted.
    """

    def __init__(self) -> None:
        self.log_level: int | None = 20
        self.log_max_records = 1_000
        self.fit_max_bytes = 256 * 1024**2

    def read(self, root: str) -> None:
        """Take over what the project says."""
        if not os.path.exists(os.path.join(root, "wherefrom.toml")):
            return
        from wherefrom.capture.config import nothing, read_config

        try:
            config = read_config(root)
        except WherefromError:
            config = nothing()
        self.log_level, self.log_max_records = config.log_level, config.log_max_records
        self.fit_max_bytes = config.fit_max_bytes


limits = Limits()
"""Those of this process."""
