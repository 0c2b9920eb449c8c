"""A shard on its own: what it proves without the ledger that it comes from, and what it refuses."""

import contextlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from events import event, pipeline

from wherefrom.archive import Archive
from wherefrom.archive.erasing import redact, retire, set_retention
from wherefrom.errors import FormatError, NotFoundError, UnavailableError
from wherefrom.ledger import prove_entry
from wherefrom.ledger.shard_file import ShardFile, verify_shard, write_shard
from wherefrom.merkle import hash_leaf, verify_inclusion
from wherefrom.notes import SigningKey, TrustedLog, TrustPolicy, open_checkpoint, parse_policy
from wherefrom.statements import Rule
from wherefrom.verify import Outcome

ACT = {"reason": "over", "by": "records office"}


def policy_of(archive):
    return parse_policy(archive.trust_file.read_bytes())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An archive of 306 entries, among them a redacted one, and the shard of entries 2 to 280 of it."""
    folder = tmp_path_factory.mktemp("whole")
    archive = Archive.init(folder / "project", namespace="test", origin="example.com/test")
    archive.record(*pipeline())
    archive.record(*(event(f"run {number}") for number in range(300)))
    redact(archive, ["5"], **ACT)
    with archive.reading() as (tables, _), (folder / "shard").open("wb") as file:
        write_shard(tables, (2, 281), file)
    yield archive, folder / "shard"
    archive.close()


def edited(shard, folder, line, change):
    """The shard file with one line changed, and still canonical."""
    lines = shard.read_bytes().splitlines(keepends=True)
    value = json.loads(lines[line])
    change(value)
    lines[line] = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    (folder / "edited").write_bytes(b"".join(lines))
    return ShardFile(folder / "edited")


def messages(verdict):
    return " | ".join(finding.message for finding in verdict.findings if finding.outcome is not Outcome.TRUE)


def test_a_shard_proves_its_entries_without_the_ledger(whole):
    archive, path = whole
    shard = ShardFile(path)
    verdict = verify_shard(shard, policy_of(archive))
    assert verdict.outcome is Outcome.TRUE, verdict.findings
    assert (verdict.span, verdict.redacted) == ((2, 281), 1)
    signed = open_checkpoint(shard.head.checkpoint, [archive.log_key])
    leaves = {exhibit.index: hash_leaf(exhibit.entry) for exhibit in shard.iter_exhibits()}
    assert len(leaves) == 279
    for index in (2, 3, 100, 255, 256, 257, 280):
        proof = shard.prove(index)
        verify_inclusion(leaves[index], index=index, size=signed.size, proof=proof, root=signed.root)
        with archive.reading() as (tables, _):
            assert proof == prove_entry(tables, index=index, size=signed.size)
    for index in (1, 281):
        with pytest.raises(NotFoundError, match=f"no entry {index} in this shard"):
            shard.prove(index)


@pytest.mark.parametrize("span", [(0, 1), (0, 304), (7, 8), (128, 256), (255, 257), (290, 305), (256, 305)])
def test_each_run_of_entries_can_be_a_shard(whole, tmp_path, span):
    archive, _ = whole
    with archive.reading() as (tables, _), (tmp_path / "shard").open("wb") as file:
        assert write_shard(tables, span, file) == file.tell()
        size = tables.size()
        shard = ShardFile(tmp_path / "shard")
        file.flush()
        assert verify_shard(shard, policy_of(archive)).outcome is Outcome.TRUE
        for index in (span[0], span[1] - 1):
            assert shard.prove(index) == prove_entry(tables, index=index, size=size)


@pytest.mark.parametrize(
    ("line", "change", "message"),
    [
        (0, lambda v: v.update(type="wherefrom-shard-2"), "$.type"),
        (0, lambda v: v.update({"from": 3}), "compact range [0, 3)"),
        (0, lambda v: v.update({"to": 280}), "compact range [280, 305)"),
        (0, lambda v: v.update({"to": 10**9}), "but the checkpoint has"),
        (0, lambda v: v["left"].__setitem__(0, "00" * 32), "they lead to root"),
        (0, lambda v: v["right"].__setitem__(0, "00" * 32), "they lead to root"),
        (0, lambda v: v["right"].pop(), "compact range"),
        (0, lambda v: v["left"].__setitem__(0, "AB" * 32), "left[0]"),
        (0, lambda v: v.update(checkpoint=v["checkpoint"].replace("\n305\n", "\n306\n")), "does not fit what it signs"),
        (
            0,
            lambda v: v.update(checkpoint=v["checkpoint"].replace("test\n305", "tesT\n305")),
            "does not fit what it signs",
        ),
        (0, lambda v: v["beside"].clear(), "no signature by a known key"),
        (0, lambda v: v["beside"].pop(), "statement 5 has no text here, and no redaction"),
        (0, lambda v: v["beside"].reverse(), "in order"),
        (0, lambda v: v["beside"][0]["proof"].pop(), "statement 0: inclusion proof"),
        (0, lambda v: v.update(note=1), "unknown member"),
        (1, lambda v: v.update(salt="00" * 32), "statement 2: the statement is not the one"),
        (1, lambda v: v.update(index=3), "line 2 has index 3, expected 2"),
        (1, lambda v: v.update(entry=v["entry"].replace("RunEvent", "JobEvent")), "they lead to root"),
        (1, lambda v: (v.pop("salt"), v.pop("envelope")), "statement 2 has no text here"),
        (1, lambda v: v.pop("salt"), "$.salt: is missing"),
        (1, lambda v: v.update(proof=[]), "unknown member"),
    ],
)
def test_a_shard_that_was_edited_is_not_true_and_the_message_names_what(whole, tmp_path, line, change, message):
    archive, path = whole
    verdict = verify_shard(edited(path, tmp_path, line, change), policy_of(archive))
    assert verdict.outcome is not Outcome.TRUE
    assert message in messages(verdict), messages(verdict)


def test_a_shard_that_was_cut_or_lengthened_could_not_be_checked(whole, tmp_path):
    archive, path = whole
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    for changed in (data[:-1], data[: len(data) // 2], b"".join(lines[:-1]), data + lines[-1], b"", b"\n", lines[0]):
        (tmp_path / "changed").write_bytes(changed)
        verdict = verify_shard(ShardFile(tmp_path / "changed"), policy_of(archive))
        assert verdict.outcome is Outcome.UNCHECKED, verdict.findings


def test_a_shard_of_a_ledger_that_is_not_trusted_could_not_be_checked(whole):
    _, path = whole
    other = TrustPolicy((TrustedLog(SigningKey.generate("example.com/other").verifier_key),))
    assert verify_shard(ShardFile(path), other).outcome is Outcome.UNCHECKED
    with pytest.raises(NotFoundError):
        ShardFile(path.with_name("elsewhere")).span  # noqa: B018


def test_no_byte_can_be_changed(whole, tmp_path):
    archive, _ = whole
    with archive.reading() as (tables, _), (tmp_path / "shard").open("wb") as file:
        write_shard(tables, (2, 8), file)
    data, policy = (tmp_path / "shard").read_bytes(), policy_of(archive)
    assert verify_shard(ShardFile(tmp_path / "shard"), policy).outcome is Outcome.TRUE
    for at in range(0, len(data), 17):
        (tmp_path / "changed").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        shard = ShardFile(tmp_path / "changed")
        assert verify_shard(shard, policy).outcome is not Outcome.TRUE, at
        with contextlib.suppress(FormatError, NotFoundError):
            shard.prove(2)


def test_what_is_retired_is_in_the_file_that_was_written_before(archive, tmp_path):
    clock = [datetime.now(UTC) + timedelta(days=1)]
    timed = Archive.open(archive.folder, clock=lambda: clock[0])
    set_retention(timed, [Rule(("*",), "P1Y", "test")], by="records office")
    timed.record(*pipeline())
    clock[0] += timedelta(days=500)
    file = tmp_path / "2026.shard"
    retire(timed, (0, 5), at=clock[0], archive_to=file, **ACT)
    assert verify_shard(ShardFile(file), policy_of(timed)).outcome is Outcome.TRUE
    assert list(tmp_path.glob(".*.new")) == []
    size = timed.size()
    signed, _ = timed.checkpoint()
    for exhibit in ShardFile(file).iter_exhibits():
        with timed.reading() as (tables, _):
            proof = prove_entry(tables, index=exhibit.index, size=size)
        leaf = hash_leaf(exhibit.entry)
        verify_inclusion(leaf, index=exhibit.index, size=size, proof=proof, root=signed.root)
    with pytest.raises(UnavailableError, match="hold nothing that could be retired"):
        retire(timed, (0, 5), at=clock[0], archive_to=tmp_path / "again", **ACT)
    with (
        timed.reading() as (tables, _),
        (tmp_path / "x").open("wb") as out,
        pytest.raises(UnavailableError, match="gone"),
    ):
        write_shard(tables, (0, 5), out)
    timed.close()
