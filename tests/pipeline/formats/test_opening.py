"""A recording is opened by what is in it, whatever it is called."""

from pathlib import Path

import pytest
from aedat_bytes import CAER_HEADER, chip, dvs128, packet, records

from pipeline.errors import UserError
from pipeline.formats.opening import open_recording, recordings_in


def test_every_format_is_known_by_its_content(tmp_path: Path, simulated_wave: Path) -> None:
    event = (5, 1, 2, 1)
    contents = {
        "AEDAT 2.0": chip("DVS128") + records([dvs128(event)]),
        "AEDAT 3.1": CAER_HEADER + packet([event]),
        "AEDAT 4": simulated_wave.read_bytes(),
    }
    for wanted, content in contents.items():
        path = tmp_path / "misnamed.txt"
        path.write_bytes(content)
        with open_recording(path) as reader:
            assert reader.format == wanted
            assert (reader.width, reader.height) == (128, 128)
            assert next(reader.packets())["x"][0] >= 0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"#!AER-DAT1.0\r\n", "AEDAT 1.0 recording"),
        (b"#!AER-DAT3.0\r\n", "AEDAT 3.0"),
        (b"text", "not an AEDAT recording"),
    ],
)
def test_what_is_no_recording_gets_one_sentence(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "it.aedat"
    path.write_bytes(content)
    with pytest.raises(UserError, match=told):
        open_recording(path)


def test_a_missing_file_and_a_folder_get_one_sentence(tmp_path: Path) -> None:
    for path, told in ((tmp_path / "nothing", "There is no file"), (tmp_path, "is a folder"), (Path("a\0b"), "cannot be read")):
        with pytest.raises(UserError, match=told):
            open_recording(path)


def test_a_folder_is_searched_for_recordings_of_every_format(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for name in ("b.aedat4", "below/a.aedat", "labels.csv"):
        (tmp_path / name).touch()
    assert [path.name for path in recordings_in(tmp_path)] == ["b.aedat4", "a.aedat"]
