"""The conversation's branches as a tree: a branch per version of a turn, indented only where ways part."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from app.window import theme
from app.window.talk import USER, Row
from app.window.texts import tr
from app.window.theme import Scale

NODE = Qt.ItemDataRole.UserRole


class Branches(QTreeWidget):
    """Turns of all branches; what the conversation is made of is bright. Shown in a menu."""

    chosen = Signal(int)
    """Go to the branch of the turn that ends with this token."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setHeaderHidden(True)
        self.setColumnCount(1)
        self.setAccessibleName(tr("Branches"))
        self.setToolTip(tr("Everything that was said and answered; press a turn to go there"))
        self.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self._rows: tuple[Row, ...] = ()
        self.itemActivated.connect(self._choose)
        self.itemClicked.connect(self._choose)

    def _choose(self, item: QTreeWidgetItem) -> None:
        self.chosen.emit(int(item.data(0, NODE)))

    def show_rows(self, rows: tuple[Row, ...]) -> None:
        """Show `rows`, each after the turn it follows."""
        if rows == self._rows:
            return
        self._rows = rows
        self.clear()
        counts = children(rows)
        above: list[tuple[QTreeWidgetItem, QTreeWidgetItem | None, int]] = []  # a path: item, its parent, turns that follow
        last: QTreeWidgetItem | None = None
        for row, following in zip(rows, counts, strict=True):
            del above[row.depth :]
            parent: QTreeWidgetItem | None = None
            if above:
                item, over, ways = above[-1]
                parent = item if ways > 1 else over
            item = self._item(row)
            if parent is None:
                self.addTopLevelItem(item)
            else:
                parent.addChild(item)
            above.append((item, parent, following))
            last = item if row.here else last
        self.expandAll()
        if last is not None:
            self.setCurrentItem(last)
            self.scrollToItem(last)

    def _item(self, row: Row) -> QTreeWidgetItem:
        who = tr("You") if row.role == USER else "Egret"
        item = QTreeWidgetItem([f"{who}:  {row.text or '…'}"])
        item.setData(0, NODE, row.node)
        item.setForeground(0, QColor(theme.TEXT if row.here else theme.MUTED))
        font = item.font(0)
        font.setBold(row.here)
        item.setFont(0, font)
        return item

    def rescale(self, scale: Scale) -> None:
        """The window's type size changed."""
        self.setMinimumSize(scale.px(420), scale.px(260))


def children(rows: tuple[Row, ...]) -> list[int]:
    """How many turns follow each, of rows in the order of a depth-first walk."""
    counts = [0] * len(rows)
    above: list[int] = []
    for index, row in enumerate(rows):
        del above[row.depth :]
        if above:
            counts[above[-1]] += 1
        above.append(index)
    return counts
