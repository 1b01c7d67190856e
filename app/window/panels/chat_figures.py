"""The line of figures under the conversation: speed, first token, activity, energy, how chip and host got on, the memory's age."""

import math

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QWidget

from app.window.figures import milliseconds, three, whole
from app.window.talk import Host, Talk
from app.window.texts import tr


class ChatFigures(QLabel):
    """One muted line, cut where the panel ends and whole where the mouse rests: what there is to say must not move the window's parts."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("muted")
        self.setAccessibleName(tr("Chat figures"))

    def show_talk(self, talk: Talk, memory_age: int, waiting: int) -> None:
        """What goes on, how many prompts wait, the figures of the last answer, and the age of the memory in tokens."""
        now = [tr("taking up the conversation ...")] if talk.taking_up else []
        now += [tr("{count} wait").format(count=whole(waiting))] if waiting else []
        memory = tr("memory {count} tokens").format(count=whole(memory_age))
        text = "   ·   ".join([*now, *_parts(talk), memory, *(_compared(talk.host) if talk.host else [])])
        if text != self.text():
            self.setText(text)
            self.setToolTip(text)

    def sizeHint(self) -> QSize:
        """As high as the line; its width is the panel's."""
        return QSize(0, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        """The same."""
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        """As much of the line as there is room for."""
        painter, room = QPainter(self), self.contentsRect()
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, room.width())
        self.style().drawItemText(
            painter, room, Qt.AlignmentFlag.AlignVCenter, self.palette(), self.isEnabled(), text, self.foregroundRole()
        )


def _parts(talk: Talk) -> list[str]:
    parts = [f"{three(talk.tokens_per_s)} {tr('tokens/s')}"] if talk.tokens_per_s else []
    if math.isfinite(talk.first_token_ms):
        parts.append(tr("first token {time}").format(time=milliseconds(talk.first_token_ms)))
    if math.isfinite(talk.activity):
        parts.append(tr("{share:.0f} % of units active").format(share=talk.activity * 100))
    if math.isfinite(talk.energy_uj):
        parts.append(tr("{energy} µJ a token").format(energy=three(talk.energy_uj)))
    return parts


def _compared(host: Host) -> list[str]:
    """How chip and host got on in the last answer, in a few words."""
    parts = [tr("chip and host agree on {count} tokens").format(count=whole(host.agreed))]
    if host.difference >= 0:
        parts.append(tr("they differ at one"))
    if host.alone:
        parts.append(tr("{count} by the host alone").format(count=whole(host.alone)))
    return parts
