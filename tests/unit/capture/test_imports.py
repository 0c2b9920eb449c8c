import importlib
import sys

import pytest

from wherefrom.capture import imports
from wherefrom.capture.imports import when_imported


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Makes modules that can be imported."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made = []

    def make(name, text="value = 1\n"):
        path = tmp_path.joinpath(*name.split("."))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(text)
        made.append(name)
        return name

    yield make
    for name in made:
        sys.modules.pop(name, None)
        imports._waiting.pop(name, None)


def test_a_patch_is_called_once_after_the_modules_code_has_run(module):
    name, seen = module("wf_later"), []
    when_imported(name, lambda m: seen.append(m.value))
    assert seen == []
    imported = importlib.import_module(name)
    assert seen == [1]
    importlib.reload(imported)
    assert seen == [1]
    assert type(imported.__spec__.loader).__name__ == "SourceFileLoader"
    assert "exec_module" not in vars(imported.__loader__)


def test_a_module_that_is_there_is_patched_at_once(module):
    name, seen = module("wf_before"), []
    importlib.import_module(name)
    when_imported(name, lambda m: seen.append(m.__name__))
    assert seen == [name]


def test_several_patches_of_one_module_and_modules_in_packages(module):
    name, seen = module("wf_package.part"), []
    module("wf_package.__init__")
    when_imported(name, lambda _: seen.append(1))
    when_imported(name, lambda _: seen.append(2))
    importlib.import_module(name)
    assert seen == [1, 2]


def test_a_module_that_is_not_installed_fails_as_before_and_can_be_installed_later(module):
    seen = []
    when_imported("wf_missing", lambda _: seen.append(1))
    with pytest.raises(ModuleNotFoundError, match="wf_missing"):
        importlib.import_module("wf_missing")
    module("wf_missing")
    importlib.invalidate_caches()
    importlib.import_module("wf_missing")
    assert seen == [1]


def test_a_module_whose_code_fails_is_not_patched(module):
    name, seen = module("wf_failing", "raise RuntimeError('no')"), []
    when_imported(name, lambda _: seen.append(1))
    with pytest.raises(RuntimeError, match="no"):
        importlib.import_module(name)
    assert seen == []


def test_the_standard_librarys_modules_are_found_too(monkeypatch):
    seen = []
    monkeypatch.delitem(sys.modules, "this", raising=False)
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    when_imported("colorsys", lambda m: seen.append(m.__name__))
    importlib.import_module("colorsys")
    assert seen == ["colorsys"]
