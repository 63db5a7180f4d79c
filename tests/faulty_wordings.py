"""Faulty words of people who knew their protocol and not the language: thirds, sums of toxicities, moves, citations.

What `check` says of each: the name of a file in tests/faulty, the exit status, its errors with their lines, and what
must be said.
"""

SUM = "Write `(at least 2 DLTs or (any DLT and any haem-DLT) or at least 2 haem-DLTs)`."

FINDINGS = (
    ("third-in-words", 1, "DL101:18", "Write `1/3`."),
    ("third-of-patients", 1, "DL101:18", "`the DLT rate is more than 1/3`"),
    ("third-as-parameter", 1, "DL203:18", "Write `1/3`"),
    ("rate-of-three", 1, "DL101:18", "Write `1/3`."),
    ("rate-between", 1, "DL101:18", "`the DLT rate is at least 1/6 and the DLT rate is at most 1/3`"),
    ("rate-over-one", 1, "DL206:18", "between 0 and 1; 4/3 does not"),
    ("rate-over-nothing", 1, "DL206:18", "Nothing is divided by 0."),
    ("fraction-for-count", 1, "DL103:18", "Write `1 of 3`, where there are 3 patients"),
    ("fraction-for-dose", 1, "DL206:4", "A step is not written as a fraction."),
    ("sum-in-parentheses", 1, "DL101:19", SUM),
    ("sum-together", 1, "DL209:19", SUM),
    ("sum-with-plus", 1, "DL101:19", SUM.replace("`(", "`not (")),
    ("sum-of-toxicities", 1, "DL203:19", SUM),
    ("any-toxicity", 1, "DL101:19", "Write `(any DLT or any haem-DLT)`."),
    ("go-to-next-level", 1, "DL101:13", "Write `escalate`."),
    ("go-down", 1, "DL101:13", "Write `de-escalate`."),
    ("stay-at-this-level", 1, "DL101:13", "Write `enrol 3 more`, or `stay`"),
    ("move-to-a-level", 1, "DL101:13", "`enrol 3 at level 2`"),
    ("suspend", 1, "DL101:13", "no move pauses a trial"),
    ("hold-alone", 1, "DL101:13", "write `ask dsmb to choose enrol 3 more or stop`"),
    (
        "second-choice-no-level",
        1,
        "DL303:18",
        "says `enter second-infusion at the next lower level`, and there is no such",
    ),
    ("escalate-level", 1, "DL101:13", "`enrol 3 at level 2`"),
    ("escalate-new-level", 1, "DL101:13", "`enrol 3 at level 4`"),
    ("expand-to-six", 1, "DL101:13", "Write `fill this level to 6`."),
    ("expand-by-three", 1, "DL101:13", "Write `enrol 3 more`."),
    ("continue-in-trial", 1, "DL211:13", "In the trial, `escalate`, `stay` and `enrol 3 more`"),
    ("table-cites-last", 1, "DL604:8 DL101:9", 'Write `table boundaries cites "…" from "table.csv"`.'),
    ("rule-cites-last", 1, "DL101:14", 'Write `rule "clear" cites "…"` before `when`.'),
    ("overrides-verdict", 1, "DL212:19", "declare the verdict in a rule of its own"),
    ("chances-of-two-choices", 1, "DL216:24", "the cases may all have `may`, or all have `ask`"),
    ("claim-of-the-part", 1, "DL503:20", "write `at this level in escalation`"),
    ("patients-have-no", 1, "DL101:18", "`none of 3 patients has a DLT`"),
    ("no-toxicity-in-patients", 1, "DL101:18", "`at least 2 of 6 patients have a DLT`"),
    ("two-groups", 1, "DL101:18", "Write `1 of the first 3 has a DLT and none of the added 3 has a DLT`."),
    ("of-the-next", 1, "DL101:18", "Write `of the added 3`"),
    ("patient-has-died", 1, "DL101:18", "`toxicity death`"),
    ("patient-has-a-dlt", 1, "DL101:18", "Write `no DLT`."),
)
