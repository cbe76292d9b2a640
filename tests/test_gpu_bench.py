"""The script that compares a GPU with its peers runs to its end, on a software driver too."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "benches" / "python" / "compare_gpu.py"


def test_it_prints_a_table(device):
    arguments = ["--allow-cpu", "--rows", "s1", "--dtypes", "float32", "--repeats", "1"]
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| s1 ")]
    assert [row.split(" | ")[3] for row in rows] == ["forward", "backward"]
    assert device.info.name in done.stdout


def test_it_writes_its_table_to_a_page(device, tmp_path):
    page = tmp_path / "gpu.md"
    page.write_text("<!-- bench:gpu:start -->\n<!-- bench:gpu:end -->\n")
    arguments = ["--allow-cpu", "--rows", "s1", "--dtypes", "float32", "--repeats", "1", "--page", str(page)]
    subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, timeout=120, check=True)
    lines = [line.strip("|").split("|") for line in page.read_text().splitlines() if line.startswith("|")]
    assert [line[0].split(",")[0].strip() for line in lines[2:]] == ["forward", "backward"]
    assert {len(line) for line in lines} == {5}
    assert f"**{device.info.name} (" in page.read_text()
