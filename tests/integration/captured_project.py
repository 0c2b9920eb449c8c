"""A folder whose scripts are run with capture, for tests of what its archive says afterwards."""

import hashlib
import subprocess
import sys

from wherefrom.archive import Archive


class Project:
    """A folder with scripts, and its archive."""

    def __init__(self, root):
        self.root = root

    def run(self, text, *, name="script.py", arguments=(), python=(), check=True, autolog=True, **options):
        """Run a script; what it printed on stdout and stderr, and its exit status."""
        line = "import wherefrom; wherefrom.autolog()\n" if autolog else ""
        (self.root / name).write_text(line + text)
        command = [sys.executable, *python, name, *arguments]
        done = subprocess.run(
            command, cwd=self.root, check=False, capture_output=True, text=True, timeout=120, **options
        )
        if check:
            assert done.returncode == 0, done.stderr
        return done

    def runs(self):
        """Runs by job name; the newest of each."""
        archive = Archive.find(self.root)
        try:
            return {run.job_name: run for run in reversed(archive.list_runs(100))}
        finally:
            archive.close()

    def data(self, job="script.py"):
        """Names of what the run used and made."""
        event = self.event(job)
        return ({d["name"] for d in event["inputs"]}, {d["name"] for d in event["outputs"]})

    def event(self, job="script.py"):
        """The run's last event."""
        archive = Archive.find(self.root)
        try:
            [run] = [run for run in archive.list_runs(100) if run.job_name == job]
            events = [archive.read_recorded(str(entry)).statement.predicate for entry in run.entries]
            return [event for event in events if event.get("eventType") not in {None, "START"}][-1]
        finally:
            archive.close()

    def gaps(self, job="script.py"):
        return [(gap["what"], gap["detail"]) for gap in self.runs()[job].gaps]


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of(event, side, name):
    [found] = [d for d in event[side] if d["name"] == name]
    return found["facets"]["wherefrom_fingerprint"]["digests"].get("sha256")
