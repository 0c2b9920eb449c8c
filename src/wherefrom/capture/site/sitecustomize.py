"""First on the path of programs that `wherefrom run` starts: begins capture, then makes way for the user's own."""

import os
import sys


def _make_way() -> None:
    ours = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - at start-up, before pathlib is imported
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) != ours]  # noqa: PTH100
    this = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401 - the next one on the path
    except ImportError as error:
        sys.modules["sitecustomize"] = this
        if error.name != "sitecustomize":
            raise


if "WHEREFROM_RECORDER" not in os.environ:  # a recorder doesn't record itself
    try:
        from wherefrom.capture.bootstrap import start
    except ImportError:
        pass  # another Python, which has no wherefrom: the launcher records a gap
    else:
        start()
_make_way()
