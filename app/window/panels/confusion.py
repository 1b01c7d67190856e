"""Two confusion matrices side by side, before and after teaching: what every gesture is read as, in shades of one colour."""

from itertools import product

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.window import theme
from app.window.figures import gesture_name
from app.window.lessons import Matrix
from app.window.texts import mark, tr
from app.window.theme import Scale

CELL = mark("{truth} is read as {label} in {share:.0f} % of its windows")
TITLES = (mark("Before"), mark("After"))
WRITTEN = 0.095
"""Shares from here on are written into their cell."""


class ConfusionMaps(QWidget):
    """Rows are gestures, columns what their windows are read as, in the same order. A share is a shade; larger ones are written too."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(tr("Confusion before and after teaching"))
        self._labels: tuple[str, ...] = ()
        self._maps: tuple[Matrix, Matrix] = ((), ())
        self._taught = 0
        self._scale = Scale(1.0)

    def sizeHint(self) -> QSize:
        """Comfortable rows."""
        return QSize(self._scale.px(560), self._scale.px(19) * (max(len(self._labels), 11) + 1))

    def minimumSizeHint(self) -> QSize:
        """Rows that can still be read."""
        return QSize(self._scale.px(420), self._scale.px(13) * (max(len(self._labels), 11) + 1))

    def rescale(self, scale: Scale) -> None:
        """New type size."""
        self._scale = scale
        self.updateGeometry()
        self.update()

    def show_maps(self, labels: tuple[str, ...], before: Matrix, after: Matrix, taught: int) -> None:
        """The last `taught` of `labels` are new; a row without windows stays empty."""
        if (labels, (before, after), taught) != (self._labels, self._maps, self._taught):
            self._labels, self._maps, self._taught = labels, (before, after), taught
            self.updateGeometry()
            self.update()

    def cell(self, side: int, row: int, column: int) -> QRect:
        """Where the share of `row` read as `column` is, before (side 0) or after (1)."""
        count, top, left = max(len(self._labels), 1), self._pitch(), self._left()
        width, gap = (self.width() - left - self._scale.px(14)) / 2, self._scale.px(14)
        x = left + side * (width + gap) + column * width / count
        return QRect(round(x), round(top + row * self._pitch()), max(round(width / count) - 1, 1), max(round(self._pitch()) - 1, 1))

    def share(self, side: int, row: int, column: int) -> float:
        """Share of the windows of `row` that are read as `column`; 0 for a row without windows."""
        counts = self._maps[side][row] if self._maps[side] else ()
        total = sum(counts)
        return counts[column] / total if total else 0.0

    def _pitch(self) -> float:
        return self.height() / (len(self._labels) + 1)

    def _font(self) -> QFont:
        font = self._scale.font(12)
        font.setPixelSize(min(font.pixelSize(), max(int(self._pitch() * 0.75), 7)))
        return font

    def _left(self) -> int:
        metrics = QFontMetrics(self._font())
        widest = max((metrics.horizontalAdvance(gesture_name(label)) for label in self._labels), default=0)
        return min(widest, self.width() // 3) + self._scale.px(8)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Titles, names, cells."""
        if not self._labels:
            return
        painter = QPainter(self)
        painter.setFont(self._font())
        metrics, middle = painter.fontMetrics(), Qt.AlignmentFlag.AlignVCenter
        old = len(self._labels) - self._taught
        for row, label in enumerate(self._labels):
            first = self.cell(0, row, 0)
            name = metrics.elidedText(gesture_name(label), Qt.TextElideMode.ElideRight, first.left() - self._scale.px(8))
            painter.setPen(QColor(theme.TEXT if row >= old else theme.MUTED))
            right = QRect(0, first.top(), first.left() - self._scale.px(8), first.height())
            painter.drawText(right, Qt.AlignmentFlag.AlignRight | middle, name)
        for side, title in enumerate(TITLES):
            head = self.cell(side, 0, 0)
            painter.setPen(QColor(theme.MUTED))
            painter.drawText(QRect(head.left(), 0, self.width() // 2, head.top()), Qt.AlignmentFlag.AlignLeft | middle, tr(title))
            self._draw_map(painter, side)

    def _draw_map(self, painter: QPainter, side: int) -> None:
        """The cells of one side: what is right in green, what is not in the colour of warnings, darker where it is rare."""
        metrics = painter.fontMetrics()
        ground = QColor(theme.RAISED)
        for row in range(len(self._labels)):
            for column in range(len(self._labels)):
                cell, share = self.cell(side, row, column), self.share(side, row, column)
                ink = QColor(theme.GOOD if row == column else theme.WARNING)
                painter.fillRect(cell, _mixed(ground, ink, 0.85 * share**0.7))
                text = f"{share * 100:.0f}"
                if share >= WRITTEN and metrics.horizontalAdvance(text) <= cell.width():
                    painter.setPen(QColor(theme.GROUND if share > 0.5 else theme.TEXT))
                    painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, text)

    def event(self, event: QEvent) -> bool:
        """A tool tip tells the cell under the pointer."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self._told_at(event.pos()), self)
            return True
        return super().event(event)

    def _told_at(self, place: QPoint) -> str:
        """What the cell at `place` says; empty where there is none."""
        size = range(len(self._labels))
        for side, row, column in product((0, 1), size, size):
            if self.cell(side, row, column).contains(place):
                truth, label = gesture_name(self._labels[row]), gesture_name(self._labels[column])
                return tr(CELL).format(truth=truth, label=label, share=100 * self.share(side, row, column))
        return ""


def _mixed(ground: QColor, ink: QColor, share: float) -> QColor:
    """`share` of `ink` on `ground`."""
    pairs = ((ground.red(), ink.red()), (ground.green(), ink.green()), (ground.blue(), ink.blue()))
    return QColor(*(round(dark + (light - dark) * share) for dark, light in pairs))
