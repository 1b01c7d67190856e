"""The window in German (texts.py): English text, German text."""

from app.window.german_chat import CHAT
from app.window.german_teaching import TEACHING

GERMAN: dict[str, str] = {
    **CHAT,
    **TEACHING,
    # Gestures
    "Hand clapping": "Klatschen",
    "Right hand wave": "Winken mit rechts",
    "Left hand wave": "Winken mit links",
    "Right arm clockwise": "Rechter Arm rechtsherum",
    "Right arm counter-clockwise": "Rechter Arm linksherum",
    "Left arm clockwise": "Linker Arm rechtsherum",
    "Left arm counter-clockwise": "Linker Arm linksherum",
    "Arm roll": "Arme rollen",
    "Air drums": "Luftschlagzeug",
    "Air guitar": "Luftgitarre",
    "Other gestures": "Andere Gesten",
    # Gesture panel
    "Gesture": "Geste",
    "No gesture": "Keine Geste",
    "nothing has been decided yet": "noch keine Entscheidung",
    "accepted with {share:.0f} % confidence": "erkannt mit {share:.0f} % Sicherheit",
    "best guess {label} {share:.0f} %": "am ehesten {label} {share:.0f} %",
    "too few events": "zu wenige Ereignisse",
    "below the threshold": "unter der Schwelle",
    "classes too close": "zwei Gesten kommen in Frage",
    "not a known gesture": "keine bekannte Geste",
    "settling": "noch nicht stabil",
    "rejected": "verworfen",
    "Threshold": "Schwelle",
    "Confidence a gesture must reach to be accepted": "Sicherheit, die eine Geste erreichen muss, um zu gelten",
    "Min. events": "Min. Ereignisse",
    "Events per window (25 ms, filtered) a scene needs before anything is recognised": (
        "Ereignisse je Fenster (25 ms, gefiltert), die eine Szene braucht, bevor etwas erkannt wird"
    ),
    "Confidence of every gesture": "Sicherheit jeder Geste",
    "Confidence of every gesture. Drag the line to set the threshold.": (
        "Sicherheit jeder Geste. Die Schwelle lässt sich mit der Maus verschieben."
    ),
    "Gestures of the last 30 seconds": "Gesten der letzten 30 Sekunden",
    "Gestures of the last 30 seconds (sensor time), the newest at the right; dark where none was accepted": (
        "Gesten der letzten 30 Sekunden (Sensorzeit), die neueste rechts; dunkel, wo keine erkannt wurde"
    ),
    "30 s ago": "vor 30 s",
    "15 s": "15 s",
    "now": "jetzt",
    # Events
    "Events": "Ereignisse",
    "Event picture": "Ereignisbild",
    "pixels": "Pixel",
    "Decay time": "Abklingzeit",
    "Decay: how long an event stays visible (time constant)": "Abklingzeit: wie lange ein Ereignis sichtbar bleibt (Zeitkonstante)",
    "Polarity colours": "Farben der Polarität",
    "Colours of ON / OFF events; the first is safe for colour-blind eyes": (
        "Farben der ON- und OFF-Ereignisse; die erste Wahl ist auch bei Farbenblindheit zu unterscheiden"
    ),
    "Orange / cyan": "Orange / Cyan",
    "Red / blue": "Rot / Blau",
    "White / violet": "Weiß / Violett",
    "Monochrome": "Einfarbig",
    "On paper": "Auf Papier",
    "Starting ...": "Startet ...",
    "The engine is getting ready.": "Die Engine wird vorbereitet.",
    "No engine": "Keine Engine",
    "No picture": "Kein Bild",
    "No source": "Keine Quelle",
    "Choose a camera, a recording, a network stream or the simulated person.": (
        "Wählen Sie eine Kamera, eine Aufnahme, einen Netzwerkstrom oder die simulierte Person."
    ),
    "Opening the source ...": "Die Quelle wird geöffnet ...",
    "Waiting for events": "Warten auf Ereignisse",
    "The recording has ended": "Die Aufnahme ist zu Ende",
    "The source has failed": "Die Quelle ist ausgefallen",
    "Start it again": "Neu starten",
    "Open another source ...": "Andere Quelle öffnen ...",
    "The engine announced a sensor of {width} x {height} pixels, which cannot be shown.": (
        "Die Engine meldet einen Sensor mit {width} x {height} Pixeln; der kann nicht gezeigt werden."
    ),
    "The event picture is smaller than {width} x {height} pixels.": "Das Ereignisbild ist kleiner als {width} x {height} Pixel.",
    "The event picture cannot be read: {why}.": "Das Ereignisbild kann nicht gelesen werden: {why}.",
    # Engine
    "The engine has gone.": "Die Engine ist nicht mehr da.",
    "There is no engine to show.": "Es läuft keine Engine.",
    "The engine cannot be reached.": "Die Engine ist nicht zu erreichen.",
    "What answers at the engine's socket is not an engine.": "Was am Socket der Engine antwortet, ist keine Engine.",
    "It ended while it was starting.": "Sie hat sich beim Start beendet.",
    "What was recorded until then is kept.": "Was bis dahin aufgenommen wurde, bleibt erhalten.",
    "Egret attaches by itself as soon as an engine answers here.": "Egret verbindet sich von selbst, sobald hier eine Engine antwortet.",
    "There is no engine to do that.": "Dafür läuft keine Engine.",
    "Notice": "Hinweis",
    "Click to take away": "Zum Ausblenden klicken",
    "Draw the region of interest with the mouse in the event picture.": "Ziehen Sie den Bildausschnitt mit der Maus im Ereignisbild auf.",
    # Strip
    "Source: what Egret is looking at; click to choose another": "Quelle: was Egret sieht; klicken, um eine andere zu wählen",
    "Click to choose another source": "Klicken, um eine andere Quelle zu wählen",
    "Choose a source": "Quelle wählen",
    "CAMERA": "KAMERA",
    "RECORDING": "AUFNAHME",
    "NETWORK": "NETZWERK",
    "SIMULATED": "SIMULATION",
    "starting": "startet",
    "live": "läuft",
    "waiting": "wartet",
    "ended": "zu Ende",
    "failed": "ausgefallen",
    "Camera": "Kamera",
    "Recording ...": "Aufnahme ...",
    "Network stream ...": "Netzwerkstrom ...",
    "Simulated person": "Simulierte Person",
    "Open a recording": "Aufnahme öffnen",
    "Recordings (*.aedat4 *.aedat);;All files (*)": "Aufnahmen (*.aedat4 *.aedat);;Alle Dateien (*)",
    "Network stream": "Netzwerkstrom",
    "Address of a dv-processing stream:": "Adresse eines dv-processing-Stroms:",
    "Runtime": "Laufzeitumgebung",
    "{name} IS SILENT": "{name} SCHWEIGT",
    "back to the chip": "zurück zum Chip",
    "Networks run on: {backend}; {steps} steps so far": "Die Netze laufen auf: {backend}; bisher {steps} Schritte",
    "unknown": "unbekannt",
    ", {steps:.0f} a second": ", {steps:.0f} pro Sekunde",
    "; {share:.1f} % of units fired": "; {share:.1f} % der Einheiten haben gefeuert",
    "{time} to decision": "{time} bis zur Entscheidung",
    "Arrival to decision: median {p50} ms, 95th percentile {p95} ms": ("Ankunft bis Entscheidung: Median {p50} ms, 95. Perzentil {p95} ms"),
    "Losses": "Verluste",
    "lost": "verloren",
    "repaired": "repariert",
    "refused": "abgewiesen",
    "skipped": "übersprungen",
    "Events lost before Egret, timestamps repaired, events outside the sensor refused,\n"
    "events skipped by view and recognition under overload": (
        "Vor Egret verlorene Ereignisse, reparierte Zeitstempel, abgewiesene Ereignisse außerhalb des Sensors,\n"
        "bei Überlast von Anzeige und Erkennung übersprungene Ereignisse"
    ),
    "Keys and hints (?)": "Tasten und Hinweise (?)",
    "Help": "Hilfe",
    # Filters
    "Filters": "Filter",
    "off": "aus",
    "Noise filters, polarity and region of interest": "Rauschfilter, Polarität und Bildausschnitt",
    "Background activity": "Hintergrundaktivität",
    "Drops events that no neighbour supported within this time": ("Verwirft Ereignisse, die in dieser Zeit kein Nachbarpixel gestützt hat"),
    "Refractory period": "Refraktärzeit",
    "Drops events of a pixel that fired less than this time before": (
        "Verwirft Ereignisse eines Pixels, das innerhalb dieser Zeit schon einmal gefeuert hat"
    ),
    "Hot pixels": "Heiße Pixel",
    "Masks pixels that fire far more often than the others": "Blendet Pixel aus, die viel häufiger feuern als die anderen",
    "Polarity": "Polarität",
    "ON and OFF": "ON und OFF",
    "ON only": "nur ON",
    "OFF only": "nur OFF",
    "Draw region ...": "Ausschnitt ziehen ...",
    "Draw a rectangle in the event picture; events outside are dropped": (
        "Rechteck im Ereignisbild aufziehen; Ereignisse außerhalb werden verworfen"
    ),
    "Whole sensor": "Ganzer Sensor",
    # Record
    "Record": "Aufnehmen",
    "● Record": "● Aufnehmen",
    "■ Stop": "■ Stopp",
    "Record to ...": "Aufnehmen in ...",
    "Record to": "Aufnehmen in",
    "Record the events, before filters, as AEDAT 4 (R); hold for another place": (
        "Ereignisse vor den Filtern als AEDAT 4 aufnehmen (R); gedrückt halten für einen anderen Ort"
    ),
    "{count} events; stop with R": "{count} Ereignisse; beenden mit R",
    # Transport
    "Play": "Start",
    "Pause": "Pause",
    "Step": "Schritt",
    "Loop": "Schleife",
    "Speed": "Tempo",
    "Play or pause (Space)": "Start oder Pause (Leertaste)",
    "One window of 25 ms on (.)": "Ein Fenster von 25 ms weiter (.)",
    "Position in the recording": "Stelle in der Aufnahme",
    "Position; click or drag to seek (← → for a second)": "Stelle in der Aufnahme; klicken oder ziehen zum Springen (← → um eine Sekunde)",
    "Speed, in sensor time per real time": "Tempo: Sensorzeit je wirklicher Zeit",
    "Start again at the end": "Am Ende von vorn beginnen",
    # Rates and latency
    "Event rate": "Ereignisrate",
    "Event rate of the last minute": "Ereignisrate der letzten Minute",
    "Events a second over the last minute: line, from the sensor; filled, after the filters.\n"
    "Wheel and mouse zoom and move it; a double click shows all again.": (
        "Ereignisse pro Sekunde in der letzten Minute: Linie vom Sensor, Fläche nach den Filtern.\n"
        "Mausrad und Maus vergrößern und verschieben; ein Doppelklick zeigt wieder alles."
    ),
    "Latency, p50 / p95": "Latenz, p50 / p95",
    "Latency of every stage": "Latenz jeder Stufe",
    "Median (solid) and 95th percentile (pale), in ms": "Median (kräftig) und 95. Perzentil (blass), in ms",
    "no decision yet": "noch keine Entscheidung",
    "sensor": "Sensor",
    "arrival": "Ankunft",
    "queue": "Warten",
    "filter": "Filter",
    "frame": "Frame",
    "chip": "Chip",
    "decision": "Urteil",
    "painted": "Anzeige",
    "total": "gesamt",
    "from the pixel to the camera's interface": "vom Pixel bis zur Schnittstelle der Kamera",
    "later than the quickest packet so far": "später als das bisher schnellste Paket",
    "waiting in the engine": "Warten in der Engine",
    "noise filters": "Rauschfilter",
    "filters and pooling into the window's counts": "Filtern und Zusammenzählen im Fenster",
    "one step of the gesture network": "ein Schritt des Gestennetzes",
    "scores to decision": "von den Werten zum Urteil",
    "from the decision until it was on screen": "vom Urteil bis auf den Bildschirm",
    "from the arrival of the last packet to the decision": "von der Ankunft des letzten Pakets bis zum Urteil",
    # Help
    "Egret: keys and hints": "Egret: Tasten und Hinweise",
    "Space": "Leertaste",
    "Ctrl +": "Strg +",
    "Ctrl −": "Strg −",
    "play or pause the recording": "Aufnahme abspielen oder anhalten",
    "one window of 25 ms on": "ein Fenster von 25 ms weiter",
    "a second back; a window back while paused": "eine Sekunde zurück; in der Pause ein Fenster",
    "a second on; a window on while paused": "eine Sekunde weiter; in der Pause ein Fenster",
    "start or stop recording": "Aufnahme starten oder beenden",
    "start the engine again when it has gone": "die Engine neu starten, wenn sie nicht mehr da ist",
    "larger type": "größere Schrift",
    "smaller type": "kleinere Schrift",
    "full screen": "Vollbild",
    "this page": "diese Seite",
    "The picture shows every pixel's last event, fading with time: one colour for brighter, one for darker.": (
        "Das Bild zeigt das letzte Ereignis jedes Pixels, mit der Zeit verblassend: eine Farbe für heller, eine für dunkler."
    ),
    "A gesture is accepted when its confidence passes the line in the bars; drag the line to set the threshold.": (
        "Eine Geste gilt, wenn ihre Sicherheit die Linie in den Balken überschreitet; die Linie lässt sich verschieben."
    ),
    "The badge at the top says where the networks really run: HOST, CHIP or EMULATED CHIP. Its dot beats with their steps.": (
        "Das Schild oben sagt, wo die Netze wirklich laufen: HOST, CHIP oder EMULATED CHIP. Der Punkt schlägt im Takt ihrer Schritte."
    ),
    "Closing this window ends the engine that came with it; one that was started by `egret run` goes on.": (
        "Mit dem Fenster endet die Engine, die mit ihm gestartet wurde; eine mit `egret run` gestartete läuft weiter."
    ),
}
