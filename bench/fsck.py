"""How long it takes to check a whole log, from a folder and over HTTP, and to mirror it.

    python bench/fsck.py [entries]

Entries have about 450 bytes, as ledger entries of Wherefrom do. Each measurement runs in a process of its own, so that
its memory is its own.
"""

from __future__ import annotations

import functools
import http.server
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from wherefrom.merkle import TILE_WIDTH, append_to_tiles, format_entries_path, format_tile_path, hash_leaf
from wherefrom.notes import Checkpoint, SigningKey, sign_checkpoint
from wherefrom.tlog.entries import format_entries

KEY = SigningKey("example.com/bench", bytes(32))
MEASURE = """
import resource, sys, time
from pathlib import Path
from wherefrom.notes import parse_checkpoint, parse_note
from wherefrom.tlog import Mirror, check_log, open_source, read_checkpoint
def parse(note): return parse_checkpoint(parse_note(note).text)
what, where, copy = sys.argv[1:]
source = open_source(where)
wall, cpu = time.perf_counter(), time.process_time()
if what == "mirror":
    Mirror(Path(copy)).update(source, parse)
else:
    found = check_log(source, parse(read_checkpoint(source)))
    assert found.outcome.value == "true", found
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(f"{what:7} {where.split(':')[0][:5]:6} {wall:7.1f} s, {cpu:6.1f} s of processor, {memory} MiB")
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments: object) -> None:
        pass


def make(folder: Path, size: int) -> None:
    entries = [b"%020d" % index + b"x" * 430 for index in range(size)]
    tiles, root = append_to_tiles(0, [hash_leaf(entry) for entry in entries], lambda *_: b"")
    files = {format_tile_path(level, index, len(data) // 32): data for (level, index), data in tiles.items()}
    for start in range(0, size, TILE_WIDTH):
        bundle = entries[start : start + TILE_WIDTH]
        files[format_entries_path(start // TILE_WIDTH, len(bundle))] = format_entries(bundle)
    files["checkpoint"] = sign_checkpoint(Checkpoint(KEY.name, size, root), KEY)
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 10**6
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work, "log")
        # In a process of its own: what a child is started from counts as its memory, too.
        subprocess.run(
            [sys.executable, "-c", f"import fsck; from pathlib import Path; fsck.make(Path({str(folder)!r}), {size})"],
            cwd=Path(__file__).parent,
            check=True,
        )
        print(f"{size:,} entries")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        for what, where in (("fsck", str(folder)), ("fsck", url), ("mirror", url), ("mirror", str(folder))):
            copy = str(Path(work, f"copy-{where.partition(':')[0].strip('/').replace('/', '-')}"))
            subprocess.run([sys.executable, "-c", MEASURE, what, where, copy], check=True)
        server.shutdown()


if __name__ == "__main__":
    main()
