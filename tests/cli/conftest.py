"""The command line, run as a user types it."""

import sys

import pytest

from wherefrom.cli import main


@pytest.fixture
def wherefrom(monkeypatch, capsys):
    """Runs the command line in this process; gives status, stdout, stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["wherefrom", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capsys.readouterr()
        return stopped.value.code, out, err

    return run
