"""A time authority for tests: OpenSSL's `ts` behind HTTP on loopback, with certificates made as a test wants them."""

import contextlib
import hashlib
import http.server
import subprocess
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
TIMES = [ExtendedKeyUsageOID.TIME_STAMPING]

CONFIG = """
[tsa]
default_tsa = t
[t]
serial = {folder}/serial
signer_cert = {folder}/leaf.pem
signer_key = {folder}/leaf.key
{certs}
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1, millisecs:500
clock_precision_digits = {digits}
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = {ess}
"""


@dataclass(frozen=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self):
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def key_pem(self):
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def issue(
    name,
    issuer=None,
    *,
    ca=False,
    usages=None,
    critical=True,
    begin=NOW - 100 * DAY,
    end=NOW + 100 * DAY,
    serial=None,
    path_length=None,
    key=None,
    basic=True,
    key_usage=None,
):
    """A certificate by `issuer`, or by itself."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(issuer.certificate.subject if issuer else named)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    if basic:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=critical)
    if key_usage:
        off = dict.fromkeys(
            [
                "digital_signature",
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "key_cert_sign",
                "crl_sign",
                "encipher_only",
                "decipher_only",
            ],
            False,
        )
        builder = builder.add_extension(x509.KeyUsage(**off | dict.fromkeys(key_usage, True)), critical=True)
    return Issued(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


class Authority:
    """Signs requests as OpenSSL does it. `chain`: sent along when asked for certificates."""

    def __init__(self, folder: Path, leaf: Issued, *, chain=(), digits=3, ess="sha256"):
        self.folder = folder
        folder.mkdir()
        (folder / "leaf.pem").write_bytes(leaf.pem)
        (folder / "leaf.key").write_bytes(leaf.key_pem)
        (folder / "serial").write_text("01")
        (folder / "chain.pem").write_bytes(b"".join(certificate.pem for certificate in chain))
        certs = f"certs = {folder}/chain.pem" if chain else ""
        (folder / "ts.cnf").write_text(CONFIG.format(folder=folder, certs=certs, digits=digits, ess=ess))

    def reply(self, request: bytes) -> bytes:
        query, answer = self.folder / "query.tsq", self.folder / "reply.tsr"
        query.write_bytes(request)
        command = ["openssl", "ts", "-reply", "-config", self.folder / "ts.cnf", "-queryfile", query, "-out", answer]
        done = subprocess.run(command, capture_output=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr.decode()
        return answer.read_bytes()


@contextlib.contextmanager
def serving(handle):
    """HTTP on loopback: `handle(method, path, body, headers)` gives status, content type, body. Yields the URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, kind, content = handle(self.command, self.path, body, self.headers)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def digest_of(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()
