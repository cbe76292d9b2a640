"""The command line: explain a box of a picture in words, and as a picture."""

import os
import subprocess
import sys

import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

import roialign_rs as ra
from roialign_rs.__main__ import main
from roialign_rs._picture import block_means


@pytest.fixture(autouse=True)
def close_figures():
    plt.switch_backend("Agg")
    yield
    plt.close("all")


@pytest.fixture
def picture(tmp_path):
    """Give a grey picture of 100 x 70 pixels, brighter to the right."""
    path = tmp_path / "ramp.png"
    Image.fromarray(np.tile(np.arange(100, dtype=np.uint8) * 2, (70, 1))).save(path)
    return path


def explain(picture, *options):
    main(["explain", str(picture), "--box", "10", "5", "80.5", "60", *map(str, options)])


def test_explain_prints_the_explanation(picture, capsys):
    explain(picture, "--stride", 16, "--output-size", 3)
    printed = capsys.readouterr().out
    # ceil(70 / 16) and ceil(100 / 16) cells
    expected = ra.explain((10, 5, 80.5, 60), 3, spatial_scale=1 / 16, map_size=(5, 7))
    assert printed.startswith(str(expected))


def test_explain_prints_what_both_operators_return(picture, capsys):
    explain(picture, "--stride", 10, "--output-size", "1x2", "--quantization", "floor")
    lines = capsys.readouterr().out.splitlines()
    # Cells are means of ten columns, 9, 29, 49, ... over 255; the bins end with columns 3 and 7.
    assert lines[lines.index("RoI pooling, the largest of each bin") + 1].split() == ["0.271", "0.584"]
    # On a ramp, a mean of points is the value in their middle.
    x = np.array([10 + 70.5 / 4, 10 + 70.5 * 3 / 4])
    expected = [f"{value:.3f}" for value in (2 * x - 1) / 255]
    assert lines[lines.index("RoI Align, the mean of each bin") + 1].split() == expected


def test_options_reach_the_explanation(picture, capsys):
    explain(
        picture,
        *("--stride", 8, "--output-size", "2x4", "--sampling-ratio", "3x1", "--sample-points", "interior"),
        *("--quantization", "mmcv", "--no-aligned"),
    )
    expected = ra.explain(
        (10, 5, 80.5, 60),
        (2, 4),
        spatial_scale=1 / 8,
        map_size=(9, 13),
        sampling_ratio=(3, 1),
        sample_points="interior",
        quantization="mmcv",
        aligned=False,
    )
    assert capsys.readouterr().out.startswith(str(expected))


def test_without_a_picture_it_explains_the_photograph_that_matplotlib_ships(capsys):
    main(["explain", "--box", "152", "128", "377", "335"])
    expected = ra.explain((152, 128, 377, 335), 3, spatial_scale=1 / 32, map_size=(19, 16))
    assert capsys.readouterr().out.startswith(str(expected))


def test_save_writes_a_picture(picture, tmp_path, capsys):
    target = tmp_path / "explained.png"
    explain(picture, "--stride", 16, "--save", target)
    assert f"wrote {target}" in capsys.readouterr().out
    with Image.open(target) as saved:
        assert min(saved.size) > 500
    first, *others = plt.gcf().axes
    assert [panel.get_title() for panel in (first, *others)] == [
        "The picture, in cells of 16 pixels",
        'RoI pooling rounds twice ("caffe")',
        'RoI Align rounds nothing ("center")',
    ]
    assert first.images[0].get_array().shape == (70, 100, 3)
    assert tuple(first.patches[0].get_bbox().extents) == (10, 5, 80.5, 60)


def test_a_small_box_is_enlarged(picture, tmp_path):
    main(
        [
            "explain",
            str(picture),
            "--box",
            *["40", "30", "48", "41"],
            "--stride",
            "4",
            "--save",
            str(tmp_path / "x.png"),
        ]
    )
    first, pooling, _, whole = plt.gcf().axes
    assert first.get_title() == "The picture, enlarged, in cells of 4 pixels"
    assert first.get_xlim() == tuple(4 * end for end in pooling.get_xlim())
    assert first.get_ylim() == tuple(4 * end for end in pooling.get_ylim())
    assert whole.get_xlim() == (0, 100)


@pytest.mark.parametrize("save", [False, True])
def test_a_box_outside_is_said_to_be_there(save, picture, tmp_path, capsys):
    to = ["--save", str(tmp_path / "x.png")] if save else []
    main(["explain", str(picture), "--box", "120", "10", "150", "40", "--stride", "10", *to])
    assert "outside the map  the whole box" in capsys.readouterr().out
    if save:
        panels = plt.gcf().axes
        notices = [text.get_text() for panel in panels for text in panel.texts if "outside" in text.get_text()]
        assert notices == ["The box lies outside the picture", *["The box lies outside the map"] * 2]
        assert panels[0].get_xlim() == (0, 150)  # half a picture outside


