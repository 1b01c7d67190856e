"""Colours, type sizes and the style sheet: one dark theme, made to be read from two metres away.

Text on its ground keeps a contrast of at least 4.5:1 (WCAG 2.2, level AA; a test computes it). Sizes are in pixels of a base that grows
with the window's height, so that a 4K screen at a booth shows more ink and not smaller letters.
"""

import math
from dataclasses import dataclass

from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QApplication

GROUND = "#0b0e13"
PANEL = "#141920"
RAISED = "#1d242e"
LINE = "#2a3340"
TEXT = "#e8ecf1"
MUTED = "#98a4b3"
ACCENT = "#4cc2ff"
GOOD = "#4fd18b"
WARNING = "#f6b73c"
BAD = "#ff7b72"

CLASS_COLOURS: tuple[str, ...] = (
    "#4cc2ff",
    "#ffb454",
    "#7ee2a8",
    "#ff8f8f",
    "#b39dff",
    "#f2e14c",
    "#5ce1e6",
    "#ff9ddb",
    "#a7d46f",
    "#d9a679",
    "#9fb3c8",
    "#e8dcc4",
    "#c3f0ff",
    "#ffd1c2",
)
"""One per gesture class and for three that were taught, all light enough to read dark text on; the label is always written beside it,
colour is never alone."""

FAMILIES = ["Inter", "Segoe UI", "SF Pro Text", "Noto Sans", "Cantarell", "DejaVu Sans"]
BASE_PX = 13.0
BASE_HEIGHT = 800
"""At a window of this height the base size is `BASE_PX`."""
SMALLEST = (960, 620)
SMALLEST_FACTOR = 11 / 12
"""Everything just fits in a window of `SMALLEST` pixels at this scale (a test proves it)."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes in pixels at one zoom."""

    factor: float

    def px(self, size: float) -> int:
        """A size given for a window of `BASE_HEIGHT`."""
        return max(round(size * self.factor), 1)

    def font(self, size: float = BASE_PX, bold: bool = False, mono: bool = False) -> QFont:
        """A font of `size` pixels; `mono` has figures of one width."""
        font = QFont()
        font.setFamilies(["DejaVu Sans Mono", "Menlo", "Consolas", "monospace"] if mono else FAMILIES)
        font.setPixelSize(self.px(size))
        if bold:
            font.setWeight(QFont.Weight.DemiBold)
        return font


def scale_for(width: int, height: int, zoom: float = 1.0) -> Scale:
    """The scale for a window of this size (px): grows slower than the height, and never so large that something does not fit.

    It changes in steps, so that dragging a border is calm.
    """
    automatic = min(max((height / BASE_HEIGHT) ** 0.7, SMALLEST_FACTOR), 2.2)
    fitting = SMALLEST_FACTOR * min(width / SMALLEST[0], height / SMALLEST[1])
    return Scale(max(min(round(automatic * zoom * 12) / 12, math.floor(fitting * 12) / 12), 9 / 12))


def class_colour(index: int) -> QColor:
    """The colour of class `index`."""
    return QColor(CLASS_COLOURS[index % len(CLASS_COLOURS)])


def apply(application: QApplication) -> None:
    """The palette, for whatever the style sheet does not reach (dialogs, menus, tool tips)."""
    application.setStyle("Fusion")
    palette = QPalette()
    role = QPalette.ColorRole
    for name, colour in (
        (role.Window, GROUND),
        (role.WindowText, TEXT),
        (role.Base, PANEL),
        (role.AlternateBase, RAISED),
        (role.Text, TEXT),
        (role.Button, RAISED),
        (role.ButtonText, TEXT),
        (role.ToolTipBase, RAISED),
        (role.ToolTipText, TEXT),
        (role.PlaceholderText, MUTED),
        (role.Highlight, ACCENT),
        (role.HighlightedText, GROUND),
        (role.Link, ACCENT),
        (role.Mid, LINE),
        (role.Dark, GROUND),
        (role.Light, RAISED),
    ):
        palette.setColor(name, QColor(colour))
    for name in (role.Text, role.ButtonText, role.WindowText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, QColor("#667180"))
    application.setPalette(palette)


