"""Before anything is served: what that needs is there, or it is said what is not."""

import importlib.util

import pytest

from wherefrom.errors import UnavailableError
from wherefrom.server.running import require_extra


def test_what_serving_needs_and_is_not_installed_is_named(monkeypatch):
    require_extra()
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "httptools" else find(name))
    with pytest.raises(UnavailableError, match=r"wherefrom\[server\].*not installed: httptools$"):
        require_extra()
