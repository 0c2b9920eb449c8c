"""Names of data sets, spelled one way: `s3a` and `s3`, a slash at the end, a partition's path are of one data set.

Nothing is guessed: each rule follows from OpenLineage's naming conventions (website/docs/spec/naming.md), from what its
clients do with paths, or from what a URL is. A name that could mean something else stays as it is. The rules, with
reasons: docs/spec/lineage.md, part 3; vectors: tests/vectors/lineage/naming.json.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

_LONGEST_CACHED = 500
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/]*)(.*)", re.DOTALL)
_FILE = re.compile(r"file:/*(?:localhost)?/*", re.IGNORECASE)
_SCHEMES = {
    "s3a": "s3",
    "s3n": "s3",
    "abfs": "abfss",  # each of these pairs differs in transport security alone
    "wasb": "wasbs",
    "gcs": "gs",
    "postgresql": "postgres",
}
_OBJECT_STORES = ("s3", "gs", "abfss", "wasbs")
_PATH_STORES = (*_OBJECT_STORES, "file", "hdfs", "dbfs")
# Of these stores the conventions ask for `host:port`; so without a port, it is the store's own.
_PORTS = {
    "postgres": 5432,
    "mysql": 3306,
    "mssql": 1433,
    "sqlserver": 1433,
    "oracle": 1521,
    "db2": 50000,
    "redshift": 5439,
    "teradata": 1025,
    "cassandra": 9042,
    "oceanbase": 2881,
    "milvus": 19530,
    "kafka": 9092,
}
# Stores whose namespace is that of a host; names of hosts have no case (RFC 4343). Names of buckets have.
_HOSTS = (*_PORTS, "hdfs", "hive", "trino", "crate", "file", "abfss", "wasbs", "awsathena", "azurekusto")
_PARTITION = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*=[^/=]*")


@dataclass(frozen=True)
class CanonicalName:
    """How a data set is called, and why that differs from what it was called; no reasons when it doesn't."""

    namespace: str
    name: str
    reasons: tuple[str, ...] = ()


def canonical_name(namespace: str, name: str) -> CanonicalName:
    """The one spelling of a data set's name. Of a canonical name it is that name."""
    if len(namespace) + len(name) > _LONGEST_CACHED:
        return _canonical_name(namespace, name)
    return _cached(namespace, name)


def _canonical_name(namespace: str, name: str) -> CanonicalName:
    if ":" not in namespace and namespace.lower() != "file":  # a namespace of somebody's own choice
        return CanonicalName(namespace, name)
    reasons: list[str] = []
    scheme, place, has_path = _name_place(namespace, reasons)
    if scheme in _PATH_STORES and not has_path:
        name = _path_of(scheme, place, name, reasons)
    return CanonicalName(place, name, tuple(reasons))


_cached = functools.lru_cache(maxsize=8192)(_canonical_name)


def _name_place(namespace: str, reasons: list[str]) -> tuple[str, str, bool]:
    """Scheme, namespace, and whether the namespace has a path, in which names are not paths."""
    if namespace == "file":
        return "file", namespace, False
    if namespace.lower() == "file" or _FILE.fullmatch(namespace):
        reasons.append(f"{namespace} is file")
        return "file", "file", False
    found = _URL.fullmatch(namespace)
    if found is None or not found[2]:  # an ARN, `inmemory://`, …
        return "", namespace, False
    given, authority, path = found.groups()
    scheme = given.lower()
    scheme = _SCHEMES.get(scheme, scheme)
    if scheme != given:
        reasons.append(f"scheme {given} is {scheme}")
    if path and not path.strip("/"):
        reasons.append("slash at the end of the namespace")
        path = ""
    if scheme in _HOSTS:
        authority = _name_host(scheme, authority, reasons)
    return scheme, f"{scheme}://{authority}{path}", bool(path)


def _name_host(scheme: str, authority: str, reasons: list[str]) -> str:
    head, at, host = authority.rpartition("@")  # of Azure, the container stands before the `@`
    if host != host.lower():
        reasons.append("host in lower case")
        host = host.lower()
    if scheme == "wasbs" and host.endswith(".blob.core.windows.net"):
        reasons.append("the account's name, of its blob and dfs endpoints")
        host = host.removesuffix(".blob.core.windows.net") + ".dfs.core.windows.net"
    if scheme in _PORTS and re.fullmatch(r"[a-z0-9._-]+", host):  # one host, and no port
        reasons.append(f"default port {_PORTS[scheme]}")
        host = f"{host}:{_PORTS[scheme]}"
    return f"{head}{at}{host}"


def _path_of(scheme: str, place: str, name: str, reasons: list[str]) -> str:
    """A path without what says nothing: its own place, slashes that are too many, and which partition is meant."""
    path = name
    if place == "file" and (found := _FILE.match(path)) and path[: found.end()].endswith("/"):
        path = path[found.end() - 1 :]
        reasons.append("file: before a path")
    elif found := _URL.fullmatch(path):
        if _name_place(f"{found[1]}://{found[2]}", [])[1] != place:
            return name  # a URL of somewhere else: who knows what that means
        path = found[3] or "/"
        reasons.append("the namespace before a path")
    if "//" in path:
        path = re.sub("/{2,}", "/", path)
        reasons.append("slashes that follow another")
    if path.endswith("/") and path != "/":
        path = path.rstrip("/")
        reasons.append("slash at the end")
    if scheme in _OBJECT_STORES and path.startswith("/") and path != "/":
        path = path[1:]
        reasons.append("slash before an object's key")
    parts = path.split("/")
    count = len(parts)
    while count > 1 and _PARTITION.fullmatch(parts[count - 1]):
        count -= 1
    if count < len(parts) and "/".join(parts[:count]):
        reasons.append("partition " + "/".join(parts[count:]))
        path = "/".join(parts[:count])
    return path
