"""What others say of the ledger's checkpoints: cosignatures of witnesses, and timestamps."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from wherefrom.store.schema import anchors, cosignatures


@dataclass(frozen=True)
class StoredAnchor:
    """A timestamp of the checkpoint of `size`.

    Attributes:
        kind: "rfc3161" or "opentimestamps".
        authority: the URL that was asked for it.
        proof: an RFC 3161 response's token, or an OpenTimestamps proof, which may be upgraded later.
    """

    size: int
    kind: str
    authority: str
    proof: bytes


@dataclass(frozen=True)
class AttestationTables:
    connection: sa.Connection

    def write_cosignature(self, size: int, witness: str, signature: bytes) -> None:
        """Keep a witness's cosignature of the checkpoint of this size, by the key's label; a newer one replaces it."""
        at = (cosignatures.c.size == size) & (cosignatures.c.witness == witness)
        self.connection.execute(cosignatures.delete().where(at))
        self.connection.execute(cosignatures.insert().values(size=size, witness=witness, signature=signature))

    def read_cosignatures(self, size: int) -> dict[str, bytes]:
        """Signatures, without their key ids, by the witness key's label."""
        query = sa.select(cosignatures.c.witness, cosignatures.c.signature).where(cosignatures.c.size == size)
        return {row.witness: bytes(row.signature) for row in self.connection.execute(query.order_by("witness"))}

    def newest_cosigned(self) -> int | None:
        """The size of the newest checkpoint with any cosignature; None before the first."""
        newest: int | None = self.connection.scalar(sa.select(sa.func.max(cosignatures.c.size)))
        return newest

    def write_anchor(self, anchor: StoredAnchor) -> None:
        """Keep a timestamp; one of the same checkpoint, kind and authority is replaced, as upgrading does."""
        at = (anchors.c.size == anchor.size) & (anchors.c.kind == anchor.kind)
        self.connection.execute(anchors.delete().where(at, anchors.c.authority == anchor.authority))
        row = {"size": anchor.size, "kind": anchor.kind, "authority": anchor.authority, "proof": anchor.proof}
        self.connection.execute(anchors.insert().values(row))

    def list_anchors(self) -> list[StoredAnchor]:
        """Every timestamp, by size."""
        query = sa.select(anchors).order_by(anchors.c.size, anchors.c.kind, anchors.c.authority)
        return [
            StoredAnchor(row.size, row.kind, row.authority, bytes(row.proof)) for row in self.connection.execute(query)
        ]
