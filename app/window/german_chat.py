"""The chat in German: part of german.py."""

CHAT: dict[str, str] = {
    "Chat": "Chat",
    "Copy": "Kopieren",
    "Clear memory": "Gedächtnis leeren",
    "Forget the conversation: the network starts from nothing (Ctrl+L)": "Das Gespräch vergessen: Das Netz beginnt von vorn (Strg+L)",
    "Egret: clear memory": "Egret: Gedächtnis leeren",
    "Forget the whole conversation?": "Das ganze Gespräch vergessen?",
    "All its turns and branches are lost, unless they were saved (Conversation, Save).": (
        "Alle Beiträge und Zweige gehen verloren, wenn sie nicht gespeichert wurden (Gespräch, Speichern)."
    ),
    "Conversation": "Gespräch",
    "Chat figures": "Kennzahlen des Chats",
    "You": "Sie",
    "Write something for the model to answer": "Schreiben Sie etwas (auf Englisch)",
    "Prompt": "Eingabe",
    "Send": "Senden",
    "Send the prompt (Enter)": "Die Eingabe senden (Eingabetaste)",
    "Stop": "Stopp",
    "Stop the answer at once (Esc)": "Die Antwort sofort abbrechen (Esc)",
    "Seed": "Seed",
    "The same seed, prompt and memory give the same answer": (
        "Gleicher Seed, gleiche Eingabe und gleiches Gedächtnis ergeben die gleiche Antwort"
    ),
    "New seed every time": "Jedes Mal neuer Seed",
    "A seed by chance for every question; it stands beside this box": (
        "Ein zufälliger Seed für jede Frage; er steht neben diesem Kästchen"
    ),
    "Temp.": "Temp.",
    "Top-k": "Top-k",
    "Tokens": "Token",
    "The longest answer, in tokens": "Längste Antwort, in Token",
    "Weights:": "Gewichte:",
    "A small recurrent network that continues text. It knows words and manners, not facts; "
    "its whole memory of the conversation is its state, a few thousand numbers, until you clear it.": (
        "Ein kleines rekurrentes Netz, das englischen Text fortsetzt. Es kennt Wörter und Umgangsformen, keine Tatsachen; "
        "sein ganzes Gedächtnis sind die paar tausend Zahlen seines Zustands, bis Sie es leeren."
    ),
    "stopped": "abgebrochen",
    "token limit reached": "Tokengrenze erreicht",
    "broken off": "abgerissen",
    "tokens/s": "Token/s",
    "first token {time}": "erstes Token {time}",
    "{share:.0f} % of units active": "{share:.0f} % aktiv",
    "taking up the conversation ...": "Gespräch wird gelesen ...",
    "{count} wait": "{count} warten",
    "memory {count} tokens": "Gedächtnis {count} Token",
    "write to the model": "dem Modell schreiben",
    "send the prompt": "die Eingabe senden",
    "stop the answer": "die Antwort abbrechen",
    "clear the model's memory": "das Gedächtnis des Modells leeren",
    "Enter, Ctrl+Enter": "Eingabe, Strg+Eingabe",
    "Esc": "Esc",
    "Ctrl+L": "Strg+L",
    "Copy or save the conversation, or take up a saved one": "Das Gespräch kopieren oder speichern, oder ein gespeichertes fortsetzen",
    "Save ...": "Speichern ...",
    "Take up a saved one ...": "Gespeichertes fortsetzen ...",
    "Save the conversation": "Das Gespräch speichern",
    "Take up a saved conversation": "Ein gespeichertes Gespräch fortsetzen",
    "Conversations (*.json);;Texts (*.txt)": "Gespräche (*.json);;Texte (*.txt)",
    "Send anew": "Neu senden",
    "Write anew": "Neu",
    "Write the last answer anew, with another seed (Ctrl+R)": "Die letzte Antwort neu schreiben, mit einem anderen Seed (Strg+R)",
    "Write on": "Weiter",
    "Go on where the conversation stands (Alt+Enter)": "Weiterschreiben, wo das Gespräch steht (Alt+Eingabe)",
    "Branches": "Zweige",
    "Everything that was said and answered (Ctrl+B)": "Alles, was gesagt und geantwortet wurde (Strg+B)",
    "Everything that was said and answered; press a turn to go there": (
        "Alles, was gesagt und geantwortet wurde; ein Klick auf einen Beitrag führt dorthin"
    ),
    "Go back to here": "Hierher zurückgehen",
    "Go back to here and write on": "Hierher zurückgehen und weiterschreiben",
    "Write this answer anew": "Diese Antwort neu schreiben",
    "Change this prompt": "Diese Eingabe ändern",
    "How answers are written": "Wie Antworten entstehen",
    "Preset": "Voreinstellung",
    "Settings that go together": "Einstellungen, die zusammengehören",
    "Exact": "Genau",
    "Careful": "Vorsichtig",
    "Balanced": "Ausgewogen",
    "Lively": "Lebhaft",
    "Own settings": "Eigene",
    "Always the likeliest token": "Immer das wahrscheinlichste Token",
    "Little variety: low temperature, nine tenths of the probability": (
        "Wenig Abwechslung: niedrige Temperatur, neun Zehntel der Wahrscheinlichkeit"
    ),
    "What Egret begins with": "Womit Egret beginnt",
    "Much variety, repetition discouraged": "Viel Abwechslung, wenig Wiederholung",
    "Temperature. 0: always the likeliest token": "Temperatur. 0: immer das wahrscheinlichste Token",
    "Only the k likeliest tokens may be drawn (0: all)": "Nur die k wahrscheinlichsten Token werden gezogen (0: alle)",
    "Top-p": "Top-p",
    "Only the likeliest tokens that together have this probability (1: all)": (
        "Nur die wahrscheinlichsten Token, die zusammen diese Wahrscheinlichkeit haben (1: alle)"
    ),
    "Min-p": "Min-p",
    "Only tokens at least this part as likely as the likeliest (0: all)": (
        "Nur Token, die mindestens diesen Teil so wahrscheinlich sind wie das wahrscheinlichste (0: alle)"
    ),
    "Repetition": "Wiederholung",
    "Makes what was just said less likely (1: off)": "Macht eben Gesagtes unwahrscheinlicher (1: aus)",
    "Show activity under every token": "Aktivität unter jedem Token zeigen",
    "The brighter the line, the more units fired in the token's step (brightest: 25 % and more)": (
        "Je heller die Linie, desto mehr Einheiten haben im Schritt des Tokens gefeuert (am hellsten: ab 25 %)"
    ),
    "Host beside the chip": "Host neben dem Chip",
    "Says on how many tokens chip and host agree, and marks the first at which they differ; needs a chip": (
        "Sagt, bei wie vielen Token Chip und Host übereinstimmen; markiert das erste, bei dem sie sich unterscheiden; braucht den Chip"
    ),
    "{share} % of units active": "{share} % der Einheiten aktiv",
    "{count} synaptic operations": "{count} synaptische Operationen",
    "{energy} µJ (estimated)": "{energy} µJ (geschätzt)",
    "Chip and host differ here first": "Hier unterscheiden sich Chip und Host zuerst",
    "Chip and host differ from the marked token on": "Chip und Host unterscheiden sich ab dem markierten Token",
    "{energy} µJ a token": "{energy} µJ je Token",
    "chip and host agree on {count} tokens": "Chip und Host stimmen bei {count} Token überein",
    "{count} by the host alone": "{count} vom Host allein",
    "they differ at one": "bei einem unterscheiden sie sich",
    "Ctrl+R": "Strg+R",
    "write the last answer anew": "die letzte Antwort neu schreiben",
    "Alt+Enter": "Alt+Eingabe",
    "write on where the conversation stands": "weiterschreiben, wo das Gespräch steht",
    "Ctrl+E, or ↑ in an empty prompt": "Strg+E, oder ↑ in leerer Eingabe",
    "change the last prompt and send it anew": "die letzte Eingabe ändern und neu senden",
    "Ctrl+B": "Strg+B",
    "the conversation's branches": "die Zweige des Gesprächs",
    "Gestures drive the chat": "Gesten steuern den Chat",
    "A gesture that is recognised for a third of a second acts once; it acts again after it was away": (
        "Eine Geste, die eine Drittelsekunde lang erkannt wird, wirkt einmal; wieder erst, nachdem sie weg war"
    ),
    "Stop the answer": "Antwort abbrechen",
    "Write the answer anew": "Antwort neu schreiben",
    "Send the suggested prompt": "Vorgeschlagenes senden",
    "Suggested prompts": "Vorgeschlagene Eingaben",
    "Suggested prompts, one a line, sent one after the other": "Vorgeschlagene Eingaben, eine je Zeile, der Reihe nach gesendet",
    "none": "keine",
    "{gesture} sends: {text}": "{gesture} sendet: {text}",
}
