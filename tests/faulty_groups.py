"""Faulty names for several toxicities, and faulty uses of them.

What `check` says of each: the name of a file in tests/faulty, the exit status, its errors with their lines, and what
must be said.
"""

FINDINGS = (
    ("group-of-unknown", 1, "DL203:6", "Did you mean `haem-DLT`?"),
    ("group-of-one", 1, "DL211:6", "toxicity limiting-event is DLT or haem-DLT. A class has one name."),
    ("group-with-comma", 1, "DL101:6", "Between the toxicities of a name stands `or`."),
    ("group-with-and", 1, "DL101:6", "Between the toxicities of a name stands `or`."),
    ("group-of-either", 1, "DL101:6", "Leave out `either`."),
    ("group-class-twice", 1, "DL202:6", "`DLT` is counted here a second time, and a patient counts once."),
    ("group-nested-twice", 1, "DL202:7", "`DLT` is counted here a second time, and a patient counts once."),
    ("group-of-itself", 1, "DL205:6", "would be a name for itself."),
    ("group-same-classes", 1, "DL202:7", "`limiting-event` is a name for `DLT` and `haem-DLT` already."),
    ("group-with-letter", 1, "DL219:6", "Leave out `written L`."),
    ("group-with-window", 1, "DL214:6", "each of which has its own window."),
    ("group-in-later-cycles", 1, "DL211:6", "Leave out `in later cycles`."),
    ("group-first", 1, "DL205:4", "Move this line below `toxicity DLT`. The first toxicity is a class"),
    ("group-before-a-class", 1, "DL205:6", "Move this line below `toxicity moderate`."),
    ("group-name-taken", 1, "DL202:6", "`haem-DLT` is a toxicity already."),
    ("group-name-plural", 1, "DL202:6", "`DLTs` is the plural of the toxicity `DLT`."),
    ("group-is-counter", 1, "DL202:7", "is a toxicity already, and cannot be a counter too."),
    ("group-misspelt", 1, "DL203:17", "Did you mean `limiting-event`?"),
    ("group-alone", 1, "DL209:17", "`any limiting-event` or `1 of 3 patients has a limiting-event`"),
    ("group-declared-for-a-sum", 1, "DL209:17", "`at least 2 limiting-events`: `limiting-event` is declared for them."),
    ("group-as-letter", 1, "DL101:5", "Write for example `written L`."),
    ("group-in-scenario", 1, "DL216:19", "on a line each: DLT 10% / haem-DLT 10%"),
    ("group-of-a-method", 1, "DL211:18", "Write `a DLT`: a method counts no other."),
    ("group-later-of-three", 1, "DL211:20", "`late-event` counts `late-DLT`, which comes after patients are known"),
    ("group-rows", 1, "DL211:11", "here `DLT`, and above `limiting-event`."),
)  # fmt: skip
