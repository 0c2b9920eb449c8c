"""Laws of erasing: whatever is recorded, redacted, held and retired, in any order, the ledger stays whole."""

import base64
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from events import dataset, event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wherefrom.archive import Archive
from wherefrom.archive.erasing import add_hold, redact, release_hold, retire, set_retention
from wherefrom.errors import UnavailableError
from wherefrom.ledger import prove_entry
from wherefrom.ledger.log import tile_reader
from wherefrom.merkle import prove_consistency_from_tiles, verify_consistency, verify_inclusion
from wherefrom.notes import open_checkpoint, parse_policy
from wherefrom.statements import Rule, Scope, make_correction_statement
from wherefrom.verify import Outcome, verify_bundle

from wherefrom.archive.issuing import issue_evidence  # isort: skip

ACT = {"reason": "asked", "by": "office"}
picks = st.integers(0, 40)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.integers(1, 4)),
        st.tuples(st.just("correct"), picks),
        st.tuples(st.just("redact"), picks),
        st.tuples(st.just("hold"), picks),
        st.tuples(st.just("release"), picks),
        st.tuples(st.just("retire"), st.tuples(picks, st.integers(1, 20))),
        st.tuples(st.just("wait"), st.integers(1, 200)),
        st.tuples(st.just("issue"), st.just(0)),
    ),
    min_size=4,
    max_size=14,
)


class History:
    """Carries out random steps, and remembers what must be so afterwards."""

    def __init__(self, folder):
        self.now = datetime(2030, 1, 1, tzinfo=UTC)
        Archive.init(Path(folder), namespace="test", origin="example.com/test").close()
        self.archive = Archive.open(Path(folder, ".wherefrom"), clock=self.tick)
        set_retention(self.archive, [Rule(("*",), "P90D", "test")], by="office")
        self.names, self.leaves, self.holds, self.evidence = {}, {}, {}, []
        self.made = 0

    def tick(self):
        self.now += timedelta(seconds=1)
        return self.now

    def do(self, step, value):
        getattr(self, step)(value)
        with self.archive.reading() as (tables, _):
            for stored in tables.iter_entries():
                assert self.leaves.setdefault(stored.index, stored.leaf_hash) == stored.leaf_hash

    def record(self, count):
        for _ in range(count):
            self.made += 1
            inputs = [dataset(f"person-{self.made - 1:05}.csv", str(self.made - 1))] if self.made > 1 else []
            output = dataset(f"person-{self.made:05}.csv", str(self.made))
            [receipt] = self.archive.record(event(f"run {self.made}", inputs, [output]))
            self.names[receipt.index] = self.made

    def there(self):
        return [r for r in self.archive.iter_recorded() if r.text is not None and r.index in self.names]

    def correct(self, pick):
        if there := self.there():
            target = there[pick % len(there)]
            self.archive.record(make_correction_statement(target.statement_id, reason=f"wrong {len(self.leaves)}"))

    def redact(self, pick):
        if there := self.there():
            target = there[pick % len(there)]
            if any(scope.has_index(target.index) for scope in self.holds.values()):
                with pytest.raises(UnavailableError, match="is held by"):
                    redact(self.archive, [target.statement_id], **ACT)
                return
            redact(self.archive, [target.statement_id], **ACT)
            del self.names[target.index]

    def hold(self, pick):
        scope = Scope(entries=(pick, pick + 3))
        self.holds[add_hold(self.archive, scope, **ACT).statement_id] = scope

    def release(self, pick):
        if self.holds:
            hold = sorted(self.holds)[pick % len(self.holds)]
            release_hold(self.archive, hold, **ACT)
            del self.holds[hold]

    def retire(self, span):
        begin, end = span[0], min(span[0] + span[1], self.archive.size())
        if begin >= end:
            return
        try:
            retire(self.archive, (begin, end), at=self.now, **ACT)
        except UnavailableError:
            return
        for index in range(begin, end):
            assert not (index in self.names and any(scope.has_index(index) for scope in self.holds.values()))
            self.names.pop(index, None)

    def wait(self, days):
        self.now += timedelta(days=days)

    def issue(self, _):
        there = self.there()
        if there:
            name = f"person-{self.names[there[-1].index]:05}.csv"
            self.evidence.append(issue_evidence(self.archive, name)[0])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_whatever_was_erased_the_ledger_is_whole_and_its_proofs_hold(history):
    with tempfile.TemporaryDirectory() as folder:
        run = History(folder)
        for step, value in history:
            run.do(step, value)
        archive = run.archive
        assert [problem for _, found in archive.check() for problem in found] == []
        assert archive.rebuild() == []
        with archive.reading() as (tables, _):
            notes = [open_checkpoint(note, [archive.log_key]) for _, note in tables.iter_checkpoints()]
            newest, read = notes[-1], tile_reader(tables)
            for index, leaf in run.leaves.items():
                proof = prove_entry(tables, index=index, size=newest.size)
                verify_inclusion(leaf, index=index, size=newest.size, proof=proof, root=newest.root)
            for old in notes:
                proof = prove_consistency_from_tiles(old.size, newest.size, read)
                sizes = {"old_size": old.size, "new_size": newest.size}
                verify_consistency(**sizes, old_root=old.root, new_root=newest.root, proof=proof)
        policy = parse_policy(archive.trust_file.read_bytes())
        for evidence in run.evidence:
            verdict = verify_bundle(evidence, policy)
            assert verdict.outcome is Outcome.TRUE, verdict.findings
        archive.close()
        assert_erased(Path(folder), run)


def assert_erased(folder, run):
    """A name is in the database's files as long as a statement that is there speaks of it, and no longer."""
    held = b"".join(path.read_bytes() for path in (folder / ".wherefrom").glob("archive.db*"))
    spoken = {number for made in run.names.values() for number in (made, made - 1)}
    named = bool(run.evidence)  # an evidence statement names versions too, and nobody redacted it
    for number in range(1, run.made + 1):
        name = f"person-{number:05}.csv".encode()
        forms = [name, *(base64.b64encode(name[skip : skip + (len(name) - skip) // 3 * 3]) for skip in range(3))]
        is_there = any(form in held for form in forms)
        assert is_there or number not in spoken
        assert not is_there or number in spoken or named, name
