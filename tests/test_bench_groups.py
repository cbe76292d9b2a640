"""The maintainers' measurements run to their end, on the smallest workloads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "benches" / "python" / "compare.py"


def compare(*options):
    command = [sys.executable, str(SCRIPT), "--repeats", "1", *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


def test_groups_are_measured_and_held_against_goals(tmp_path):
    """Instruction sets and memory are measured in processes of their own."""
    numbers = tmp_path / "numbers.json"
    done = compare("--group", "small,levels,memory", "--rows", "s1,6", "--goals", "--json", numbers)
    assert done.returncode == 0, done.stderr
    groups = json.loads(numbers.read_text())["groups"]
    assert {name: [row["row"] for row in group["rows"]] for name, group in groups.items()} == {
        "small": ["s1"],
        "levels": ["6"],
        "memory": ["6"],
    }
    assert groups["levels"]["rows"][0]["values"]["scalar"] > 0
    assert "small call s1: fastest peer / ours" in done.stdout


def test_layouts_are_written_to_a_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- bench:layouts:start -->\n<!-- bench:layouts:end -->\n")
    done = compare("--group", "backward", "--rows", "5", "--page", page)
    assert done.returncode == 0, done.stderr
    lines = [line.split("|")[1:-1] for line in page.read_text().splitlines() if line.startswith("|")]
    assert [line[0].strip() for line in lines[2:]] == [
        f"5 batch of 8: 512 boxes, 7x7 bins, {layout}" for layout in ("NCHW", "NHWC")
    ]
    assert all(float(cell) > 0 for line in lines[2:] for cell in line[1:])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--group", "nothing"], "no such group: nothing"),
        (["--rows", "99"], "no such row: 99"),
        (["--group", "small", "--page", __file__], "group small has no table for pages; there are forward, backward"),
    ],
)
def test_mistakes_end_with_one_message(options, message):
    done = compare(*options)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_ranges_over_machines(tmp_path):
    def machine(name, factor):
        row = {"title": "1 roi_align", "ours": 0.01 * factor, "copy": 0.005, "others": {"a": 0.2, "b": 0.3}}
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"machine": name, "software": "Linux", "rows": [row]}))
        return path

    page = tmp_path / "page.md"
    page.write_text("x\n<!-- bench:ranges:start -->\nold\n<!-- bench:ranges:end -->\ny\n")
    script = SCRIPT.with_name("ranges.py")
    command = [sys.executable, str(script), str(machine("Zen", 1)), str(machine("Xeon", 2)), "--page", str(page)]
    subprocess.run(command, check=True, timeout=60)
    text = page.read_text()
    line = next(line for line in text.splitlines() if line.startswith("| 1 roi_align"))
    assert [cell.strip() for cell in line.split("|")[2:-1]] == ["10 - 20", "200 (a)", "10 - 20", "5"]
    assert "old" not in text
    assert "* Zen: Linux.\n* Xeon: Linux.\n<!-- bench:ranges:end -->\ny\n" in text
