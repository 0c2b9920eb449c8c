"""What importing costs: nothing is imported that is not used."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "alembic",
    "cryptography",
    "datafusion",
    "duckdb",
    "h5py",
    "jinja2",
    "joblib",
    "logging",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "rfc8785",
    "rich",
    "safetensors",
    "sklearn",
    "sqlalchemy",
    "typer",
    "wrapt",
}


def imported(text, tmp_path):
    program = f"import sys\n{text}\nimport json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_imports_no_other_and_little_of_the_standard_library(tmp_path):
    new = imported("import wherefrom", tmp_path) - imported("", tmp_path)
    assert {name for name in new if name.partition(".")[0] not in sys.stdlib_module_names} <= {
        "wherefrom",
        "wherefrom.version",
    }
    assert not {"asyncio", "dataclasses", "importlib.metadata", "inspect", "pathlib", "socket", "subprocess"} & new


@pytest.mark.parametrize(
    "text",
    [
        "import wherefrom; wherefrom.autolog()",
        "import wherefrom; wherefrom.autolog().log_metric('m', 1); open('x', 'w').write('y')",
        "from wherefrom import run\nwith run('x', lr=1) as r: r.log_params(a=2)",
        "import wherefrom.capture; wherefrom.capture.current_run()",
    ],
)
def test_capturing_imports_no_library_into_the_program(tmp_path, text):
    assert not HEAVY & imported(text, tmp_path)


def test_a_library_that_the_program_uses_is_noticed_by_the_same_test(tmp_path):
    assert HEAVY & imported("import wherefrom; wherefrom.autolog(); import numpy", tmp_path)


def test_the_package_and_the_room_offer_what_they_list_and_nothing_more():
    import wherefrom
    import wherefrom.capture

    for module in (wherefrom, wherefrom.capture):
        assert sorted(module.__all__) == module.__all__
        for name in module.__all__:
            assert getattr(module, name) is not None
        with pytest.raises(AttributeError):
            _ = module.no_such_name
