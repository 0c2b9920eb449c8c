"""What a real browser makes of the report: everything is drawn, nothing overlaps, nothing is refused."""

import dataclasses
import itertools
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from lineage_answers import chain_answer, flights_answer, shards_answer, wide_answer

from wherefrom.evidence.report import render_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=10000",
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome on the PATH")


def render(answer):
    return render_report(answer, checkpoint_text="log\n1\n", origin="log", statements=(), made_by="wherefrom 0.1.0")


class Graph(HTMLParser):
    """Boxes of the drawn nodes, by id, as (left, top, right, bottom); edges as their paths; the frame's size."""

    def __init__(self, html):
        super().__init__()
        self.boxes, self.paths, self.view, self._at = {}, [], None, None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        classes = (a.get("class") or "").split()
        if "viewbox" in a and "role" in a:
            self.view = tuple(float(n) for n in a["viewbox"].split())
        elif "data-id" in a:
            x, y = a["transform"].removeprefix("translate(").removesuffix(")").split()
            self._at = (a["data-id"], float(x), float(y))
        elif "shape" in classes:
            self._add_box(a)
        elif tag == "path" and "marker-end" in a:
            self.paths.append(a["d"])

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)

    def _add_box(self, a):
        name, x, y = self._at
        if "points" in a:
            xs, ys = zip(*(map(float, point.split(",")) for point in a["points"].split()), strict=True)
        else:
            xs = float(a["x"]), float(a["x"]) + float(a["width"])
            ys = float(a["y"]), float(a["y"]) + float(a["height"])
        self.boxes[name] = (x + min(xs), y + min(ys), x + max(xs), y + max(ys))


def overlapping(boxes):
    def overlap(a, b):
        return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]

    return [(m, n) for (m, a), (n, b) in itertools.combinations(boxes.items(), 2) if overlap(a, b)]


def open_in_browser(html, folder, width=1400):
    """The page's elements after its scripts have run, and what the browser complained about."""
    page = folder / "report.html"
    page.write_text(html, encoding="utf-8")
    size = f"--window-size={width},1000"
    command = [CHROMIUM, *FLAGS, size, f"--user-data-dir={folder / 'profile'}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize(
    ("answer", "nodes", "width"),
    [
        pytest.param(flights_answer(), 17, 1400, id="flights"),
        pytest.param(flights_answer(), 17, 480, id="flights-narrow"),
        pytest.param(wide_answer(300), 274, 1400, id="wide"),
        pytest.param(chain_answer(30), 61, 1400, id="chain"),
        pytest.param(shards_answer(100), 3, 1400, id="shards-folded"),
    ],
)
def test_every_node_is_drawn_in_a_place_of_its_own(answer, nodes, width, tmp_path):
    dom, complaints = open_in_browser(render(answer), tmp_path, width)
    assert complaints == []
    graph = Graph(dom)
    assert len(graph.boxes) == nodes
    assert overlapping(graph.boxes) == []
    assert len(graph.paths) == (2 if nodes == 3 else len(answer.edges))
    _, _, right, bottom = graph.view
    assert all(a >= 0 and b >= 0 and c <= right and d <= bottom for a, b, c, d in graph.boxes.values())
    assert 'id="graph" hidden' not in dom
    assert 'id="outline" open' not in dom


def test_the_graph_runs_left_to_right_where_there_is_room_and_down_where_there_is_not(tmp_path):
    def ends(width, folder):
        folder.mkdir()
        boxes = Graph(open_in_browser(render(flights_answer()), folder, width)[0]).boxes
        return boxes["v1"], boxes["v13"]

    source, model = ends(1400, tmp_path / "wide")
    assert source[2] < model[0]
    source, model = ends(480, tmp_path / "narrow")
    assert source[3] < model[1]


def test_marked_up_names_are_drawn_as_text(tmp_path):
    answer = chain_answer(1)
    hostile = dataclasses.replace(answer.versions[0], name="<script>document.title='owned'</script>.csv")
    dom, complaints = open_in_browser(
        render(dataclasses.replace(answer, versions=(hostile, answer.versions[1]))), tmp_path
    )
    assert complaints == []
    assert "<title>owned" not in dom
    assert "&lt;script&gt;" in dom
    assert len(Graph(dom).boxes) == 3


def test_a_script_that_was_smuggled_in_is_refused_and_would_be_noticed(tmp_path):
    html = render(chain_answer(1)).replace("</body>", "<script>document.title = 'owned'</script></body>")
    dom, complaints = open_in_browser(html, tmp_path)
    assert "<title>owned" not in dom
    assert any("Content Security Policy" in line for line in complaints)


def test_boxes_that_overlap_would_be_noticed():
    boxes = {"a": (0, 0, 10, 10), "b": (9, 9, 20, 20), "c": (10, 0, 20, 9)}
    assert overlapping(boxes) == [("a", "b")]
