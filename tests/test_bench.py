"""``python -m roialign_rs bench`` on its smallest workloads: what it prints, writes and refuses."""

import json
from dataclasses import replace

import numpy as np
import pytest

import roialign_rs as ra
from roialign_rs.__main__ import main
from roialign_rs._bench import cli, pages, workloads
from roialign_rs._bench.peers import Peer
from roialign_rs._bench.problem import ours

PAGE = "before\n<!-- bench:operators:start -->\nold\n<!-- bench:operators:end -->\nafter\n"


@pytest.fixture(autouse=True)
def same_number_of_threads():
    threads = ra.get_num_threads()
    yield
    ra.set_num_threads(threads)


def peer(name, change=lambda result: result, without=()):
    """A library that returns our result, changed by ``change``."""
    return Peer(
        name, "1.0", 1e-6, lambda problem: None if problem.op in without else lambda: change(ours(problem).copy())
    )


@pytest.fixture
def use(monkeypatch):
    """Give a function that makes the benchmark find only the peers that it is called with."""

    def use(*peers, **missing):
        monkeypatch.setattr(cli, "installed", lambda threads: (list(peers), missing))

    return use


def wrong(result):
    result.flat[-1] += 1e-3
    return result


def bench(*options):
    main(["bench", "--rows", "s1", "--repeats", "1", "--threads", "1", *map(str, options)])


def table_of(text):
    """The cells of a table, line by line, without the line between head and body."""
    lines = [line.strip("| \n").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in (lines[0], *lines[2:])]


def test_it_compares_what_is_installed(capsys):
    bench()
    header, *rows = table_of(capsys.readouterr().out)
    assert (header[0], header[1], header[-1]) == ("workload (ms)", "roialign_rs", "copy")
    assert len(header) <= 6
    assert [row[0] for row in rows] == [
        f"s1 {operator}, small call, 16 channels: 1 box, 7x7 bins"
        for operator in ("roi_align", "roi_pool", "roi_align_backward")
    ]
    assert not [cell for row in rows for cell in row if cell == "refused"]
    assert all(float(row[1]) > 0 for row in rows)


def test_the_default_is_a_selection():
    chosen = [(workload.id, op) for workload, op in cli.choose(None)]
    assert chosen == [
        *((row, "avg") for row in "123456"),
        *((row, op) for op in ("roi_pool", "backward") for row in "15"),
    ]


def test_a_wrong_result_is_refused(use, capsys):
    use(peer("right"), peer("wrong", wrong), peer("short", lambda result: result[:, :1]))
    bench()
    text = capsys.readouterr().out
    header, *rows = table_of(text)
    assert header == ["workload (ms)", "roialign_rs", "right", "wrong", "short", "copy"]
    for row in rows:
        assert row[2].endswith("x)")
        assert row[3:5] == ["refused", "refused"]
    reasons = [line for line in text.splitlines() if line.startswith("Refused:")]
    assert len(reasons) == 6
    assert "wrong 1.0: " in reasons[0]
    assert "at (0, 15, 6, 6), expected " in reasons[0]
    assert "short 1.0: the result has the shape (1, 1, 7, 7), expected (1, 16, 7, 7)" in reasons[1]


def test_not_a_number_is_refused(use, capsys):
    use(peer("nothing", lambda result: np.full_like(result, np.nan)))
    bench()
    assert [row[2] for row in table_of(capsys.readouterr().out)[1:]] == ["refused"] * 3


def test_an_operator_that_a_library_lacks_has_a_dash(use, capsys):
    use(peer("other", without=("roi_pool", "backward")))
    bench()
    text = capsys.readouterr().out
    assert [row[2].endswith("x)") for row in table_of(text)[1:]] == [True, False, False]
    assert [row[2] for row in table_of(text)[2:]] == ["-", "-"]
    assert "\nroi_align is " in text
    assert "roi_pool is " not in text


