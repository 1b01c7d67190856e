"""What all tests share: the real recordings, an offscreen screen, short session folders, and no thread or process left behind."""

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
settings.register_profile("egret", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("egret")

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings and texts, which is not part of the project; the test skips where it is absent."""
    folder = Path(os.environ.get("EGRET_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "gestures").is_dir():
        pytest.skip("real recordings are not here: put them at ../shared/data or name their folder in EGRET_DATA")
    return folder


@pytest.fixture(scope="session")
def wave_far(shared_data: Path) -> list[Path]:
    """Five real recordings of a distant hand waving."""
    return sorted((shared_data / "gestures" / "wave-far").glob("*.aedat4"))


@pytest.fixture(scope="session")
def wave_near(shared_data: Path) -> list[Path]:
    """Five real recordings of a near hand waving."""
    return sorted((shared_data / "gestures" / "wave-near").glob("*.aedat4"))


@pytest.fixture(autouse=True)
def sessions(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A sessions folder of the test's own, with a path short enough for a UNIX socket."""
    with tempfile.TemporaryDirectory(prefix="egret-") as folder:
        monkeypatch.setenv("EGRET_SESSIONS", folder)
        yield Path(folder)


@pytest.fixture(autouse=True)
def taught_heads(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of the test's own, so that no gesture that the developer has taught is recognised; one cache for the whole session."""
    folder = tmp_path_factory.mktemp("data")
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "config"))
    for name in ("S2_IP", "STM_IP", "STM_IP48", "PYS2_EXPERIMENT_BACKEND", "EGRET_SPINNAKER2"):  # no board that the developer has
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    return folder / "egret"


@pytest.fixture(autouse=True)
def no_thread_left_behind() -> Iterator[None]:
    """Fails a test whose threads are still alive two seconds after it ended."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 2
    while left := [t for t in threading.enumerate() if t not in before and t.is_alive() and not t.name.startswith("tqdm")]:
        if time.monotonic() > deadline:
            pytest.fail(f"threads left behind: {[t.name for t in left]}")
        time.sleep(0.01)


@pytest.fixture(scope="session")
def simulated_wave(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of two seconds of a simulated wave, as `egret simulate` writes it."""
    from app.cli import run_command

    out = tmp_path_factory.mktemp("simulated") / "wave.aedat4"
    arguments = ["simulate", "--gesture", "right_hand_wave", "--seed", "1", "--preset", "dvs128", "--duration", "2", "--out", str(out)]
    assert run_command(arguments) == 0
    return out