def test_the_whole_outline_of_a_box_at_the_edge_is_seen(picture, tmp_path):
    box = ["0", "-10", "110", "70"]
    main(["explain", str(picture), "--box", *box, "--stride", "10", "--save", str(tmp_path / "x.png")])
    first = plt.gcf().axes[0]
    (left, right), (bottom, top) = first.get_xlim(), first.get_ylim()
    assert (left < 0, top < -10, right > 110, bottom > 70) == (True,) * 4
    assert (left, top, right, bottom) == pytest.approx((0, -10, 110, 70), abs=2)


def test_block_means_of_a_size_that_stride_does_not_divide():
    pixels = np.arange(15.0).reshape(3, 5)
    expected = [[(0 + 1 + 5 + 6) / 4, (2 + 3 + 7 + 8) / 4, (4 + 9) / 2], [10.5, 12.5, 14]]
    np.testing.assert_allclose(block_means(pixels, 2), expected)


def test_colours_and_rotation_are_read_as_viewers_show_them(tmp_path, capsys):
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.new("RGB", (64, 32), (255, 255, 255)).save(path, exif=exif)
    main(["explain", str(path), "--box", "0", "0", "32", "64", "--stride", "16", "--output-size", "1"])
    printed = capsys.readouterr().out
    assert "map 4 x 2" in printed
    assert "1.000" in printed.splitlines()[-1]


def test_sixteen_bits_are_read_as_such(tmp_path, capsys):
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((64, 64), 32768, np.uint16)).save(path)
    main(["explain", str(path), "--box", "0", "0", "64", "64", "--stride", "16", "--output-size", "1"])
    assert capsys.readouterr().out.splitlines()[-1].split() == ["0.500"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["explain"], "the following arguments are required: --box"),
        (["explain", "x.png", "--box", "1", "2", "3"], "argument --box: expected 4 arguments"),
        (["explain", "x.png", "--box", "1", "2", "3", "four"], "argument --box: invalid float value: 'four'"),
        (["explain", "x.png", "--box", "1", "2", "3", "4"], "No such file or directory: 'x.png'"),
        (["explain", "PICTURE", "--box", "1", "2", "nan", "4"], "box: coordinates must be finite"),
        (["explain", "PICTURE", "--box", "1", "2", "3", "4", "--stride", "0"], "--stride: must be at least 1, got 0"),
        (["explain", "PICTURE", "--box", "1", "2", "3", "4", "--output-size", "0"], "output_size must be at least 1"),
        (
            ["explain", "PICTURE", "--box", "1", "2", "3", "4", "--stride", "1e3"],
            "argument --stride: must be an integer, got '1e3'",
        ),
        (
            ["explain", "PICTURE", "--box", "1", "2", "3", "4", "--output-size", "2x3x4"],
            "--output-size: must be an integer such as 3, or height x width such as 2x5, got '2x3x4'",
        ),
        (["explain", "PICTURE", "--box", "1", "2", "3", "4", "--quantization", "round"], "invalid choice: 'round'"),
        (["explain", "PICTURE", "--box", "1", "2", "3", "4", "--save", "x.nonsense"], "nonsense"),
        (["explain", "PICTURE", "--box", "1", "2", "3", "4", "--save", "noext"], "such as noext.png, got 'noext'"),
        (["explain", __file__, "--box", "1", "2", "3", "4"], "cannot identify image file"),
    ],
)
def test_mistakes_end_with_one_message(arguments, message, picture, capsys):
    with pytest.raises(SystemExit) as end:
        main([str(picture) if argument == "PICTURE" else argument for argument in arguments])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"roialign_rs {ra.__version__}\n"


@pytest.mark.parametrize("missing", ["PIL", "matplotlib.pyplot"])
def test_what_is_missing_is_named(missing, picture, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SystemExit):
        explain(picture, "--save", tmp_path / "explained.png")
    assert "pip install 'roialign_rs[plot]'" in capsys.readouterr().err


def test_python_m_runs_it(picture):
    command = [sys.executable, "-m", "roialign_rs", "explain", str(picture), "--box", "10", "5", "80", "60"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "RoI Align rounds nothing" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_a_closed_output_is_no_mistake(picture):
    command = '"$0" -m roialign_rs explain "$1" --box 10 5 80 60 >&-'
    done = subprocess.run(["sh", "-c", command, sys.executable, str(picture)], stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes there end otherwise")
@pytest.mark.parametrize("buffered", [True, False])
def test_a_closed_pipe_is_no_mistake(buffered, picture, tmp_path):
    """The reader closes the pipe first, as `head` does."""
    target = tmp_path / "explained.png"
    command = [sys.executable, *([] if buffered else ["-u"]), "-m", "roialign_rs", "explain", str(picture)]
    command += ["--box", "10", "5", "80", "60", "--save", str(target)]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        command, stdout=write, stderr=subprocess.PIPE, text=True, env=os.environ | {"MPLBACKEND": "Agg"}
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
    assert target.exists()
