"""Promises of the repository that no other test would notice broken."""

import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import wherefrom

ROOT = Path(__file__).parents[2]
ROOMS = [name for _, name, is_package in pkgutil.iter_modules(wherefrom.__path__, "wherefrom.") if is_package]


@pytest.mark.parametrize("room", ["wherefrom", *ROOMS])
def test_what_a_room_says_is_public_can_be_imported_and_is_in_order(room):
    module = importlib.import_module(room)
    assert sorted(module.__all__) == sorted(set(module.__all__))
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_importing_wherefrom_imports_nothing_of_others():
    code = "import json, sys; import wherefrom; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    heavy = {
        "alembic",
        "cryptography",
        "datafusion",
        "jinja2",
        "numpy",
        "pandas",
        "polars",
        "psycopg",
        "pyarrow",
        "rich",
        "sklearn",
    }
    assert not loaded & (heavy | {"sqlalchemy", "typer"})


def test_the_verifier_runs_with_one_library_only():
    """Neither SQL nor Arrow nor a JCS library may be needed to check evidence."""
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"sqlalchemy", "pyarrow", "numpy", "rfc8785", "jinja2", "typer", "rich", "datafusion"}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
from wherefrom.verify import verify_bundle
from wherefrom.notes import SigningKey, TrustPolicy, TrustedLog
policy = TrustPolicy((TrustedLog(SigningKey("x", bytes(32)).verifier_key),))
print(verify_bundle(b"{}\\n", policy).outcome.value)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "could not check\n"


def test_the_verifier_is_short_enough_to_be_read_in_an_evening():
    rooms = [ROOT / "src" / "wherefrom" / room for room in ("verify",)]
    assert sum(len(path.read_text().splitlines()) for room in rooms for path in room.rglob("*.py")) < 1000


def test_lock_files_name_no_host_and_pin_every_package_with_hashes():
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "://" not in text
        packages = [line for line in text.splitlines() if "==" in line]
        assert packages
        assert all(line.endswith("\\") for line in packages), path


def test_the_schema_version_is_that_of_the_newest_migration():
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    from wherefrom.store import SCHEMA_VERSION

    config = Config()
    config.set_main_option("script_location", str(ROOT / "src" / "wherefrom" / "store" / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA_VERSION


def test_the_migrations_give_the_tables_that_the_code_knows(tmp_path):
    import sqlalchemy as sa
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from wherefrom.store import Database
    from wherefrom.store.schema import metadata

    Database.create(tmp_path / "archive.db")
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'archive.db'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
