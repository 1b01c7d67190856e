"""Run a window on a session: the entry of the window process."""

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from PySide6.QtCore import QLibraryInfo, QLocale, QSettings, QTranslator
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from app.window import texts, theme
from app.window.keeper import EngineKeeper
from app.window.mainwindow import ORDINARY, MainWindow
from app.window.screenshot import Screenshot
from pipeline.errors import FAILED, USAGE, UserError

SHARE_OF_SCREEN = 0.85


def run_window(
    session_dir: Path,
    *,
    keeper: EngineKeeper | None = None,
    language: str = "en",
    kiosk: bool = False,
    chat_gestures: bool = False,
    screenshot: Path | None = None,
    after: float = 3.0,
    timing: bool = False,
) -> int:
    """Show a window on the engine in `session_dir` until it is closed; 0 when it was.

    With a `keeper` the window can start another engine when its own has gone, and closes at once if the keeper's first engine ended before
    it was reached. `kiosk` and `chat_gestures` as in `MainWindow`.

    With `screenshot`, the window saves a picture of itself there `after` seconds after its first picture with events (screenshot.py) and
    closes; nothing is read from or kept in the user's settings then. UserError if the picture cannot be written. With `timing`, stderr
    says when the first picture with events was on screen, in seconds of the monotonic clock.
    """
    if screenshot is not None and not screenshot.parent.is_dir():
        raise UserError(f"There is no folder {screenshot.parent} for the screenshot: make it or name another.", USAGE)
    running = QApplication.instance()
    application = running if isinstance(running, QApplication) else QApplication(["egret"])
    application.setApplicationName("Egret")
    application.setDesktopFileName("egret")
    speak(application, language)
    theme.apply(application)
    settings = None if screenshot or kiosk else QSettings("Egret", "window")  # a kiosk begins the same every time
    window = MainWindow(session_dir, settings=settings, keeper=keeper, kiosk=kiosk, chat_gestures=chat_gestures)
    if timing:
        window.events.view.first_events.connect(lambda: print(f"egret: first frame {time.monotonic():.4f}", file=sys.stderr, flush=True))
    picture = None
    if screenshot is None:
        _fit_screen(window)
    else:
        window.resize(*ORDINARY)
        picture = Screenshot(window, screenshot, after)
    if kiosk and screenshot is None:
        window.showFullScreen()
    else:
        window.show()
    with _ending_on_signals(window):
        code = application.exec()
    failed = picture is not None and picture.saved is False
    window.deleteLater()
    application.processEvents()
    if failed:
        raise UserError(f"The screenshot cannot be written to {screenshot}: use a name that ends in .png in a writable folder.", FAILED)
    return code


def speak(application: QApplication, language: str) -> None:
    """Egret's own texts, Qt's texts (dialogs, menus of text fields) and the figures in spin boxes in `language` ("en" or "de")."""
    texts.use(language)
    QLocale.setDefault(QLocale(language))
    translator = QTranslator(application)
    if translator.load(f"qtbase_{language}", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)):
        application.installTranslator(translator)


def _fit_screen(window: MainWindow) -> None:
    """Most of the screen, unless the user's own size was restored."""
    screen = QGuiApplication.primaryScreen()
    if screen is None or window.restored:
        return
    room = screen.availableGeometry()
    window.resize(round(room.width() * SHARE_OF_SCREEN), round(room.height() * SHARE_OF_SCREEN))


@contextlib.contextmanager
def _ending_on_signals(window: MainWindow) -> Iterator[None]:
    """Ctrl+C and a polite kill close the window as its button does (the paint timer lets Python see signals)."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        signal.signal(number, lambda *_: window.leave())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
