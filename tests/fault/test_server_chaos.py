"""A few of the kills of which bench/chaos.py does fifty: what a client believes is recorded is there, once."""

import contextlib
import random
from types import SimpleNamespace

import pytest
from chaos import Chaos, Stage, digest_of
from events import event
from postgresql_server import PostgresqlServer

from wherefrom.archive import Archive
from wherefrom.archive.keeping_keys import allow_key
from wherefrom.notes import SigningKey
from wherefrom.statements import format_statement, sign_envelope

pytest.importorskip("fastapi", reason="fastapi is not installed: the extra `server` has it")

KILLS = 5


def test_a_statement_that_is_missing_or_twice_or_out_of_order_or_promised_elsewhere_is_noticed(tmp_path):
    stage = Stage(tmp_path, processes=0, sdk=0, direct=0, pause_s=0, dice=random.Random(4))
    (tmp_path / "server").mkdir()
    first, second = event("a"), event("b")
    with contextlib.closing(Archive.init(tmp_path / "server", namespace="test")) as archive:
        [_, receipt] = archive.record(first, second)
    digests = [digest_of(format_statement(statement)) for statement in (first, second)]

    def judged(**said):
        stage.clients = [SimpleNamespace(said=[{"client": "c", **said}])]
        stage.result = Chaos()
        stage.judge()
        return stage.result.failures

    assert judged(kept=digests, sent=[[digests[1], receipt.index, receipt.statement_id]]) == []
    assert "1 of 3 statements" in judged(kept=[*digests, "00" * 32])[0]
    assert "not in the order" in judged(kept=digests[::-1])[0]
    assert "a receipt says 7" in judged(sent=[[digests[1], 7, receipt.statement_id]])[0]
    with contextlib.closing(Archive.find(tmp_path / "server")) as archive:
        key = SigningKey.generate("example.com/other")
        allow_key(archive, key.verifier_key)  # by another key the same statement is another entry
        archive.record_envelopes([sign_envelope(format_statement(first), {key.verifier_key.label: key})])
    assert f"statement {digests[0][:12]} is recorded at" in judged(kept=digests)[0]


@pytest.mark.slow
def test_a_server_killed_under_load_has_all_that_clients_believe_recorded_once_and_in_order(tmp_path):
    stage = Stage(tmp_path, processes=1, sdk=2, direct=1, pause_s=0.05, dice=random.Random(5))
    with stage.playing():
        for number in range(KILLS):
            stage.await_work()
            if number % 2:
                stage.kill_clients()
            stage.kill_server()
        stage.await_work()
    assert stage.result.failures == []
    assert (stage.result.kills, stage.result.client_kills) == (KILLS, 2)
    assert stage.result.kept > 10
    assert stage.result.sent > 10


@pytest.mark.slow
def test_a_database_killed_under_load_has_all_that_clients_believe_recorded_once_and_in_order(tmp_path):
    with contextlib.closing(PostgresqlServer()) as postgresql:
        stage = Stage(tmp_path, processes=1, sdk=2, direct=1, pause_s=0.05, dice=random.Random(6))
        with stage.playing(database=f"{postgresql.url}&schema=chaos"):
            for _ in range(2):
                stage.await_work()
                postgresql.kill()
                postgresql.start()
            stage.await_work()
    assert stage.result.failures == []
    assert stage.result.kept > 10
