"""An X server of its own with a window manager, and the real window on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from studio import worker
from studio.__main__ import make_application
from studio.main_window import MainWindow
from studio.session import Session
from tests.e2e.hand import Hand
from tests.e2e.material import Material, write_material

SCREEN = "1400x900x24"
START_SECONDS = 120


@pytest.fixture
def display(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Xvfb on a free number, with openbox: without a window manager no window has the focus."""
    for program in ("Xvfb", "openbox", "xdotool"):
        if not shutil.which(program):
            pytest.skip(f"needs {program}: apt-get install xvfb openbox xdotool")
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", SCREEN, "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    name = ":" + os.read(read, 16).decode().strip()
    monkeypatch.setenv("DISPLAY", name)
    ready = tmp_path / "openbox-is-ready"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    manager = subprocess.Popen(["openbox", "--startup", f"touch {ready}"], **quiet)
    late = time.monotonic() + START_SECONDS
    while not ready.exists():
        assert time.monotonic() < late and manager.poll() is None, "openbox did not start"
        time.sleep(0.02)  # there is no event loop yet to wait with
    yield name
    for process in (manager, server):
        process.terminate()
        process.wait()


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of whoever runs the test is read or changed."""
    home = tmp_path / "home"
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(home))


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    return Hand(Path(os.environ.get("ULMFIT_E2E_OUT", tmp_path / "out")))


@pytest.fixture
def window(display: str, own_home: None, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> Iterator[MainWindow]:
    """What `ulmfit-studio` opens, made of the same parts."""
    if QApplication.instance():
        pytest.skip("needs a process of its own: make e2e")
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    app = make_application(["ulmfit-studio"])
    worker.Collector(app)
    made = MainWindow(Session(app))
    made.show()
    hand.wait(made.isActiveWindow, "the window to have the focus")
    loader = threading.Thread(target=worker.import_engine, name="import engine", daemon=True)
    loader.start()
    yield made
    made.session.stop()
    hand.wait(lambda: made.session.job is None, "the job to stop")
    loader.join()
    made.close()
    app.shutdown()  # before the X server goes: Qt ends the process when its server dies


@pytest.fixture
def material(data_folder: Path, tmp_path: Path) -> Material:
    return write_material(data_folder, tmp_path, int(os.environ.get("ULMFIT_E2E_ROWS", 4000)))
