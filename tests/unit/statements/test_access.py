"""The book of access: which grants, tokens and sessions hold as of any size, and on whose word."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom.errors import FormatError
from wherefrom.statements import (
    ACCESS_POLICY,
    DENIAL,
    GRANT,
    SESSION,
    TOKEN,
    AccessBook,
    Reach,
    audited_in,
    check_statement,
    format_statement,
    is_covered,
    ledger_subject,
    make_access_statement,
    make_correction_statement,
    make_entry,
    named_by,
    parse_checked,
)

ORIGIN = "example.com/log"
LOG, PRODUCER = f"{ORIGIN}+00000001", f"{ORIGIN}/producer+00000002"
START = datetime(2026, 11, 21, 8, tzinfo=UTC)
LEDGER = ledger_subject(ORIGIN, bytes(32))
AT = {"at": "2026-11-21T08:00:00Z", "by": "user:admin"}
GIVEN = {"action": "grant", "principal": "user:ada", "role": "viewer", "namespaces": "lake/*", **AT}
ISSUED = {
    "action": "issue",
    "tokenId": "0123456789abcdef",
    "principal": "user:ada",
    "sha256": "ab" * 32,
    "expires": "2027-01-01T00:00:00Z",
    **AT,
}
BEGUN = {
    "action": "begin",
    "sessionId": "s1",
    "principal": "user:ada",
    "groups": ["a", "b"],
    "issuer": "https://login.example.com",
    "expires": "2026-11-21T16:00:00Z",
}
POLICY = {"files": [{"name": "roles.cedar", "text": "permit (principal, action, resource);"}], "schema": "x", **AT}
POLICY.pop("by")
DENIED = {
    "principal": None,
    "action": "read",
    "namespace": "lake",
    "route": "GET /v1/lineage",
    "count": 3,
    "from": "2026-11-21T08:00:00Z",
    "to": "2026-11-21T08:01:00Z",
}


class Told:
    """A ledger of statements on access, and the book that reads it."""

    def __init__(self):
        self.book = AccessBook(ORIGIN)
        self.size = 0

    def say(self, statement, *, key=LOG, erased=False):
        """Its id."""
        index, self.size = self.size, self.size + 1
        received = START + timedelta(seconds=index)
        entry = make_entry(statement, b"", salt=bytes(32), key_ids=[key], received=received)
        self.book.add(entry, None if erased else statement, index=index, statement_id=statement_id(index))
        return statement_id(index)

    def give(self, kind=GRANT, predicate=GIVEN, **options):
        return self.say(make_access_statement(kind, predicate, ledger=LEDGER), **options)

    def end(self, ended, kind=GRANT, **options):
        predicate = {"action": "revoke", "revokes": ended, **AT}
        return self.say(make_access_statement(kind, predicate, ledger=LEDGER), **options)

    def correct(self, corrected, **options):
        return self.say(make_correction_statement(corrected, reason="wrong"), **options)

    def held(self, as_of=None):
        return [grant.index for grant in self.book.grants(as_of=self.size if as_of is None else as_of)]


def statement_id(index):
    return f"{index:064x}"


@pytest.fixture
def told():
    return Told()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["grant", "revoke", "correct", "correct by a producer", "revoke by a producer"]),
            st.integers(0, 30),
        ),
        max_size=25,
    )
)
def test_what_holds_as_of_any_size_is_what_a_plain_reading_up_to_there_gives(steps):
    told, said = Told(), []
    for what, number in steps:
        ids = [statement_id(index) for index in range(told.size)]
        target = ids[number % (len(ids) + 1)] if number % (len(ids) + 1) < len(ids) else statement_id(99)
        key = PRODUCER if what.endswith("by a producer") else LOG
        said.append((what, int(target, 16)))
        if what == "grant":
            told.give(predicate=GIVEN | {"principal": f"user:{number}"})
        elif what.startswith("revoke"):
            told.end(target, key=key)
        else:
            told.correct(target, key=key)
    for size in range(told.size + 1):
        # A correction of a correction takes nothing back; nothing of a producer's counts.
        back = {target for what, target in said[:size] if what == "correct" and target < told.size}
        ended = {target for index, (what, target) in enumerate(said[:size]) if what == "revoke" and index not in back}
        plain = {index for index, (what, _) in enumerate(said[:size]) if what == "grant"} - back - ended
        assert set(told.held(size)) == plain


def test_a_grant_counts_only_when_a_key_of_the_log_signed_it(told):
    told.give(key=PRODUCER)
    told.give(key=f"{ORIGIN}/producer+00000001")
    told.give(key=f"evil/{ORIGIN}+00000001")
    assert told.held() == []
    told.give(key=LOG)
    assert told.held() == [3]


def test_a_revocation_counts_from_its_entry_on_and_its_correction_gives_the_grant_back(told):
    first = told.give()
    revoked = told.end(first)
    told.correct(revoked)
    assert [told.held(size) for size in range(4)] == [[], [0], [], [0]]
    told.correct(first)
    assert told.held() == []


def test_what_is_ended_stays_ended_when_the_revocation_is_erased_and_what_is_erased_is_not_given(told):
    first = told.give()
    told.end(first, erased=True)
    assert told.held() == []
    told.give(erased=True)
    assert told.held() == []


def test_a_revocation_of_one_kind_ends_nothing_of_another(told):
    grant = told.give()
    told.end(grant, kind=TOKEN)
    told.end(grant, kind=SESSION)
    assert told.held() == [0]


def test_a_statement_that_names_what_is_not_there_changes_nothing(told):
    told.end("ff" * 32)
    told.correct("ff" * 32)
    told.give()
    told.end(statement_id(3))  # itself
    assert told.held() == [2]


def test_tokens_and_sessions_are_found_by_id_until_they_are_ended(told):
    token = told.give(TOKEN, ISSUED | {"roles": ["viewer"], "namespaces": ["lake/*"]})
    session = told.give(SESSION, BEGUN)
    found = told.book.find_token("0123456789abcdef", as_of=2)
    assert (found.principal, found.sha256) == ("user:ada", bytes.fromhex("ab" * 32))
    assert found.reach == Reach(frozenset({"viewer"}), ("lake/*",))
    assert told.book.find_session("s1", as_of=2).groups == ("a", "b")
    told.end(token, TOKEN)
    told.end(session, SESSION)
    assert told.book.find_token("0123456789abcdef", as_of=2)
    assert told.book.find_token("0123456789abcdef", as_of=3) is None
    assert told.book.find_session("s1", as_of=3)
    assert told.book.find_session("s1", as_of=4) is None
    assert told.book.has_session("s1")
    assert told.book.find_token("0" * 16, as_of=4) is None


def test_a_token_s_id_belongs_to_whoever_had_it_first(told):
    told.give(TOKEN, ISSUED)
    told.give(TOKEN, ISSUED | {"principal": "user:eve"})
    assert told.book.find_token("0123456789abcdef", as_of=2).principal == "user:ada"


def test_the_policy_is_the_newest_as_of_then(told):
    assert told.book.policy(as_of=0) is None
    told.give(ACCESS_POLICY, POLICY)
    told.give(ACCESS_POLICY, POLICY | {"schema": "y"})
    assert [told.book.policy(as_of=size).schema for size in (1, 2)] == ["x", "y"]


def test_grants_in_a_namespace_are_those_whose_pattern_covers_it(told):
    told.give()
    told.give(predicate=GIVEN | {"principal": "user:bob", "namespaces": "*"})
    assert [g.principal for g in told.book.grants_in("lake/a", as_of=2)] == ["user:ada", "user:bob"]
    assert [g.principal for g in told.book.grants_in("hr", as_of=2)] == ["user:bob"]
    assert told.book.names("user:ada")
    assert not told.book.names("user:eve")


@pytest.mark.parametrize(
    ("name", "pattern", "is_in"),
    [
        ("lake", "lake", True),
        ("lake", "*", True),
        ("", "*", True),
        ("lake/a", "lake/*", True),
        ("lake/", "lake/*", True),
        ("lake", "lake/*", False),
        ("my lake/a", "lake/*", False),
        ("s3://a-prod/x", "s3://*-prod/*", True),
        ("s3://a-dev/x", "s3://*-prod/*", False),
        ("aba", "ab*ba", False),
        ("abba", "ab*ba", True),
        ("abxba", "ab**ba", True),
        ("lake/*", "lake/*", True),
        ("lake/*", "*", True),
        ("*", "lake/*", False),
        ("lake/*", "lake/a", False),
        ("l*", "lake*", False),
        ("lake[a]", "lake[a]", True),
        ("lakea", "lake[a]", False),
        ("lakex", "lake?", False),
        ("LAKE", "lake", False),
        ("a\nb", "a*b", True),
    ],
)
def test_a_pattern_covers_a_namespace_or_a_pattern_within_it(name, pattern, is_in):
    assert is_covered(name, pattern) is is_in


@given(st.text("ab*", max_size=6), st.text("ab*", max_size=6), st.text("ab", max_size=8))
def test_what_a_covered_pattern_covers_the_covering_one_covers(inner, outer, name):
    if inner and outer and is_covered(inner, outer) and is_covered(name, inner):
        assert is_covered(name, outer)


def test_a_pattern_of_many_stars_is_tried_in_little_time():
    assert not is_covered("a" * 20_000, "*a" * 500 + "*b")


@pytest.mark.parametrize(
    ("one", "other", "covers"),
    [
        (Reach(), Reach(), True),
        (Reach(), Reach(frozenset({"viewer"}), ("x",)), True),
        (Reach(frozenset({"viewer"})), Reach(), False),
        (Reach(frozenset({"viewer", "admin"})), Reach(frozenset({"viewer"})), True),
        (Reach(None, ("lake/*",)), Reach(None, ("lake/a", "lake/b*")), True),
        (Reach(None, ("lake/*",)), Reach(None, ("lake/a", "hr")), False),
        (Reach(None, ("lake/*",)), Reach(), False),
        (Reach(None, ("*",)), Reach(), True),
    ],
)
def test_a_reach_covers_another_that_has_no_more(one, other, covers):
    assert one.covers(other) is covers


RIGHT = [(GRANT, GIVEN), (TOKEN, ISSUED), (SESSION, BEGUN), (ACCESS_POLICY, POLICY), (DENIAL, DENIED)]


@pytest.mark.parametrize(("kind", "predicate"), RIGHT)
def test_each_kind_is_written_and_read_and_takes_no_member_it_does_not_know(kind, predicate):
    statement = make_access_statement(kind, predicate, ledger=LEDGER)
    check_statement(statement)
    assert parse_checked(format_statement(statement)).predicate == predicate
    assert named_by(statement) is None
    with pytest.raises(FormatError, match="unknown member"):
        make_access_statement(kind, predicate | {"more": 1}, ledger=LEDGER)
    for name in set(predicate) - {"namespace", "principal"}:
        with pytest.raises(FormatError, match=rf"\$\.predicate\.{name}"):
            make_access_statement(kind, {n: v for n, v in predicate.items() if n != name}, ledger=LEDGER)


@pytest.mark.parametrize("kind", [GRANT, TOKEN, SESSION])
def test_what_ends_a_statement_is_about_that_statement(kind):
    ended = "ab" * 32
    statement = make_access_statement(kind, {"action": "revoke", "revokes": ended, **AT}, ledger=LEDGER)
    check_statement(statement)
    assert named_by(statement) == ended
    assert [dict(subject.digests) for subject in statement.subjects] == [{"wf-entry-1": ended}]


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        (GRANT, {"principal": "ada"}),
        (GRANT, {"principal": "user:"}),
        (GRANT, {"principal": "user:a b"}),
        (GRANT, {"principal": "user:a\nb"}),
        (GRANT, {"principal": "role:admin"}),
        (GRANT, {"role": "owner"}),
        (GRANT, {"role": "admin", "principal": "anonymous"}),
        (GRANT, {"namespaces": ""}),
        (GRANT, {"namespaces": "x" * 3000}),
        (GRANT, {"action": "give"}),
        (GRANT, {"at": "yesterday"}),
        (TOKEN, {"principal": "anonymous"}),
        (TOKEN, {"principal": "group:staff"}),
        (TOKEN, {"tokenId": "ABCDEF0123456789"}),
        (TOKEN, {"sha256": "ab"}),
        (TOKEN, {"roles": []}),
        (TOKEN, {"roles": ["viewer", "viewer"]}),
        (TOKEN, {"roles": ["owner"]}),
        (TOKEN, {"roles": [1]}),
        (TOKEN, {"namespaces": ["b", "a"]}),
        (TOKEN, {"namespaces": [""]}),
        (TOKEN, {"expires": "2027-01-01"}),
        (SESSION, {"groups": ["b", "a"]}),
        (SESSION, {"groups": [1]}),
        (ACCESS_POLICY, {"files": [{"name": "x"}]}),
        (DENIAL, {"count": 0}),
        (DENIAL, {"principal": 1}),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(kind, changed):
    [predicate] = [right for of, right in RIGHT if of == kind]
    with pytest.raises(FormatError):
        make_access_statement(kind, predicate | changed, ledger=LEDGER)


def test_who_may_read_a_statement_on_access_is_who_audits_what_it_is_about():
    def where(kind, predicate):
        return audited_in(make_access_statement(kind, predicate, ledger=LEDGER))

    assert where(GRANT, GIVEN) == "lake/*"
    assert where(DENIAL, DENIED) == "lake"
    assert where(DENIAL, DENIED | {"namespace": None}) == "*"
    assert where(TOKEN, ISSUED | {"namespaces": ["lake/*"]}) == "*"
    assert where(ACCESS_POLICY, POLICY) == "*"
