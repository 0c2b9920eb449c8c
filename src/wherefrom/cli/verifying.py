"""`verify`: evidence files, proofs about records, split views and model signatures, each known by how it begins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from wherefrom.anchors import open_headers
from wherefrom.cli.anchoring import Headers, Roots, read_roots
from wherefrom.cli.app import app
from wherefrom.cli.files import read_file, read_policy, write_whole
from wherefrom.cli.findings import finish
from wherefrom.cli.output import say
from wherefrom.cli.recording import AsJson
from wherefrom.commitments import Secret
from wherefrom.commitments.proof import HEADER
from wherefrom.errors import WherefromError
from wherefrom.notes import TrustPolicy
from wherefrom.tlog.split_view import SPLIT_VIEW_TYPE, verify_split_view
from wherefrom.verify import Finding, Findings, Outcome, ProofVerdict, Verdict, verify_bundle, verify_proof

_EVIDENCE, _PROOF, _SIGNATURE, _SPLIT = "evidence", "a proof", "a model signature", "a split view"
_OPTIONS = {
    _EVIDENCE: {"--trust", "--data", "--report", "--secret", "--tsa-roots", "--bitcoin-headers"},
    _PROOF: {"--trust", "--set", "--evidence", "--secret"},
    _SIGNATURE: {"--data", "--public-key", "--roots"},
    _SPLIT: {"--trust"},
}


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="An evidence file, a proof, or a model signature.")],
    *,
    trust: Annotated[
        Path | None, typer.Option(help="The ledgers you trust: a tlog-policy file, from the archive's owner.")
    ] = None,
    about: Annotated[
        str | None, typer.Option("--set", help="A proof must be about this set: `wf-records-1:…`, `wf-keys-1:…`.")
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="A proof must be about data that this evidence file names (needs --trust).")
    ] = None,
    secret: Annotated[Path | None, typer.Option(help="Of private rows: for --data, or that one is absent.")] = None,
    data: Annotated[
        list[str] | None, typer.Option(help="Hold a file or folder against it: PATH, or NAME=PATH.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the HTML report out, if it is as issued.")] = None,
    public_key: Annotated[Path | None, typer.Option(help="Of whoever signed a model: PEM.")] = None,
    roots: Annotated[Path | None, typer.Option(help="Authorities you trust to say who signed a model: PEM.")] = None,
    tsa_roots: Roots = None,
    bitcoin_headers: Headers = None,
    as_json: AsJson = False,
) -> None:
    """Check an evidence file, a proof, a split view or an OpenSSF model signature; offline, without an archive.

    Exit status: 0 true, 1 false, 3 could not check. Example:
    `wherefrom verify delay.wherefrom --trust trust --data data/` ·
    `wherefrom verify proof --evidence delay.wherefrom --trust trust` ·
    `wherefrom verify model.sig --data model/ --public-key signer.pem`
    """
    content = read_file(file)
    kind = _kind_of(content)
    given = {
        "--trust": trust,
        "--set": about,
        "--evidence": evidence,
        "--secret": secret,
        "--data": data,
        "--report": report,
        "--public-key": public_key,
        "--roots": roots,
        "--tsa-roots": tsa_roots,
        "--bitcoin-headers": bitcoin_headers,
    }
    for option, value in given.items():
        if value and option not in _OPTIONS[kind]:
            raise typer.BadParameter(f"{file} is {kind}, which {option} does not go with")
    opened = Secret.read(secret) if secret else None
    if kind == _PROOF:
        named = verify_bundle(read_file(evidence), _read_policy(evidence, _EVIDENCE, trust)) if evidence else None
        _finish_proof(file, verify_proof(content, expected=about, secret=opened, evidence=named), as_json=as_json)
    elif kind == _SIGNATURE:
        _finish_signature(file, content, data or [], public_key, roots, as_json=as_json)
    elif kind == _SPLIT:
        found = verify_split_view(content, _read_policy(file, kind, trust))
        _finish(file, found, holds=f"{file}: this log has shown two histories", facts={}, as_json=as_json)
    else:
        policy = _read_policy(file, kind, trust)
        headers = open_headers(bitcoin_headers) if bitcoin_headers else None
        verdict = verify_bundle(content, policy, tsa_roots=read_roots(tsa_roots), headers=headers)
        for item in data or []:
            _hold(verdict, item, opened)
        _finish_evidence(file, verdict, report, as_json=as_json)


def _kind_of(content: bytes) -> str:
    if content.startswith(HEADER.encode()):
        return _PROOF
    if content.endswith(b'"type":"%b"}\n' % SPLIT_VIEW_TYPE.encode()):  # canonical, and its last member
        return _SPLIT
    return _SIGNATURE if b"dev.sigstore.bundle" in content[:4096] else _EVIDENCE


def _finish(file: Path, verdict: Findings, *, holds: str, facts: dict[str, Any], as_json: bool) -> None:
    finish(verdict, str(file), holds=holds, fails=f"{file} does not hold", facts=facts, as_json=as_json)


def _finish_evidence(file: Path, verdict: Verdict, report: Path | None, *, as_json: bool) -> None:
    if report is not None and verdict.report:
        write_whole(report, verdict.report.encode())
    subject = verdict.subject
    facts = {
        "signedBy": verdict.signed_by,
        "subject": dict(zip(("namespace", "name", "digest"), subject, strict=True)) if subject else None,
        "versions": [
            {"namespace": v[0], "name": v[1], "digests": digests} for v, digests in sorted(verdict.versions.items())
        ],
        "received": verdict.received,
    }
    holds = f"{file} tells what {subject[1] if subject else 'nothing'} was made from, as recorded"
    _finish(file, verdict, holds=holds, facts=facts, as_json=as_json)
    if not as_json:  # it holds, else the program had ended
        say("it shows what was recorded, by whom and when; not that the recorder told the truth then")


def _finish_signature(
    file: Path, content: bytes, data: list[str], public_key: Path | None, roots: Path | None, *, as_json: bool
) -> None:
    from wherefrom.fingerprints import oms

    if len(data) != 1:
        raise typer.BadParameter(f"{file} is {_SIGNATURE}: say which file or folder it is of with --data PATH")
    trusted: oms.PublicKey | oms.CertificateRoots | None = None
    if public_key:
        trusted = oms.PublicKey.from_pem(read_file(public_key))
    elif roots:
        trusted = oms.CertificateRoots.from_pem(read_file(roots))
    verdict = oms.verify_folder(content, data[0], trusted=trusted, signature=file)
    changes = {"missing": verdict.missing, "added": verdict.added, "changed": verdict.changed}
    _finish(file, verdict, holds=f"{data[0]} is as it was signed", facts=changes, as_json=as_json)


def _read_policy(file: Path, kind: str, trust: Path | None) -> TrustPolicy:
    if trust is None:
        raise typer.BadParameter(f"{file} is {kind}: say which ledgers you trust with --trust FILE")
    return read_policy(trust)


def _finish_proof(file: Path, verdict: ProofVerdict, *, as_json: bool) -> None:
    about = verdict.about
    facts = {"set": about and str(about), "identity": about and about.to_json()}
    _finish(file, verdict, holds=f"{file}, for the set {about}", facts=facts, as_json=as_json)


def _hold(verdict: Verdict, item: str, secret: Secret | None) -> None:
    from wherefrom.evidence import verify_data  # reads tables, which the verifier proper does not

    name, _, path = item.rpartition("=") if not Path(item).exists() else ("", "", item)
    try:
        verify_data(verdict, Path(path), name or None, secret=secret)
    except WherefromError as error:
        verdict.findings.append(Finding(f"{path} is as recorded", Outcome.UNCHECKED, str(error)))
