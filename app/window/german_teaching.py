"""Teaching in German: part of german.py."""

TEACHING: dict[str, str] = {
    "Teach a gesture": "Eine Geste beibringen",
    "Teach a new gesture (T)": "Eine neue Geste beibringen (T)",
    "teach a new gesture": "eine neue Geste beibringen",
    "Egret: teach a gesture": "Egret: eine Geste beibringen",
    "Name": "Name",
    "What the gesture is called": "Wie die Geste heißt",
    "Name of the gesture": "Name der Geste",
    "Record example": "Beispiel aufnehmen",
    "Record an example of {seconds:.0f} seconds": "Ein Beispiel von {seconds:.0f} Sekunden aufnehmen",
    "Record counter-example": "Gegenbeispiel aufnehmen",
    "Record what the gesture is not: doing something else, or nothing, in front of this camera": (
        "Aufnehmen, was die Geste nicht ist: vor dieser Kamera etwas anderes tun oder nichts"
    ),
    "Break off the recording or the training": "Aufnahme oder Lernen abbrechen",
    "Progress": "Fortschritt",
    "Examples": "Beispiele",
    "Remove": "Entfernen",
    "Remove the selected example (Delete)": "Das gewählte Beispiel entfernen (Entf)",
    "Train": "Lernen",
    "Learn the gesture from the examples; takes some seconds": "Die Geste aus den Beispielen lernen; dauert einige Sekunden",
    "Take back what was taught last": "Zurücknehmen, was zuletzt beigebracht wurde",
    "Take back {name}": "{name} zurücknehmen",
    "{left} ... get ready": "{left} ... bereit machen",
    "Now make the gesture": "Jetzt die Geste machen",
    "Now do something else": "Jetzt etwas anderes tun",
    "Looking at it ...": "Wird angesehen ...",
    "Learning ...": "Lernt ...",
    "There is nothing to see yet": "Noch ist nichts zu sehen",
    "Record the gesture": "Nehmen Sie die Geste auf",
    "Record another gesture, or more of one": "Nehmen Sie eine weitere Geste auf, oder mehr von einer",
    "Once more, a little differently": "Noch einmal, ein wenig anders",
    "Ready to train; more examples make it better": "Bereit zum Lernen; mehr Beispiele machen es besser",
    "{number}   {seconds} s of movement, now read as {label} in {tenths} of 10 windows": (
        "{number}   {seconds} s Bewegung, jetzt in {tenths} von 10 Fenstern gelesen als {label}"
    ),
    "{number}   counter-example: what the gesture is not": "{number}   Gegenbeispiel: was die Geste nicht ist",
    "{name} ({count} examples): {found:.0f} % of held-out windows found, {accepted:.0f} % with enough confidence": (
        "{name} ({count} Beispiele): {found:.0f} % der zurückgehaltenen Fenster gefunden, {accepted:.0f} % mit genug Sicherheit"
    ),
    "{name} ({count} examples): nothing could be held out": "{name} ({count} Beispiele): keines konnte zurückgehalten werden",
    "Rows: the gesture that is made. Columns, in the same order: what its windows are read as, in per cent.": (
        "Zeilen: die gemachte Geste. Spalten, in gleicher Folge: wie ihre Fenster gelesen werden, in Prozent."
    ),
    "Old gestures (simulated people): {before} % of windows right before, {after} % now": (
        "Alte Gesten (simulierte Personen): vorher {before} % der Fenster richtig, jetzt {after} %"
    ),
    "Confusion before and after teaching": "Verwechslungen vor und nach dem Lernen",
    "{truth} is read as {label} in {share:.0f} % of its windows": "{truth} wird in {share:.0f} % der Fenster gelesen als {label}",
    "Before": "Vorher",
    "After": "Nachher",
    "{name} has only {count} examples: the figures are rough, five or more are better.": (
        "{name} hat nur {count} Beispiele: Die Zahlen sind grob, fünf oder mehr sind besser."
    ),
    "{name} has a single example, so it is not known how well it will be found: teach at least three.": (
        "{name} hat ein einziges Beispiel; wie gut es gefunden wird, ist unbekannt: Geben Sie mindestens drei."
    ),
    "The examples of {name} come from one recording, so its figure is optimistic.": (
        "Die Beispiele von {name} stammen aus einer Aufnahme, die Zahl ist also zu günstig."
    ),
    "{name} reads as {label} in {tenths} of 10 windows: choose another movement or teach more examples.": (
        "{name} wird in {tenths} von 10 Fenstern gelesen als {label}: Wählen Sie eine andere Bewegung oder geben Sie mehr Beispiele."
    ),
    "Before, {name} read as {label} in {tenths} of 10 windows: whoever makes that gesture may now be read as {name}.": (
        "Vorher wurde {name} in {tenths} von 10 Fenstern gelesen als {label}: Wer diese Geste macht, kann jetzt {name} ergeben."
    ),
    "{name} is found in only {tenths} of 10 windows: teach more examples, made as differently as they will be.": (
        "{name} wird nur in {tenths} von 10 Fenstern gefunden: Geben Sie mehr Beispiele, so verschieden wie später im Gebrauch."
    ),
    "{percent} % of the windows of {label} are lost to what was taught: choose another movement, or add counter-examples.": (
        "{percent} % der Fenster von {label} gehen an das Gelernte verloren: Wählen Sie eine andere Bewegung oder geben Sie Gegenbeispiele."
    ),
}
