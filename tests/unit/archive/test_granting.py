"""Grants, tokens and sessions in a real ledger: who records them, who sees them, and what a rebuild makes of them."""

import contextlib
import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from wherefrom.archive import Archive, granting
from wherefrom.archive.erasing import redact
from wherefrom.archive.granting import (
    LiveAccess,
    begin_session,
    end,
    grant,
    issue_token,
    make_first_admin,
    parse_at,
    read_access,
    record_denials,
    record_policy,
    revoke,
)
from wherefrom.errors import ConflictError, FormatError, NotFoundError
from wherefrom.statements import GRANT, Reach, ledger_subject, make_access_statement, make_correction_statement

AT = {"at": "2026-11-21T08:00:00Z", "by": "evil"}


def held(archive, as_of=None):
    known = read_access(archive, as_of=as_of)
    return [(g.principal, g.role, g.namespaces) for g in known.book.grants(as_of=known.size)]


def tokens_of(archive):
    known = read_access(archive)
    return known.book.tokens(as_of=known.size)


def problems_of(archive):
    return [problem for _, found in archive.check() for problem in found]


def test_a_grant_holds_from_its_entry_on_until_it_is_revoked_and_can_be_made_again(archive):
    given = grant(archive, "user:ada", "viewer", "lake/*", by="user:admin", reason="joined")
    assert held(archive) == [("user:ada", "viewer", "lake/*")]
    again = grant(archive, "user:ada", "viewer", "lake/*", by="user:admin")
    assert (again.index, again.is_new) == (given.index, False)
    [revoked] = revoke(archive, "user:ada", "viewer", "lake/*", by="user:admin")
    assert held(archive) == []
    assert held(archive, as_of=revoked.index) == [("user:ada", "viewer", "lake/*")]
    assert held(archive, as_of=given.index) == []
    assert grant(archive, "user:ada", "viewer", "lake/*", by="user:admin").is_new
    assert held(archive) == [("user:ada", "viewer", "lake/*")]
    assert problems_of(archive) == []
    assert archive.rebuild() == []


@pytest.mark.parametrize(
    "missing", [("user:bob", "viewer", "lake"), ("user:ada", "admin", "lake"), ("user:ada", "viewer", "*")]
)
def test_only_what_was_granted_so_can_be_revoked(archive, missing):
    grant(archive, "user:ada", "viewer", "lake", by="x")
    with pytest.raises(NotFoundError):
        revoke(archive, *missing, by="x")


@pytest.mark.parametrize("wrong", [("ada", "viewer", "*"), ("user:ada", "owner", "*"), ("user:ada", "viewer", "")])
def test_nonsense_is_not_recorded(archive, wrong):
    size = archive.size()
    with pytest.raises(FormatError):
        grant(archive, *wrong, by="x")
    assert archive.size() == size


def test_a_producer_can_t_make_itself_an_admin_nor_end_or_correct_what_others_have(archive):
    """Whoever holds the producer's key records statements, these too; none of them counts."""
    given = grant(archive, "user:ada", "viewer", "lake", by="user:admin")
    ledger = ledger_subject(archive.origin, archive.log_key.public)
    evil = {"action": "grant", "principal": "user:eve", "role": "admin", "namespaces": "*", **AT}
    archive.record(make_access_statement(GRANT, evil, ledger=ledger))
    ending = {"action": "revoke", "revokes": given.statement_id, **AT}
    archive.record(make_access_statement(GRANT, ending, ledger=ledger))
    archive.record(make_correction_statement(given.statement_id, reason="evil"))
    assert held(archive) == [("user:ada", "viewer", "lake")]
    assert problems_of(archive) == []


def test_a_correction_by_the_ledger_s_key_takes_a_grant_back(archive):
    given = grant(archive, "user:ada", "viewer", "lake", by="user:admin")
    granting._record(archive, [make_correction_statement(given.statement_id, reason="the wrong Ada")])
    assert held(archive) == []
    assert problems_of(archive) == []


def test_a_revocation_of_what_is_not_there_is_refused(archive):
    size = archive.size()
    with pytest.raises(NotFoundError):
        granting.record_access(archive, GRANT, {"action": "revoke", "revokes": "ab" * 32, **AT})
    assert archive.size() == size
    assert problems_of(archive) == []


def test_of_a_token_only_the_hash_is_kept(archive):
    text, token_id, expires = issue_token(
        archive, "service:etl", by="x", reach=Reach(frozenset({"producer"}), ("b", "a"))
    )
    known = read_access(archive)
    token = known.book.find_token(token_id, as_of=known.size)
    assert token.sha256 == hashlib.sha256(text.encode()).digest()
    assert token.reach == Reach(frozenset({"producer"}), ("a", "b"))
    assert timedelta(days=89) < expires - datetime.now(UTC) <= timedelta(days=90)
    secret = text.rpartition("_")[2].encode()
    assert not any(secret in path.read_bytes() for path in archive.folder.rglob("*") if path.is_file())
    end(archive, token, by="x")
    known = read_access(archive)
    assert known.book.find_token(token_id, as_of=known.size) is None


def test_the_first_admin_is_made_once(archive):
    token = make_first_admin(archive)
    assert token.startswith("wft_")
    assert held(archive) == [("user:admin", "admin", "*")]
    with pytest.raises(ConflictError, match="user:admin"):
        make_first_admin(archive)
    revoke(archive, "user:admin", "admin", "*", by="x")
    assert make_first_admin(archive) != token
    assert held(archive) == [("user:admin", "admin", "*")]
    revoke(archive, "user:admin", "admin", "*", by="x")
    assert make_first_admin(archive)