def test_it_says_what_to_install(use, capsys):
    use(onnxruntime="No module named 'onnx'")
    bench()
    text = capsys.readouterr().out
    assert "onnxruntime (No module named 'onnx'). To compare with it: pip install onnx onnxruntime" in text
    assert table_of(text)[0] == ["workload (ms)", "roialign_rs", "copy"]


def test_json_has_all_numbers(use, tmp_path, capsys):
    use(peer("right"), peer("wrong", wrong))
    bench("--json", tmp_path / "numbers.json")
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    assert numbers["machine"] == capsys.readouterr().out.splitlines()[0]
    assert f"roialign_rs {ra.__version__}, right 1.0, wrong 1.0, NumPy {np.__version__}" in numbers["software"]
    assert [row["operator"] for row in numbers["rows"]] == ["roi_align", "roi_pool", "roi_align_backward"]
    for row in numbers["rows"]:
        assert (list(row["others"]), list(row["refused"])) == (["right"], ["wrong"])
        assert min(row["ours"], row["copy"], row["others"]["right"]) > 0


def test_a_page_gets_what_is_printed(use, tmp_path, capsys):
    use(peer("right"), peer("wrong", wrong))
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    bench("--page", page)
    printed, written = capsys.readouterr().out, page.read_text()
    assert table_of(written) == table_of(printed)
    assert "old" not in written
    assert written.startswith("before\n<!-- bench:operators:start -->\n* workload: ")
    assert written.endswith(f"Python {cli.machine.platform.python_version()}.\n<!-- bench:operators:end -->\nafter\n")
    assert f"<!-- bench:operators:machine {printed.splitlines()[0]} -->\n**{printed.splitlines()[0]}**\n" in written


def test_a_page_keeps_the_sections_of_other_machines(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE + "<!-- bench:gpu:start -->\nuntouched\n<!-- bench:gpu:end -->\n")
    for machine, text in [("Zen", "first\n\n| table |"), ("Xeon (2)", r"a \1 backslash"), ("Zen", "second")]:
        pages.write_section(page, "operators", machine, text, f"about {text}")
    assert page.read_text() == (
        "before\n<!-- bench:operators:start -->\nabout second\n\n"
        "<!-- bench:operators:machine Zen -->\n**Zen**\n\nsecond\n\n"
        "<!-- bench:operators:machine Xeon (2) -->\n**Xeon (2)**\n\na \\1 backslash\n"
        "<!-- bench:operators:end -->\nafter\n<!-- bench:gpu:start -->\nuntouched\n<!-- bench:gpu:end -->\n"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rows", "1,99"], "--rows: no row 99; there are 1, 2, 3"),
        (["--repeats", "0"], "--threads and --repeats must be at least 1, got 1 and 0"),
        (["--threads", "0"], "--threads and --repeats must be at least 1, got 0 and 1"),
        (["--page", "PAGE"], "add the lines <!-- bench:operators:start --> and <!-- bench:operators:end -->"),
    ],
)
def test_mistakes_are_reported_before_anything_is_measured(options, message, use, tmp_path, monkeypatch, capsys):
    use()
    monkeypatch.setattr(cli, "compare", lambda *_: pytest.fail("measured"))
    (tmp_path / "page.md").write_text("no markers")
    with pytest.raises(SystemExit) as end:
        bench(*(str(tmp_path / "page.md") if option == "PAGE" else option for option in options))
    assert end.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("row", workloads.load(), ids=lambda row: row.name)
def test_boxes_are_those_of_the_table(row):
    """The generator in Rust compares with the same checksum (FNV-1a of 32 bits)."""
    state = 0x811C9DC5
    for byte in row.boxes().astype("<f4").tobytes():
        state = (state ^ byte) * 0x01000193 & 0xFFFFFFFF
    assert state == row.check


def test_features_are_made_in_blocks():
    row = replace(workloads.load()[0], shape=(1, 2, 800, 1000))
    whole = 2 * workloads.unit(2 * row.seed + 1, 0, 2 * 800 * 1000) - 1
    np.testing.assert_array_equal(row.features().ravel(), whole.astype(np.float32))
