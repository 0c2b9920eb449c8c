"""`Client`: what a program says to a Wherefrom server, and asks it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from wherefrom.client import live
from wherefrom.client.connection import Connection, quote_segment
from wherefrom.client.proofs import verify_proof_answer
from wherefrom.client.receipts import Sent, read_receipts
from wherefrom.errors import FormatError
from wherefrom.notes import Checkpoint, Signer, TrustPolicy, VerifierKey, format_verifier_key, open_trusted
from wherefrom.statements import Envelope, Statement, format_envelope, format_statement, sign_envelope

URL = "WHEREFROM_URL"
TOKEN = "WHEREFROM_TOKEN"  # noqa: S105 - a name  # nosec B105
TIMEOUT_S = 30.0

Answer = dict[str, Any]


class Client:
    """One server, as one token may use it. Safe for many threads; nothing needs to be closed.

    Answers are the server's JSON, as docs/server.md and docs/questions.md have it. Every method raises
    `Unauthenticated`, `Denied`, NotFoundError, FormatError, ConflictError or VerificationError as the server says, and
    ServerBusyError, an UnavailableError, when it was not there or took nothing, several times.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        attempts: int = 5,
        trust: TrustPolicy | str | os.PathLike[str] | None = None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            url: of the server; WHEREFROM_URL by default.
            token: WHEREFROM_TOKEN by default, which is sent to WHEREFROM_URL alone.
            timeout_s: for one attempt.
            attempts: how often a request is tried when the server is away or busy; it is not waited for longer than
                `timeout_s` between two of them.
            trust: a trust policy, or the file of one: checkpoints are then verified against it.

        Raises FormatError: no URL, or one that is not http(s).
        """
        given = os.environ.get(URL)
        url = given if url is None else url
        if token is None and url == given:
            token = os.environ.get(TOKEN) or None
        if not url or not url.startswith(("http://", "https://")):
            raise FormatError(f"server URL is {url!r}, expected http://… or https://…", hint=f"pass it, or set {URL}")
        self._connection = Connection(url, token, timeout_s=timeout_s, attempts=attempts)
        self._trust = _read_trust(trust)

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return self._connection.url

    # --- recording ---------------------------------------------------------------------------------------------------

    def record(self, statements: Sequence[Statement], *, key: Signer) -> list[Sent]:
        """Sign statements with a key that the server knows (`register_key`), and record them."""
        signers = {key.verifier_key.label: key}
        return self.send_envelopes([sign_envelope(format_statement(statement), signers) for statement in statements])

    def send_envelopes(self, envelopes: Sequence[Envelope]) -> list[Sent]:
        """Record statements that are signed already: for each its receipt, or why it was refused.

        What was sent before gets the receipt that it got then.
        """
        return self.send_formatted([format_envelope(envelope) for envelope in envelopes])

    def send_formatted(self, envelopes: Sequence[bytes]) -> list[Sent]:
        """As `send_envelopes`, of canonical envelope bytes."""
        answer = self._connection.post("/v1/statements", b'{"statements":[' + b",".join(envelopes) + b"]}")
        return read_receipts(answer, count=len(envelopes))

    def send_events(self, events: Sequence[bytes | Mapping[str, Any]]) -> Answer:
        """Record OpenLineage events, as bytes that are kept as they are, or as objects.

        Returns the partial-success body of OpenLineage's batch endpoint: `status`, `summary`, `failed_events`.
        """
        bodies = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
        answer: Answer = self._connection.post("/api/v1/lineage/batch", b"[" + b",".join(bodies) + b"]")
        return answer

    def register_key(self, key: VerifierKey) -> Answer:
        """Have statements signed by this key count, as the token allows. Once is enough; again does no harm."""
        body = json.dumps({"verifierKey": format_verifier_key(key)}).encode()
        answer: Answer = self._connection.post("/v1/keys", body)
        return answer

    # --- asking ------------------------------------------------------------------------------------------------------

    # A node is `dataset:NAMESPACE:NAME`, `job:NAMESPACE:NAME` or `run:ID`. Options are docs/questions.md's, in Python's
    # spelling: as_of, valid_at, max_nodes, columns, proof, …

    def lineage(self, node: str, *, direction: str = "both", depth: int | None = None, **options: object) -> Answer:
        """What a node comes from, and what it feeds."""
        return self._ask("/v1/lineage", node=node, direction=direction, depth=depth, **options)

    def impact(self, node: str, **options: object) -> Answer:
        """What a change of it touches, by distance."""
        return self._ask("/v1/impact", node=node, **options)

    def path(self, source: str, target: str, **options: object) -> Answer:
        """How one is connected with the other."""
        return self._ask("/v1/path", **{"from": source, "to": target}, **options)

    def diff(self, node: str, since: str | int, until: str | int | None = None, **options: object) -> Answer:
        """How its lineage changed between two entries or times; `until` now by default."""
        return self._ask("/v1/diff", node=node, **{"from": since, "to": until}, **options)

    def search(self, text: str, **options: object) -> Answer:
        """Data sets and jobs by name, the best first."""
        return self._ask("/v1/search", q=text, **options)

    def entities(self, **options: object) -> Answer:
        """Data sets and jobs, page by page."""
        return self._ask("/v1/entities", **options)

    def entity(self, node: str, **options: object) -> Answer:
        """All that is known of one."""
        return self._ask(f"/v1/entities/{quote_segment(node)}", **options)

    def runs(self, **options: object) -> Answer:
        """Runs, the newest first."""
        return self._ask("/v1/runs", **options)

    def run(self, run_id: str, **options: object) -> Answer:
        """All that is known of one run."""
        return self._ask(f"/v1/runs/{quote_segment(run_id)}", **options)

    def statement(self, what: str | int) -> Answer:
        """One statement, by its id or its entry's index."""
        return self._ask(f"/v1/statements/{quote_segment(str(what))}")

    def evidence(self, what: str, *, as_of: str | None = None) -> bytes:
        """A file that proves what a version was made from, for `wherefrom verify`. That it was issued is recorded."""
        body = {"of": what} | ({"asOf": as_of} if as_of else {})
        return self._connection.request("POST", "/v1/evidence", body=json.dumps(body).encode()).body

    # --- proofs ------------------------------------------------------------------------------------------------------

    def checkpoint(self) -> bytes:
        """The newest checkpoint, a signed note; verified where a trust policy was given.

        Raises then what `notes.open_trusted` raises.
        """
        note = self._connection.get_bytes("/v1/checkpoint")
        if self._trust:
            open_trusted(note, self._trust)
        return note

    def read_checkpoint(self) -> Checkpoint:
        """The newest checkpoint, verified. Raises FormatError: no trust policy was given."""
        if not self._trust:
            raise FormatError("a checkpoint is believed on a trust policy's word only", hint="Client(…, trust=FILE)")
        return open_trusted(self._connection.get_bytes("/v1/checkpoint"), self._trust).checkpoint

    def proof(self, what: str | int, **options: object) -> Answer:
        """That a statement, by its id or its entry's index, is in the ledger: entry, path to the root, checkpoint.

        Verified where a trust policy was given: raises then InclusionError, SignatureError, or FormatError.
        """
        named = {"index": what} if isinstance(what, int) else {"statement": what}
        answer = self._ask("/v1/proof", **named, **options)
        if self._trust:
            verify_proof_answer(answer, self._trust)
        return answer

    # --- following ---------------------------------------------------------------------------------------------------

    def live(self, *, after: str | None = None, start: int | None = None) -> Iterator[live.LiveEvent]:
        """What the server records, as it does, without end; a connection that breaks is taken up again.

        Args:
            after: the id of the last event that was seen; by default it begins with what is recorded next.
            start: or the index of the first entry that is wanted.
        """
        return live.follow(self._connection, "/v1/live", {"from": start}, after=after)

    def _ask(self, path: str, **params: object) -> Answer:
        answer: Answer = self._connection.get(path, {_camel(name): value for name, value in params.items()})
        return answer


def _camel(name: str) -> str:
    """`as_of` as the server spells it: `asOf`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _read_trust(given: TrustPolicy | str | os.PathLike[str] | None) -> TrustPolicy | None:
    from wherefrom.errors import UnavailableError
    from wherefrom.notes import parse_policy

    if given is None or isinstance(given, TrustPolicy):
        return given
    try:
        return parse_policy(Path(given).read_bytes())
    except OSError as error:
        raise UnavailableError(f"trust file {given}: {error.strerror}") from error