def style_sheet(scale: Scale) -> str:
    """The window's style sheet at one scale."""
    px = scale.px
    return f"""
    QWidget {{ font-family: {", ".join(f'"{f}"' for f in FAMILIES)}; font-size: {px(BASE_PX)}px; color: {TEXT}; }}
    QMainWindow, QDialog {{ background: {GROUND}; }}
    QSplitter::handle {{ background: {GROUND}; }}
    QSplitter::handle:hover {{ background: {LINE}; }}
    QFrame#panel, QFrame#strip, QFrame#transport {{ background: {PANEL}; border: 1px solid {LINE}; border-radius: {px(6)}px; }}
    QLabel#title {{ color: {MUTED}; font-size: {px(11.5)}px; font-weight: 600; }}
    QLabel#muted {{ color: {MUTED}; font-size: {px(12)}px; }}
    QLabel#brand {{ font-size: {px(16)}px; font-weight: 700; }}
    QLabel#figure {{ font-size: {px(13)}px; }}
    QLabel#badge {{ border-radius: {px(4)}px; padding: {px(3)}px {px(8)}px; font-weight: 600; background: {RAISED}; }}
    QLabel#loss {{ border-radius: {px(4)}px; padding: {px(3)}px {px(8)}px; color: {WARNING}; background: #33280f; }}
    QFrame#overlay {{ background: rgba(20, 25, 32, 245); border: 1px solid {LINE}; border-radius: {px(8)}px; }}
    QLabel#heading {{ font-size: {px(20)}px; font-weight: 600; }}
    QLabel#sentence {{ color: {MUTED}; font-size: {px(14)}px; }}
    QLabel#notice {{ border-radius: {px(4)}px; padding: {px(6)}px {px(10)}px; background: {RAISED}; }}
    QLabel#notice[level="warning"] {{ color: {WARNING}; background: #33280f; }}
    QLabel#notice[level="error"] {{ color: {BAD}; background: #371a1a; }}
    QPushButton, QToolButton {{ background: {RAISED}; border: 1px solid {LINE}; border-radius: {px(4)}px;
        padding: {px(4)}px {px(10)}px; }}
    QPushButton:hover, QToolButton:hover {{ border-color: {ACCENT}; }}
    QPushButton:pressed, QToolButton:pressed {{ background: {LINE}; }}
    QPushButton:checked, QToolButton:checked {{ background: #173b52; border-color: {ACCENT}; }}
    QPushButton:disabled, QToolButton:disabled {{ color: #667180; border-color: {RAISED}; }}
    QPushButton:focus, QToolButton:focus, QComboBox:focus, QLineEdit:focus, QPlainTextEdit:focus,
    QAbstractSpinBox:focus {{ border-color: {ACCENT}; }}
    QToolButton::menu-indicator, QPushButton::menu-indicator {{ image: none; width: 0; }}
    QPushButton#primary {{ background: #14577b; border-color: #1d74a3; font-weight: 600; }}
    QPushButton#primary:disabled {{ background: {RAISED}; border-color: {RAISED}; }}
    QPushButton#recording {{ background: #6a1f1f; border-color: {BAD}; }}
    QLineEdit, QAbstractSpinBox, QComboBox {{ background: {GROUND}; border: 1px solid {LINE}; border-radius: {px(4)}px;
        padding: {px(3)}px {px(6)}px; selection-background-color: {ACCENT}; selection-color: {GROUND}; }}
    QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ width: 0; border: none; }}
    QComboBox::drop-down {{ border: none; width: {px(16)}px; }}
    QComboBox QAbstractItemView {{ background: {RAISED}; border: 1px solid {LINE}; selection-background-color: #173b52; }}
    QFrame#teach {{ border: none; }}
    QListWidget {{ background: {GROUND}; border: 1px solid {LINE}; border-radius: {px(4)}px; padding: {px(2)}px; }}
    QListWidget:focus {{ border-color: {ACCENT}; }}
    QListWidget::item {{ padding: {px(2)}px {px(4)}px; }}
    QListWidget::item:selected {{ background: #173b52; color: {TEXT}; }}
    QProgressBar {{ background: {LINE}; border: none; border-radius: {px(4)}px; }}
    QProgressBar::chunk {{ background: {ACCENT}; border-radius: {px(4)}px; }}
    QTextEdit {{ background: {GROUND}; border: 1px solid {LINE}; border-radius: {px(4)}px; padding: {px(4)}px; }}
    QPlainTextEdit {{ background: {GROUND}; border: 1px solid {LINE}; border-radius: {px(4)}px;
        selection-background-color: {ACCENT}; selection-color: {GROUND}; }}
    QTreeWidget {{ background: {RAISED}; border: none; }}
    QTreeWidget::item:selected {{ background: #173b52; color: {TEXT}; }}
    QMenu {{ background: {RAISED}; border: 1px solid {LINE}; padding: {px(4)}px; }}
    QMenu::item {{ padding: {px(5)}px {px(18)}px; border-radius: {px(3)}px; }}
    QMenu::item:selected {{ background: #173b52; }}
    QToolTip {{ background: {RAISED}; color: {TEXT}; border: 1px solid {LINE}; padding: {px(4)}px; }}
    QSlider {{ min-height: {px(18)}px; }}
    QSlider::groove:horizontal {{ height: {px(6)}px; background: {LINE}; border-radius: {px(3)}px; }}
    QSlider::sub-page:horizontal {{ background: {ACCENT}; border-radius: {px(3)}px; }}
    QSlider::handle:horizontal {{ width: {px(14)}px; margin: -{px(5)}px 0; border-radius: {px(7)}px; background: {TEXT}; }}
    QScrollBar:vertical {{ background: transparent; width: {px(9)}px; }}
    QScrollBar::handle:vertical {{ background: {LINE}; border-radius: {px(4)}px; min-height: {px(24)}px; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ height: 0; }}
    """
