"""The firmware: it agrees with the host about memory and tables, fits the PE, and its image is what the source says."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import models.chip.firmware
from models.chip import cycles, layout
from models.chip.firmware import tables
from models.chip.layout import Counter, Region, Role
from models.chip.program import SCALE_BITS

FOLDER = Path(models.chip.firmware.__file__).parent
HEADER = re.sub(r"/\*.*?\*/", "", (FOLDER / "layout.h").read_text(), flags=re.DOTALL)
"""layout.h without its comments."""
KIT = Path(__file__).parent / "kit"
"""Headers that declare the names of the vendor's kit that public programs use, and nothing else."""
COMPILER = "arm-none-eabi-gcc"


@pytest.fixture
def compiler() -> str:
    if shutil.which(COMPILER) is None:
        pytest.skip(f"{COMPILER} is not here: apt-get install gcc-arm-none-eabi")
    return COMPILER


def enumerators(name: str) -> list[str]:
    """Names of an enum of layout.h, in order."""
    body = re.search(rf"enum {name} {{(.*?)}}", HEADER, re.DOTALL)[1]  # type: ignore[index]
    return [part.strip() for part in body.split(",") if part.strip()]


def test_host_and_firmware_name_the_same_addresses() -> None:
    numbers = {name: int(value, 0) for name, value in re.findall(r"#define (\w+) (0x\w+|\d+)\n", HEADER)}
    assert len(numbers) == 6
    for name, value in numbers.items():
        assert getattr(layout, name) == value, name


def test_host_and_firmware_count_regions_roles_and_counters_alike() -> None:
    assert enumerators("region") == [f"REGION_{region.name}" for region in Region] + ["REGIONS"]
    assert enumerators("role") == [f"ROLE_{role.name}" for role in Role]
    body = re.search(r"struct counters {(.*?)};", HEADER, re.DOTALL)[1]  # type: ignore[index]
    assert re.findall(r"uint32_t (\w+);", body) == [counter.name.lower() for counter in Counter]


def test_the_tables_are_those_of_the_arithmetic() -> None:
    assert f"#define SCALE_BITS {SCALE_BITS}\n" in (FOLDER / "arithmetic.h").read_text()
    assert (FOLDER / "tables.c").read_text() == tables.source()


def test_the_image_leaves_room_in_the_code_memory() -> None:
    image = models.chip.firmware.image()
    assert len(image) < layout.CODE_BYTES // 2
    stack, reset = np.frombuffer(image, np.uint32)[:2]
    assert stack == layout.MEMORY_BYTES and reset % 2 == 1 and reset < len(image)


def test_the_image_is_what_the_source_gives_byte_for_byte(compiler: str, tmp_path: Path) -> None:
    """Another compiler gives other bytes: what is compared is the image of the version that Debian 12 has."""
    version = subprocess.run([compiler, "-dumpfullversion"], capture_output=True, text=True, check=True).stdout.strip()
    if version != "12.2.1":
        pytest.skip(f"the image is built with gcc 12.2.1, and here is {version}")
    made = make(tmp_path)
    assert (tmp_path / "pe.bin").read_bytes() == models.chip.firmware.image(), "run `make firmware` and commit assets/pe.bin"
    assert "the image for SpiNNaker 2 was skipped: set S2_LIBS" in made


def make(folder: Path) -> str:
    """Build everything into `folder`, from a copy of the sources in another place."""
    shutil.copytree(FOLDER, folder / "elsewhere", ignore=shutil.ignore_patterns("__pycache__", "build"))
    environment = {name: value for name, value in os.environ.items() if name != "S2_LIBS"}
    command = ["make", "-C", str(folder / "elsewhere"), f"ASSETS={folder}", f"BUILD={folder}/build"]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


def test_the_linker_and_the_check_of_its_work_know_the_map_of_the_memory() -> None:
    found = re.findall(r"ORIGIN = (0x\w+), LENGTH = (\d+)K", (FOLDER / "pe.ld").read_text())
    assert [(int(start, 16), int(size) * 1024) for start, size in found] == [
        (0, layout.CODE_BYTES),
        (layout.CODE_BYTES, layout.VARIABLES_BYTES),
    ]
    begin, end = re.findall(r'number\("(\w+)"\)', (FOLDER / "memory.awk").read_text())
    assert (int(begin, 16), int(end, 16)) == (layout.ERROR_LOG_ADDRESS, layout.REGIONS_END)


@pytest.mark.parametrize(
    ("start", "size", "fits"), [(0x8000, 0x1000, True), (0x8000, 0x1004, False), (0x1EFF0, 0x14, False), (0x1F000, 4, True)]
)
def test_an_image_whose_variables_lie_where_the_host_writes_is_refused(
    compiler: str, tmp_path: Path, start: int, size: int, fits: bool
) -> None:
    (tmp_path / "image.c").write_text(f"char variables[{size}];\nvoid _start(void) {{ variables[0] = 1; }}\n")
    command = [
        compiler,
        "-mcpu=cortex-m4",
        "-mthumb",
        "-nostdlib",
        "-Wl,-Ttext=0x100",
        f"-Wl,-Tbss={start:#x}",
        "image.c",
        "-o",
        "image.elf",
    ]
    subprocess.run(command, cwd=tmp_path, check=True)
    sections = subprocess.run(
        [COMPILER.replace("gcc", "objdump"), "-h", tmp_path / "image.elf"], capture_output=True, text=True, check=True
    )
    checked = subprocess.run(["awk", "-f", FOLDER / "memory.awk"], input=sections.stdout, capture_output=True, text=True)
    assert (checked.returncode == 0) == fits
    assert ("the section .bss reaches into" in checked.stdout) != fits


def test_the_program_for_the_chip_compiles_against_the_names_that_are_public(compiler: str) -> None:
    flags = ["-mcpu=cortex-m4", "-mthumb", "-std=c17", "-ffreestanding", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    subprocess.run([compiler, *flags, f"-I{KIT}", str(FOLDER / "platform_spinnaker2.c")], check=True)


def test_no_other_file_touches_a_register() -> None:
    for source in FOLDER.glob("*.c"):
        if not source.name.startswith("platform_"):
            assert not re.search(r"\b(timer|comms)\[|0x[eE]\w{7}\b|volatile uint32_t \*", source.read_text()), source.name


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ([0x4408], 1),  # add r0, r1
        ([0x6808], 2),  # ldr r0, [r1]
        ([0xD1FE], 4),  # bne
        ([0xB5F0], 6),  # push {r4-r7, lr}
        ([0xBDF0], 9),  # pop {r4-r7, pc}
        ([0xF7FF, 0xFFFE], 4),  # bl
        ([0xFB90, 0xF0F1], 12),  # sdiv r0, r0, r1
        ([0xE8BD, 0x8FF0], 13),  # pop {r4-r11, pc}
        ([0xE9D4, 0x3000], 3),  # ldrd r3, r0, [r4]
        ([0xFB16, 0x5502], 1),  # smlabb
    ],
)
def test_instructions_cost_what_the_manual_says(code: list[int], wanted: int) -> None:
    total = int(cycles.running_sum(np.array(code, np.uint16).tobytes())[-1])
    assert (total >> cycles.CYCLES_SHIFT, total & 0xFFFFFFFF) == (wanted, 1)
