"""Making proofs about single records from a kept tree. Format: docs/spec/fingerprint-proofs-v1.md.

Reads a few pages of the tree and none of the data, and needs no heavy library. What it made is verified against the
set's root before it is given away: a tree on disk may have been changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wherefrom.commitments import KeyCommitment, RecordsFingerprint, Secret
from wherefrom.commitments.proof import Claim, Proof, format_row, place_of
from wherefrom.commitments.secret import KEY, ROW
from wherefrom.commitments.values import leaf_of, row_bytes
from wherefrom.errors import FormatError, InclusionError, MismatchError, NotFoundError, UnavailableError
from wherefrom.fingerprints.files import fingerprint_entries
from wherefrom.merkle import hash_leaf, prove_leaves, prove_leaves_from_tiles, verify_leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wherefrom.fingerprints.files import FileEntry
    from wherefrom.fingerprints.kept import KeptTree


def prove_rows(tree: KeptTree, rows: Iterable[Mapping[str, Any]], *, secret: Secret | None = None) -> Proof:
    """Prove of each row whether it is in the set, in one proof that shares what it can.

    Args:
        rows: JSON values by column (docs/spec/fingerprint-proofs-v1.md section 2), keys as their form leaves them.
        secret: of a private set.

    Raises FormatError: a row that does not fit the set's columns, no rows, or an absent row of a sequence.
    MismatchError: another secret than the set was made with. UnavailableError: the set is private and no secret was
    given, or the kept tree does not have the root that its identity says.
    """
    maker = _LeafMaker(tree, secret)
    made = map(maker.claim, rows)
    # A set: the same row twice is one claim.
    claims = {place_of(claim, format_row(claim.row)): (claim, leaf) for claim, leaf in made}
    if not claims:
        raise FormatError("no rows to prove anything about")
    present = {claim.index: leaf for claim, leaf in claims.values() if claim.kind == "present"}
    beside = {
        index
        for claim, _ in claims.values()
        if claim.kind == "absent"
        for index in (claim.index - 1, claim.index)
        if 0 <= index < tree.size and index not in present
    }
    shown = {index: tree.leaf(index) for index in sorted(beside)}
    hashes = _prove(tree, {**present, **shown})
    return Proof(tree.identity, tuple(claim for claim, _ in claims.values()), None, shown, hashes)


def prove_part(tree: KeptTree, part: KeptTree) -> Proof:
    """Prove that every row of `part` is in the set, as often as it is there.

    Raises MismatchError: a row is not, or not as often. FormatError: sets that can't be compared, or an empty part.
    """
    if not isinstance(tree.identity, RecordsFingerprint) or not isinstance(part.identity, RecordsFingerprint):
        raise FormatError("a part and its set are tables, not keys")
    if not (tree.is_sorted and part.is_sorted):
        raise FormatError("a part and its set must be sorted, not in sequence order")
    if tree.identity.salt != part.identity.salt:
        raise FormatError("the part and the set were made with different secrets: their leaves can't be compared")
    names = [[column.name for column in side.identity.columns] for side in (part, tree)]
    if names[0] != names[1]:
        raise FormatError(f"the part has columns {names[0]}, the set {names[1]}")
    if not part.size:
        raise FormatError("the part has no rows: there is nothing to prove of it")
    leaves: dict[int, bytes] = {}
    last = -1
    for position in range(part.size):
        leaf = part.leaf(position)
        first, is_there = tree.find(leaf)
        # Equal leaves stand together: the next of them for the next equal row.
        index = max(first, last + 1)
        if not is_there or index >= tree.size or tree.leaf(index) != leaf:
            raise _missing(part, position, is_there=is_there)
        leaves[index], last = leaf, index
    return Proof(tree.identity, (), part.identity, leaves, _prove(tree, leaves))


def prove_files(entries: Sequence[FileEntry], paths: Iterable[str]) -> Proof:
    """Prove of files of a folder which content they have, in one proof.

    Args:
        entries: all of the folder's, in the order of their path bytes, as `read_file_entries` gives them.
        paths: relative to the folder, as in the entries.

    Raises NotFoundError: the folder has no such file. FormatError: no paths.
    """
    index_of = {entry.path: index for index, entry in enumerate(entries)}
    wanted = {}
    for path in paths:
        if path not in index_of:
            raise NotFoundError(f"no file {path!r} in the folder")
        wanted[index_of[path]] = entries[index_of[path]]
    claims = [
        Claim("present", index, {"path": entry.path, "sha256": entry.sha256.hex(), "size": entry.size})
        for index, entry in wanted.items()
    ]
    hashes = prove_leaves([hash_leaf(entry.to_bytes()) for entry in entries], wanted)
    return Proof(fingerprint_entries(entries), tuple(claims), None, {}, tuple(hashes))


def _missing(part: KeptTree, position: int, *, is_there: bool) -> MismatchError:
    problem = "is in the set, but not as often as in the part" if is_there else "is not in the set"
    return MismatchError(f"row with leaf {position} of the part ({part.leaf(position).hex()[:16]}…) {problem}")


def _prove(tree: KeptTree, leaves: dict[int, bytes]) -> tuple[bytes, ...]:
    hashes = tuple(prove_leaves_from_tiles(leaves, tree.size, tree.read_tile)) if tree.size else ()
    try:
        verify_leaves(leaves, size=tree.size, proof=hashes, root=tree.identity.root)
    except InclusionError as error:
        raise UnavailableError(
            f"the leaves kept in '{tree.folder}' are not those of {tree.identity}",
            hint="remove the folder and fingerprint the data again",
        ) from error
    return hashes


class _LeafMaker:
    """Rows of one set to claims about them."""

    def __init__(self, tree: KeptTree, secret: Secret | None) -> None:
        self._tree, self._secret = tree, secret
        self._domain = KEY if isinstance(tree.identity, KeyCommitment) else ROW
        if secret is not None:
            secret.verify_scheme(tree.identity.salt)
        elif tree.identity.salt != "none":
            raise UnavailableError(f"{tree.identity} is private: a proof needs the secret that it was made with")

    def claim(self, row: Mapping[str, Any]) -> tuple[Claim, bytes]:
        """The claim that is true of a row, and its leaf hash."""
        text = row_bytes(row, self._tree.identity)
        salt = self._secret.salt_of(text, self._domain) if self._secret else None
        leaf = leaf_of(text, salt=salt)
        if self._tree.is_sorted:
            index, is_there = self._tree.find(leaf)
            return Claim("present" if is_there else "absent", index, row, salt), leaf
        found = self._tree.search(leaf)
        if found is None:
            raise FormatError("the row is not in the set, and nothing proves that of a set in sequence order")
        return Claim("present", found, row, salt), leaf
