"""Cedar policies: read from files, checked when the server starts, and asked who may do what.

Ours lie in `policies/`; an organisation's folder adds to them. Cedar denies what nothing permits, and a `forbid`
goes before each `permit`; whatever can't be evaluated is denied, too. Source: docs.cedarpolicy.com, version 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from wherefrom.errors import FormatError, UnavailableError
from wherefrom.statements import ANONYMOUS

if TYPE_CHECKING:
    import cedarpy

_OURS: Final = Path(__file__).parent / "policies"
_TYPES: Final = {"user": "User", "service": "Service"}
# A comment, a string, the end of a policy, or anything else.
_PART = re.compile(r'//[^\n]*|"(?:[^"\\]|\\.)*"|;|\s+|[^\s";/]+|.', re.DOTALL)


@dataclass(frozen=True)
class Policies:
    """All policies in force.

    Attributes:
        files: name and text of each file, ours first.
        schema: text of the schema.
    """

    files: tuple[tuple[str, str], ...]
    schema: str
    is_ours: bool
    """No policy but ours: those ask for nothing but role and action."""
    _set: cedarpy.PolicySet = field(repr=False, compare=False)
    _by_role: dict[tuple[frozenset[str], str], bool] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, folder: Path | None = None) -> Self:
        """Our policies, and those in the `*.cedar` files of a folder, in order of their names.

        Raises FormatError naming the file and line of what is no policy or speaks of what there isn't,
        UnavailableError: the folder can't be read, or the extra is missing.
        """
        files = [("roles.cedar", (_OURS / "roles.cedar").read_text())]
        try:
            if folder is not None and not folder.is_dir():
                raise UnavailableError(f"folder of policies {folder}: not there")
            for path in sorted(folder.glob("*.cedar")) if folder else ():
                files.append((path.name if path.name != files[0][0] else f"own/{path.name}", path.read_text()))
        except (OSError, UnicodeDecodeError) as error:
            raise UnavailableError(f"folder of policies {folder}: {error}") from error
        return cls.of(files, (_OURS / "schema.cedarschema").read_text())

    @classmethod
    def of(cls, files: Sequence[tuple[str, str]], schema: str) -> Self:
        """Policies given as text, such as those recorded once. Raises as `read`."""
        try:
            import cedarpy
        except ImportError as error:
            raise UnavailableError("the server needs an extra: pip install 'wherefrom[server]'") from error
        try:
            cedarpy.Schema.from_str(schema)
        except ValueError as error:
            raise FormatError(f"schema of the policies: {error}") from error
        for name, text in files:
            for line, policy in _split(text):
                if problem := _problem_of(policy, schema):
                    raise FormatError(f"policy in {name}, line {line}: {problem}", hint="see docs/access.md")
        ours = (("roles.cedar", (_OURS / "roles.cedar").read_text()),)
        joined = cedarpy.PolicySet.from_str("\n".join(text for _, text in files))
        return cls(tuple(files), schema, tuple(files) == ours, joined)

    def permits(
        self, principal: str, *, groups: Iterable[str] = (), roles: frozenset[str], action: str, namespace: str
    ) -> bool:
        """Whether somebody who has these roles in a namespace may do this there. Never raises: what fails is denied."""
        kind = "Anonymous" if principal == ANONYMOUS else _TYPES.get(principal.partition(":")[0])
        if kind is None:
            return False
        who = {"type": kind, "id": principal}
        if not self.is_ours:
            return self._ask(who, groups, roles, action, namespace)
        if (roles, action) not in self._by_role:
            self._by_role[roles, action] = self._ask(who, groups, roles, action, namespace)
        return self._by_role[roles, action]

    def _ask(
        self, who: dict[str, str], groups: Iterable[str], roles: frozenset[str], action: str, namespace: str
    ) -> bool:
        import cedarpy

        where = {"type": "Namespace", "id": namespace}
        parents = [{"type": "Role", "id": role} for role in sorted(roles)]
        if who["type"] != "Anonymous":
            parents += [{"type": "Group", "id": group} for group in groups]
        entities: list[dict[str, Any]] = [{"uid": parent, "attrs": {}, "parents": []} for parent in parents]
        entities.append({"uid": who, "attrs": {}, "parents": parents})
        entities.append({"uid": where, "attrs": {"name": namespace}, "parents": []})
        request = {"principal": who, "action": {"type": "Action", "id": action}, "resource": where, "context": {}}
        try:
            result = cedarpy.is_authorized(request, self._set, entities)
        except Exception:  # noqa: BLE001 - of whatever kind: who can't be decided about may not
            return False
        # An error in one policy, of a `forbid` perhaps, leaves Cedar free to permit by another one. We don't.
        return result.allowed and not result.diagnostics.errors


def _split(text: str) -> Iterator[tuple[int, str]]:
    """The policies of a file, each with the line that it begins at: `;` ends one, and stands else in strings only."""
    line, start, found = 1, 1, ""
    for part in _PART.finditer(text):
        piece = part[0]
        if not found.strip() and (piece.isspace() or piece.startswith("//")):
            found = ""
        else:
            start = line if not found else start
            found += piece
        line += piece.count("\n")
        if piece == ";":
            yield start, found
            found = ""
    if found.strip():
        yield start, found


def _problem_of(policy: str, schema: str) -> str | None:
    import cedarpy

    try:
        cedarpy.PolicySet.from_str(policy)
    except ValueError as error:
        return str(error)
    found = cedarpy.validate_policies(policy, schema)
    if found.validation_passed:
        return None
    said = "; ".join(re.sub(r"^for policy `policy\d+`, ", "", error.error) for error in found.errors)
    return said or "it does not agree with the schema"
