"""The question before a conversation is forgotten with all its branches."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from app.window.texts import tr

Button = QDialogButtonBox.StandardButton


class ClearDialog(QDialog):
    """Accepted where the memory is to be cleared; Enter and Escape leave it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Egret: clear memory"))
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(10)
        question = QLabel(tr("Forget the whole conversation?"))
        question.setObjectName("heading")
        loss = QLabel(tr("All its turns and branches are lost, unless they were saved (Conversation, Save)."))
        loss.setObjectName("muted")
        loss.setWordWrap(True)
        self.buttons = QDialogButtonBox(Button.Cancel)
        self.clear = self.buttons.addButton(tr("Clear memory"), QDialogButtonBox.ButtonRole.DestructiveRole)
        self.clear.setAutoDefault(False)
        self.clear.clicked.connect(lambda: self.accept())
        self.buttons.rejected.connect(self.reject)
        cancel = self.buttons.button(Button.Cancel)
        cancel.setDefault(True)
        cancel.setFocus()
        for widget in (question, loss, self.buttons):
            column.addWidget(widget)
