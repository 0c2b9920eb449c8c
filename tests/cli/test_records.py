"""`fingerprint`, `prove`, `verify` of proofs, and `diff`, as a user types them."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from events import dataset, event

from wherefrom.fingerprints import fingerprint_records


@pytest.fixture
def customers(archive, monkeypatch):
    """A table in the working folder of a project."""
    monkeypatch.chdir(archive.root)
    frame = pd.DataFrame(
        {
            "customer_id": range(100),
            "name": [f"Zoë {number}" for number in range(100)],
            "page": [f"https://Example.com:443/{number}#top" for number in range(100)],
        }
    )
    frame.to_parquet("customers.parquet")
    return frame


def test_fingerprints_are_of_bytes_and_of_rows(wherefrom, tmp_path):
    table = pd.DataFrame({"a": [1, 2, 2], "b": ["x", "y", None]})
    table.to_parquet(tmp_path / "t.parquet")
    table.iloc[::-1].to_csv(tmp_path / "t.csv", index=False)
    status, out, _ = wherefrom("fingerprint", tmp_path / "t.parquet", tmp_path / "t.csv", "--json")
    assert status == 0
    one, two = json.loads(out)
    assert one["digests"]["wf-records-1"] == two["digests"]["wf-records-1"]
    assert one["digests"]["sha256"] != two["digests"]["sha256"]
    assert "3 rows, 2 columns" in wherefrom("fingerprint", tmp_path / "t.csv")[1]
    assert "wf-records-1" not in wherefrom("fingerprint", "--files", tmp_path / "t.csv")[1]
    assert "wf-files-1:" in wherefrom("fingerprint", tmp_path)[1]
    assert "keys a: " in wherefrom("fingerprint", tmp_path / "t.csv", "--key", "a")[1]


def test_a_csv_that_does_not_parse_is_named_with_its_line(wherefrom, tmp_path):
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n3,4,5\n")
    status, out, err = wherefrom("fingerprint", tmp_path / "bad.csv")
    assert (status, out) == (3, "")
    assert "bad.csv" in err
    assert "3" in err
    assert wherefrom("fingerprint", tmp_path / "none.csv")[0] == 2


def test_orders_secrets_and_key_forms_are_said_beside_the_digest(wherefrom, customers):
    keys = [word for key in ("customer_id", "customer_id,name", "text:name", "url:page") for word in ("--key", key)]
    [result] = json.loads(wherefrom("fingerprint", "customers.parquet", *keys, "--json")[1])
    assert [(key["form"], key["keys"]) for key in result["keys"]] == [
        ("exact", 100),
        ("exact", 100),
        ("text", 100),
        ("url", 100),
    ]
    assert result["identity"]["root"] == fingerprint_records("customers.parquet").root.hex()
    assert "(sequence)" in wherefrom("fingerprint", "customers.parquet", "--sequence")[1]
    assert "(private)" in wherefrom("fingerprint", "customers.parquet", "--private")[1]
    status, _, err = wherefrom("fingerprint", "customers.parquet", "--key", "text:customer_id")
    assert (status, "column 'customer_id': holds number" in err) == (3, True)
    status, _, err = wherefrom("fingerprint", "customers.parquet", "--memory", "much")
    assert (status, "size 'much' is not a number of bytes" in err) == (3, True)
    status, _, err = wherefrom("fingerprint", "customers.parquet", "--secret", "nowhere")
    assert (status, "no secret at 'nowhere'" in err) == (2, True)


def test_folders_and_urls_are_tables_when_that_is_meant(wherefrom, customers, archive):
    records = str(fingerprint_records("customers.parquet"))
    Path("parts").mkdir()
    customers[:40].to_parquet("parts/a.parquet")
    customers[40:].to_parquet("parts/b.parquet")
    assert "wf-records-1" not in wherefrom("fingerprint", "parts")[1]
    assert records in wherefrom("fingerprint", "parts", "--rows")[1]
    url = (archive.root / "customers.parquet").as_uri()
    status, out, _ = wherefrom("fingerprint", url)
    assert (status, records in out, "sha256" in out) == (0, True, False)
    assert wherefrom("prove", url, "--key", "customer_id=7", "-o", "proof")[0] == 0
    status, _, err = wherefrom("fingerprint", "memory://nowhere/x.parquet")
    assert status in (2, 3)
    assert "nowhere/x.parquet" in err


def test_leaves_are_kept_unless_that_is_not_wanted(wherefrom, customers, archive):
    wherefrom("fingerprint", "customers.parquet", "--no-keep")
    assert not (archive.folder / "leaves").exists()
    wherefrom("fingerprint", "customers.parquet", "--key", "name")
    assert len(list((archive.folder / "leaves").iterdir())) == 2


def test_a_key_is_proved_present_or_absent_and_verified_without_the_archive(
    wherefrom, customers, tmp_path_factory, monkeypatch
):
    status, out, _ = wherefrom("prove", "customers.parquet", "--key", "customer_id=7", "-o", "there")
    assert status == 0
    assert "1 present" in out
    status, out, _ = wherefrom("prove", "customers.parquet", "--key", "customer_id=700", "--absent", "-o", "gone")
    assert status == 0
    status, out, err = wherefrom("prove", "customers.parquet", "--key", "customer_id=700")
    assert (status, out) == (1, "")
    assert "not in wf-keys-1:" in err
    assert '{"customer_id":700}' in err
    status, _, err = wherefrom("prove", "customers.parquet", "--key", "customer_id=7", "--absent")
    assert (status, "hint: without --absent that is proved" in err) == (1, True)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name in ("there", "gone"):
        shutil.copy(name, elsewhere)
    monkeypatch.chdir(elsewhere)
    assert 'in the set: {"customer_id":7}' in wherefrom("verify", "there")[1]
    status, out, _ = wherefrom("verify", "gone")
    assert (status, 'not in the set: {"customer_id":700}' in out) == (0, True)
    text = (elsewhere / "gone").read_text()
    (elsewhere / "gone").write_text(text.replace('"customer_id":700', '"customer_id":7'))
    status, out, _ = wherefrom("verify", "gone")
    assert (status, "FALSE" in out) == (1, True)
    (elsewhere / "gone").write_text(text[:-20])
    status, out, _ = wherefrom("verify", "gone", "--json")
    assert (status, json.loads(out)["outcome"]) == (3, "could not check")


def test_a_proof_can_be_held_against_a_set_and_against_evidence(wherefrom, archive, monkeypatch):
    monkeypatch.chdir(archive.root)
    table, model = archive.root / "table.csv", archive.root / "model.bin"
    table.write_text("a,b\n1,x\n2,y\n")
    model.write_bytes(b"model")
    records = fingerprint_records(table)
    seen = dataset("table.csv", "t")
    seen["facets"]["wherefrom_fingerprint"]["digests"] = {"wf-records-1": records.id}
    archive.record(event("train", [seen], [dataset("model.bin", "model")]))
    wherefrom("bundle", "model.bin", "-o", "model.wherefrom")
    wherefrom("prove", "table.csv", "--key", "a=2", "-o", "proof")
    check = ["verify", "proof", "--evidence", "model.wherefrom", "--trust", archive.trust_file]
    status, out, _ = wherefrom(*check)
    assert (status, "table.csv, for model.bin" in out) == (0, True)
    wherefrom("prove", "table.csv", "--row", '{"a": 2, "b": "y"}', "-o", "proof")
    assert wherefrom(*check)[0] == 0
    assert wherefrom("verify", "proof", "--set", str(records))[0] == 0
    assert wherefrom("verify", "proof", "--set", f"wf-records-1:{'0' * 64}")[0] == 1
    table.write_text("a,b\n1,x\n2,z\n")
    wherefrom("prove", "table.csv", "--key", "a=2", "-o", "proof")
    status, out, _ = wherefrom(*check)
    assert (status, "names no wf-records-1" in out) == (1, True)
    assert wherefrom("verify", "proof", "--evidence", "model.wherefrom")[0] == 2
    assert wherefrom("verify", "proof", "--data", "table.csv")[0] == 2
    assert wherefrom("verify", "model.wherefrom", "--trust", archive.trust_file, "--set", str(records))[0] == 2


def test_many_keys_rows_files_and_parts_are_proved_at_once(wherefrom, customers, archive):
    pd.DataFrame({"customer_id": [3, 300, 4]}).to_csv("asked.csv", index=False)
    status, _, err = wherefrom("prove", "customers.parquet", "--keys", "asked.csv")
    assert (status, '{"customer_id":300}' in err) == (1, True)
    status, out, _ = wherefrom("prove", "customers.parquet", "--keys", "asked.csv", "--either", "-o", "proof")
    assert (status, "2 present, 1 absent" in out) == (0, True)
    assert wherefrom("verify", "proof")[0] == 0
    customers.sample(20, random_state=1).to_csv("sample.csv", index=False)
    assert wherefrom("prove", "customers.parquet", "--row-file", "sample.csv", "-o", "proof")[0] == 0
    assert wherefrom("verify", "proof")[1].count("  in the set: ") == 20
    status, out, _ = wherefrom("prove", "customers.parquet", "--part", "sample.csv", "-o", "proof")
    assert (status, "all 20 rows" in out) == (0, True)
    assert "20 of 100 rows" in wherefrom("verify", "proof")[1]
    assert wherefrom("prove", "sample.csv", "--part", "customers.parquet")[0] == 1
    assert wherefrom("prove", archive.root, "--file", "sample.csv", "-o", "proof")[0] == 0
    assert '"path":"sample.csv"' in wherefrom("verify", "proof")[1]
    assert wherefrom("prove", archive.root, "--file", "none.csv")[0] == 2
    assert wherefrom("prove", "customers.parquet")[0] == 2
    assert wherefrom("prove", "customers.parquet", "--key", "customer_id=1", "--file", "x")[0] == 2


def test_key_forms_find_what_people_write_otherwise(wherefrom, customers):
    for form, key in (("text", "name= ZOË  7 "), ("url", "page=https://example.com/7"), ("document", "name=Zoë 7")):
        status, _, err = wherefrom("prove", "customers.parquet", "--form", form, "--key", key, "-o", "proof")
        assert status == 0, err
        assert wherefrom("verify", "proof")[0] == 0
    assert wherefrom("prove", "customers.parquet", "--key", "name= ZOË  7 ", "--absent")[0] == 0
    assert wherefrom("prove", "customers.parquet", "--row", "{}", "--form", "text")[0] == 2


def test_a_private_set_needs_its_secret(wherefrom, customers, archive):
    assert wherefrom("prove", "customers.parquet", "--key", "customer_id=7", "--private", "-o", "there")[0] == 0
    assert wherefrom("verify", "there")[0] == 0
    wherefrom("prove", "customers.parquet", "--key", "customer_id=700", "--private", "--absent", "-o", "gone")
    status, out, _ = wherefrom("verify", "gone")
    assert (status, "by who holds the secret" in out) == (3, True)
    secret = archive.folder / "secrets" / "records"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert wherefrom("verify", "gone", "--secret", secret)[0] == 0


def test_recorded_tables_are_found_by_name_and_by_digest(wherefrom, customers, archive):
    records = fingerprint_records("customers.parquet")
    seen = dataset("data/customers", "c")
    seen["facets"]["wherefrom_fingerprint"]["digests"] = {"wf-records-1": records.id}
    archive.record(event("ingest", [], [seen]))
    row = json.dumps({"customer_id": 7, "name": "Zoë 7", "page": "https://Example.com:443/7#top"})
    status, _, err = wherefrom("prove", "data/customers", "--row", row)
    assert (status, "are not kept" in err) == (2, True)
    wherefrom("fingerprint", "customers.parquet", "--key", "customer_id")
    for name in ("data/customers", f"wf-records-1:{records.id[:12]}"):
        assert wherefrom("prove", name, "--row", row, "-o", "proof")[0] == 0
    assert wherefrom("prove", "data/customers", "--key", "customer_id=7", "-o", "proof")[0] == 0
    status, _, err = wherefrom("prove", "data/customers", "--key", "name=x")
    assert (status, "no keys exact:name are kept of wf-records-1:" in err) == (2, True)
    status, _, err = wherefrom("prove", "data/none", "--key", "name=x")
    assert (status, "no file data/none, and nothing named" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--row", "{"], "row '{': not JSON at byte 1"),
        (["--row", '{"customer_id": NaN}'], "number NaN has no JSON form"),
        (["--row", '{"customer_id": 1e999, "name": "x", "page": "y"}'], "number 1e999 is beyond what a double holds"),
        (["--key", '{"customer_id": 1, "customer_id": 2}'], "key appears twice"),
        (["--row", '{"customer_id": 1}'], "the row lacks the column 'name'"),
        (["--key", "customer_id"], "neither a JSON object nor COLUMN=VALUE"),
        (["--key", "customer_id=x"], "column 'customer_id': 'x' is not a number"),
        (["--key", "none=1"], "no column 'none'"),
        (["--key", "customer_id=1", "--form", "upper"], "unknown key form 'upper'"),
        (["--keys", "none.csv"], "none.csv"),
    ],
)
def test_what_can_not_be_asked_is_refused(wherefrom, customers, words, message):
    status, out, err = wherefrom("prove", "customers.parquet", *words)
    assert status in (2, 3)
    assert out == ""
    assert message in err


def test_diff_counts_and_shows_rows_and_tells_changed_ones_by_their_key(wherefrom, customers):
    after = customers.drop(index=[3]).copy()
    after.loc[50, "name"] = "Other"
    after.loc[1000] = [1000, "New", "https://example.com/new"]
    after.to_csv("after.csv", index=False)
    assert wherefrom("diff", "customers.parquet", "customers.parquet", "--rows")[0] == 0
    status, out, _ = wherefrom("diff", "customers.parquet", "after.csv", "--rows", "--json")
    found = json.loads(out)
    assert (status, found["common"], found["removed"], found["added"], found["changed"]) == (1, 98, 2, 2, None)
    status, out, _ = wherefrom("diff", "customers.parquet", "after.csv", "--rows", "--key", "customer_id", "--json")
    found = json.loads(out)
    assert (found["common"], found["removed"], found["added"], found["changed"]) == (98, 1, 1, 1)
    assert [row["customer_id"] for row in found["removedRows"] + found["addedRows"]] == [3, 1000]
    assert [(old["name"], new["name"]) for old, new in found["changedRows"]] == [("Zoë 50", "Other")]
    out = wherefrom("diff", "customers.parquet", "after.csv", "--rows", "--key", "customer_id")[1]
    assert "98 common, 1 removed, 1 added, 1 changed" in out
    assert '    {"name":"Other"}' in out


def test_diff_of_tables_with_other_columns_names_them(wherefrom, customers):
    customers.rename(columns={"name": "label"}).to_parquet("renamed.parquet")
    customers.assign(customer_id=customers["customer_id"].astype(str)).to_parquet("text.parquet")
    status, out, _ = wherefrom("diff", "customers.parquet", "renamed.parquet", "--rows")
    assert (status, "columns removed: name" in out, "columns added: label" in out) == (1, True, True)
    assert "column customer_id: number became text" in wherefrom("diff", "customers.parquet", "text.parquet")[1]
    assert wherefrom("diff", "customers.parquet", "none.parquet")[0] == 2
    assert wherefrom("diff", "customers.parquet", "text.parquet", "--rows", "--key", "x")[0] == 3


def test_a_model_signature_is_held_against_a_folder(wherefrom, tmp_path):
    vectors = json.loads((Path(__file__).parents[1] / "vectors" / "oms" / "model-signing.json").read_text())
    [case] = [case for case in vectors["cases"] if case["desc"] == "folder, secp256r1"]
    model = tmp_path / "model"
    for name, content in vectors["files"].items():
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_bytes(bytes.fromhex(content))
    (tmp_path / "model.sig").write_text(json.dumps(case["bundle"]))
    (tmp_path / "signer.pem").write_text(case["key"])
    check = ["verify", tmp_path / "model.sig", "--data", model]
    status, out, _ = wherefrom(*check, "--public-key", tmp_path / "signer.pem")
    assert (status, "is as it was signed" in out) == (0, True)
    assert wherefrom(*check)[0] == 3
    (model / "a.txt").write_text("other")
    status, out, _ = wherefrom(*check, "--public-key", tmp_path / "signer.pem", "--json")
    assert (status, json.loads(out)["changed"]) == (1, ["a.txt"])
    assert wherefrom("verify", tmp_path / "model.sig")[0] == 2
    assert wherefrom(*check, "--trust", tmp_path / "signer.pem")[0] == 2
    assert wherefrom("fingerprint", "--files", model, "--manifest", tmp_path / "statement.json")[0] == 0
    statement = json.loads((tmp_path / "statement.json").read_text())
    assert statement["predicateType"] == "https://model_signing/signature/v1.0"
