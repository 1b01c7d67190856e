"""The installed PySide6 must not eat references: 6.12.0 does on Python 3.11, and aborts the interpreter after some thousand signals."""

import sys


def test_emitting_signals_does_not_eat_references_of_true_and_none() -> None:
    from PySide6 import QtCore

    class Sender(QtCore.QObject):
        sent = QtCore.Signal(object)

    sender = Sender()
    sender.sent.connect(lambda _: None)
    before = sys.getrefcount(True), sys.getrefcount(None)
    for _ in range(50):
        sender.sent.emit(None)
        sender.setObjectName("name")
    assert sys.getrefcount(True) - before[0] > -10
    assert sys.getrefcount(None) - before[1] > -10
