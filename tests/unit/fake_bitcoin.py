"""A Bitcoin for tests: blocks of regtest's difficulty, which still must be mined, and who tells of them on loopback."""

import base64
import hashlib
import json
import struct

from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation
from opentimestamps.core.op import OpAppend, OpPrepend, OpSHA256
from opentimestamps.core.serialize import BytesSerializationContext
from opentimestamps.core.timestamp import Timestamp

REGTEST_BITS = 0x207FFFFF
REGTEST_WORK = 2
START = 1_790_000_000


def double_sha256(data):
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def mine(previous, merkle_root, *, time=START, bits=REGTEST_BITS):
    """The 80 bytes of a block header with enough work."""
    target = (bits & 0x7FFFFF) << 8 * ((bits >> 24) - 3)
    for nonce in range(2**32):
        header = struct.pack("<i32s32sIII", 4, previous, merkle_root, time, bits, nonce)
        if int.from_bytes(double_sha256(header), "little") <= target:
            return header
    raise AssertionError


class Chain:
    """Blocks from height 0 on."""

    def __init__(self, length=3):
        self.headers = []
        for number in range(length):
            self.mine(hashlib.sha256(b"block %d" % number).digest())

    def mine(self, merkle_root):
        """Add a block with this Merkle root; its height."""
        previous = double_sha256(self.headers[-1]) if self.headers else bytes(32)
        self.headers.append(mine(previous, merkle_root, time=START + 600 * len(self.headers)))
        return len(self.headers) - 1

    @property
    def file(self):
        return b"".join(self.headers)

    @property
    def genesis(self):
        return double_sha256(self.headers[0])[::-1].hex()

    def hashes(self):
        return [double_sha256(header)[::-1].hex() for header in self.headers]

    def esplora(self, method, path, body, headers):
        parts = path.strip("/").split("/")
        hashes = self.hashes()
        if parts[0] == "block-height" and int(parts[1]) < len(hashes):
            return 200, "text/plain", hashes[int(parts[1])].encode()
        if parts[0] == "block" and parts[1] in hashes and parts[2] == "header":
            return 200, "text/plain", self.headers[hashes.index(parts[1])].hex().encode()
        return 404, "text/plain", b"Block not found"

    def core(self):
        """Bitcoin Core's JSON-RPC, for user `user` with password `secret`."""
        wanted = "Basic " + base64.b64encode(b"user:secret").decode()

        def answer(method, path, body, headers):
            if headers.get("Authorization") != wanted:
                return 401, "text/plain", b""
            call = json.loads(body)
            hashes, (first, *rest) = self.hashes(), call["params"]
            if call["method"] == "getblockhash" and first < len(hashes):
                result = hashes[first]
            elif call["method"] == "getblockheader" and first in hashes and rest == [False]:
                result = self.headers[hashes.index(first)].hex()
            else:
                error = {"code": -8, "message": "Block height out of range"}
                return 500, "application/json", json.dumps({"result": None, "error": error, "id": call["id"]}).encode()
            return 200, "application/json", json.dumps({"result": result, "error": None, "id": call["id"]}).encode()

        return answer


def serialize(timestamp):
    context = BytesSerializationContext()
    timestamp.serialize(context)
    return context.getbytes()


class Calendar:
    """An OpenTimestamps calendar as the `opentimestamps` library would be served: pending until a block is mined."""

    def __init__(self, chain):
        self.chain, self.url, self.commitments, self.done, self.asked = chain, None, [], {}, []

    def handle(self, method, path, body, headers):
        self.asked.append((method, path, body))
        if method == "POST" and path == "/digest" and 1 <= len(body) <= 64:
            timestamp = Timestamp(body)
            commitment = timestamp.ops.add(OpPrepend(b"\x01\x02\x03\x04")).ops.add(OpAppend(b"calendar"))
            commitment.attestations.add(PendingAttestation(self.url))
            self.commitments.append(commitment.msg)
            return 200, "application/octet-stream", serialize(timestamp)
        if method == "GET" and path.startswith("/timestamp/"):
            commitment = bytes.fromhex(path.removeprefix("/timestamp/"))
            if commitment in self.done:
                return 200, "application/octet-stream", self.done[commitment]
            known = commitment in self.commitments
            return 404, "text/plain", b"Pending confirmation in Bitcoin blockchain" if known else b"Not found"
        return 404, "text/plain", b"not found"

    def mine(self):
        """Put everything into a block, each commitment below a transaction of its own."""
        for commitment in self.commitments:
            if commitment in self.done:
                continue
            timestamp = Timestamp(commitment)
            tip = timestamp.ops.add(OpSHA256()).ops.add(OpPrepend(b"\x01\x00\x00\x00tx")).ops.add(OpAppend(b"end"))
            root = tip.ops.add(OpSHA256()).ops.add(OpSHA256())
            root.attestations.add(BitcoinBlockHeaderAttestation(self.chain.mine(root.msg)))
            self.done[commitment] = serialize(timestamp)