@pytest.mark.parametrize("has_had_one", [False, True])
def test_of_several_who_make_the_first_admin_at_once_one_does(archive, monkeypatch, has_had_one):
    if has_had_one:
        make_first_admin(archive)
        revoke(archive, "user:admin", "admin", "*", by="x")
    tokens_before = len(tokens_of(archive))
    together = threading.Barrier(4)

    def read_and_wait(archive):
        found = read_access(archive)
        together.wait(60)  # nobody writes until everybody has read that there is none
        return found

    monkeypatch.setattr(granting, "read_access", read_and_wait)

    def make(_):
        with contextlib.closing(Archive.open(archive.folder)) as opened:
            try:
                return make_first_admin(opened)
            except ConflictError as error:
                return error.hint

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(make, range(4)))
    monkeypatch.undo()
    assert sorted(text[:4] for text in made) == ["`whe"] * 3 + ["wft_"]
    assert held(archive) == [("user:admin", "admin", "*")]
    assert len(tokens_of(archive)) == tokens_before + 1
    assert problems_of(archive) == []


def test_another_process_s_revocation_is_seen_and_nothing_is_read_twice(archive, monkeypatch):
    live = LiveAccess(archive)
    assert live.now().size == 0
    elsewhere = Archive.open(archive.folder)
    grant(elsewhere, "user:ada", "viewer", "lake", by="x")
    live.refresh()
    seen = live.now()
    assert len(seen.book.grants_of("user:ada", as_of=seen.size)) == 1
    assert live.now() is seen
    revoke(elsewhere, "user:ada", "viewer", "lake", by="x")
    monkeypatch.setattr(granting, "RECHECK_S", 0.0)  # the time has come
    assert live.now().book.grants_of("user:ada", as_of=live.now().size) == []
    assert seen.book.grants_of("user:ada", as_of=seen.size)  # what was known then stays what it was
    elsewhere.close()


def test_denials_are_no_part_of_the_book_and_a_redacted_revocation_still_counts(archive):
    given = grant(archive, "user:ada", "viewer", "lake", by="x")
    [revoked] = revoke(archive, "user:ada", "viewer", "lake", by="x")
    denied = {"principal": "user:ada", "action": "read", "namespace": "lake", "route": "GET /x", "count": 1}
    record_denials(archive, [denied | {"from": AT["at"], "to": AT["at"]}])
    live = LiveAccess(archive)
    assert live.now().size == revoked.index + 1
    redact(archive, [revoked.statement_id], reason="test", by="x")
    assert held(archive) == []
    redact(archive, [given.statement_id], reason="test", by="x")
    assert archive.read_recorded(str(revoked.index)).text is None
    assert held(archive) == []
    assert problems_of(archive) == []


def test_policies_are_recorded_when_they_change(archive):
    files = [("roles.cedar", "permit (principal, action, resource);")]
    assert record_policy(archive, read_access(archive), files=files, schema="one")
    assert not record_policy(archive, read_access(archive), files=files, schema="one")
    assert record_policy(archive, read_access(archive), files=files, schema="two")
    assert record_policy(archive, read_access(archive), files=files, schema="one")  # back again
    known = read_access(archive)
    assert known.book.policy(as_of=known.size).schema == "one"


def test_a_session_is_recorded_once_however_often_it_is_said(archive):
    session = {"groups": ["b", "a", "b"], "issuer": "https://x", "session_id": "s"}
    until = datetime.now(UTC) + timedelta(hours=1)
    first = begin_session(archive, "user:ada", expires=until, **session)
    assert begin_session(archive, "user:ada", expires=until, **session).index == first.index
    known = read_access(archive)
    assert known.book.find_session("s", as_of=known.size).groups == ("a", "b")


def test_a_time_an_entry_and_now_say_as_of_when(archive):
    given = grant(archive, "user:ada", "viewer", "lake", by="x")
    received = archive.read_recorded(str(given.index)).entry.received
    assert parse_at(archive, None)[0] == archive.size()
    assert parse_at(archive, str(given.index)) == (given.index + 1, received)
    assert parse_at(archive, received.isoformat()) == (given.index + 1, received)
    assert parse_at(archive, "2020-01-01")[0] == 0
    size, at = parse_at(archive, "2200-01-01")
    assert (size, at.hour, at.minute) == (archive.size(), 23, 59)
    for wrong in ("yesterday", "999"):
        with pytest.raises((FormatError, NotFoundError)):
            parse_at(archive, wrong)


def test_it_is_all_the_same_on_postgresql(tmp_path, postgresql_url):
    root = tmp_path / "project"
    root.mkdir()
    archive = Archive.init(root, namespace="test", database_url=postgresql_url)
    live = LiveAccess(archive)
    given = grant(archive, "user:ada", "viewer", "lake/*", by="x")
    assert len(live.refresh().book.grants_of("user:ada", as_of=archive.size())) == 1
    granting._record(archive, [make_correction_statement(given.statement_id, reason="wrong")])
    known = live.refresh()
    assert known.book.grants_of("user:ada", as_of=known.size) == []
    with archive.reading() as (_, views):
        assert views.list_access_statements(0, limit=10) == [given.index]
        assert views.list_access_entries(0) == [given.index, given.index + 1]
    archive.close()
