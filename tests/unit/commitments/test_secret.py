import hashlib
import hmac
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from wherefrom.commitments import Secret
from wherefrom.commitments.secret import KEY, ROW
from wherefrom.errors import ConflictError, FormatError, MismatchError, NotFoundError, UnavailableError

SECRET = Secret(bytes(range(32)))


def test_a_secret_is_named_by_its_commitment_and_never_shown():
    assert SECRET.commitment == hashlib.sha256(b"wf-secret-1" + SECRET.key).hexdigest()
    assert SECRET.scheme == f"hmac-sha256:{SECRET.commitment}"
    for shown in (repr(SECRET), str(SECRET), f"{SECRET}", repr([SECRET])):
        assert SECRET.commitment in shown
        assert SECRET.key.hex() not in shown
        assert repr(SECRET.key)[2:-1] not in shown
        assert SECRET.to_text().removeprefix("wf-secret-1:") not in shown


def test_salts_are_hmacs_by_domain():
    assert SECRET.salt_of(b"row", ROW) == hmac.digest(SECRET.key, b"\x00row", "sha256")
    assert SECRET.salt_of(b"row", KEY) == hmac.digest(SECRET.key, b"\x01row", "sha256")
    with pytest.raises(FormatError, match=r"domain of a salt is b'\\x02', expected b'\\x00' for rows"):
        SECRET.salt_of(b"row", b"\x02")


def test_secrets_are_drawn_anew():
    one, other = Secret.generate(), Secret.generate()
    assert one != other
    assert len(one.key) == 32


@pytest.mark.parametrize(("key", "got"), [(b"x" * 31, "31 bytes"), (b"", "0 bytes"), ("x" * 32, "str")])
def test_a_secret_of_another_size_or_type_is_refused(key, got):
    with pytest.raises(FormatError, match=f"a secret is 32 bytes, got {got}"):
        Secret(key)


def test_a_secret_goes_to_a_file_for_its_owner_and_back(tmp_path):
    path = tmp_path / "secret"
    SECRET.write(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == "wf-secret-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    assert Secret.read(path) == SECRET
    assert pickle.loads(pickle.dumps(SECRET)) == SECRET


def test_a_file_is_never_overwritten(tmp_path):
    path = tmp_path / "secret"
    SECRET.write(path)
    with pytest.raises(ConflictError, match=r"there is a file at '.*secret' already; a secret is never overwritten"):
        Secret.generate().write(path)
    assert Secret.read(path) == SECRET
    assert list(tmp_path.iterdir()) == [path]


def test_what_can_not_be_read_or_written_is_said(tmp_path):
    with pytest.raises(NotFoundError, match=r"no secret at '.*nothing'"):
        Secret.read(tmp_path / "nothing")
    with pytest.raises(UnavailableError, match="can't read the secret"):
        Secret.read(tmp_path)
    with pytest.raises(UnavailableError, match=r"can't write the secret '.*no/secret': No such file"):
        SECRET.write(tmp_path / "no" / "secret")


def test_a_secret_that_can_not_be_written_whole_leaves_no_file(tmp_path, monkeypatch):
    def refuse(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(UnavailableError, match="No space left on device"):
        SECRET.write(tmp_path / "secret")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_named_and_not_quoted(tmp_path):
    path = tmp_path / "secret"
    path.write_text(SECRET.to_text()[:-1])
    with pytest.raises(FormatError, match=r"'.*secret' is not a secret") as caught:
        Secret.read(path)
    assert "AAECAw" not in str(caught.value)
    path.write_bytes(b"\xff" * 10_000)
    with pytest.raises(FormatError, match="is not a secret"):
        Secret.read(path)


def test_a_secret_that_is_not_the_one_used_is_told_from_none():
    SECRET.verify_scheme(SECRET.scheme)
    other = Secret(b"\xff" * 32)
    with pytest.raises(MismatchError, match=f"its commitment is {other.commitment}, expected {SECRET.commitment}"):
        other.verify_scheme(SECRET.scheme)
    with pytest.raises(MismatchError, match="made without a secret, but one was given"):
        SECRET.verify_scheme("none")


def test_many_who_want_a_secret_at_once_get_the_same(tmp_path):
    path = tmp_path / "new" / "secret"
    with ThreadPoolExecutor(8) as executor:
        obtained = list(executor.map(lambda _: Secret.obtain(path), range(16)))
    assert set(obtained) == {Secret.read(path)}
    assert [file.name for file in path.parent.iterdir()] == ["secret"]
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_damaged_secret_is_not_made_anew(tmp_path):
    path = tmp_path / "secret"
    path.write_text("wf-secret-1:\n")
    with pytest.raises(FormatError, match="is not a secret"):
        Secret.obtain(path)
    assert path.read_text() == "wf-secret-1:\n"
