"""Java archives that tests need: a Kafka broker, Spark's OpenLineage listener, Delta, Spark's reader of Kafka.

`service-jars.txt` names each by its Maven coordinates and its SHA-256. Run as a program, this fetches what is missing,
by Maven and its own settings, into the folder `WHEREFROM_SERVICE_JARS` (`.services/jars` by default), and checks it.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("service-jars.txt")
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"


class Jar(NamedTuple):
    use: str
    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def path(self):
        return jar_folder() / f"{self.artifact}-{self.version}.jar"

    def is_good(self):
        return self.path.is_file() and hashlib.sha256(self.path.read_bytes()).hexdigest() == self.sha256


def jar_folder():
    return Path(os.environ.get("WHEREFROM_SERVICE_JARS") or ROOT / ".services" / "jars")


def listed():
    for line in LIST.read_text().splitlines():
        if line and not line.startswith("#"):
            use, coordinates, sha256 = line.split()
            yield Jar(use, *coordinates.split(":"), sha256)


def jars_for(*uses):
    """Paths of the jars for these uses; [] unless all are there."""
    jars = [jar for jar in listed() if jar.use in uses]
    return [jar.path for jar in jars] if all(jar.path.is_file() for jar in jars) else []


def fetch():
    missing = [jar for jar in listed() if not jar.is_good()]
    if missing:
        _copy_by_maven(missing)
    wrong = [jar.path.name for jar in missing if not jar.is_good()]
    for name in wrong:
        (jar_folder() / name).unlink(missing_ok=True)
    return wrong


def _copy_by_maven(jars):
    jar_folder().mkdir(parents=True, exist_ok=True)
    items = "".join(
        "<artifactItem>"
        + "".join(
            f"<{name}>{escape(value)}</{name}>"
            for name, value in {"groupId": jar.group, "artifactId": jar.artifact, "version": jar.version}.items()
        )
        + "</artifactItem>"
        for jar in jars
    )
    group, artifact, version, _ = PLUGIN.split(":")
    project = (
        "<project><modelVersion>4.0.0</modelVersion><groupId>tests</groupId><artifactId>jars</artifactId>"
        "<version>1</version><packaging>pom</packaging><build><plugins><plugin>"
        f"<groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version><configuration>"
        f"<artifactItems>{items}</artifactItems><outputDirectory>{escape(str(jar_folder()))}</outputDirectory>"
        "</configuration></plugin></plugins></build></project>"
    )
    with tempfile.TemporaryDirectory() as folder:
        pom = Path(folder) / "pom.xml"
        pom.write_text(project)
        subprocess.run(["mvn", "-q", "-B", "-ntp", "-f", pom, PLUGIN], check=True)


if __name__ == "__main__":
    if wrong := fetch():
        sys.exit(f"not what {LIST.name} says, so not kept: {', '.join(wrong)}")
    print(f"{sum(1 for _ in listed())} jars in {jar_folder()}")
