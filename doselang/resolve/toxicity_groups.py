"""Names for several toxicities that conditions count together: `toxicity limiting-event is DLT or haem-DLT`."""

from __future__ import annotations

from collections.abc import Sequence

from doselang.diagnostics import Label
from doselang.plurals import plural, readings
from doselang.protocol import model
from doselang.resolve.glossary import Glossary
from doselang.resolve.names import fold, listing
from doselang.syntax import nodes as syntax

MOST_GROUPS = 9


def bind_groups(
    glossary: Glossary, groups: Sequence[syntax.Toxicity], toxicities: Sequence[syntax.Toxicity]
) -> tuple[model.ToxicityGroup, ...]:
    """The names for several; `toxicities` are all statements of toxicities in the order of the file.

    What is wrong is reported, and the name is entered all the same, so that conditions with it are no further news.
    """
    bound = []
    for group in groups:
        _report_of_a_class(glossary, group)
        if _is_taken(glossary, group):
            continue
        classes = _classes(glossary, group, toxicities) or ()
        glossary.groups.enter(group.name.text, group.name.span)
        glossary.members.append(classes)
        bound.append(
            model.ToxicityGroup(
                group.name.text, classes, group.means.text.value if group.means else None, span=group.span
            )
        )
    if len(groups) > MOST_GROUPS:
        message = f"The file has {len(groups)} names for several toxicities; at most {MOST_GROUPS} are read."
        glossary.report.add("DL704", message, groups[MOST_GROUPS].span)
    return tuple(bound)


def _report_of_a_class(glossary: Glossary, group: syntax.Toxicity) -> None:
    """Report what only a class has: a letter, a window, that it comes in later cycles."""
    name = f"`{group.name.text}` is a name for several toxicities"
    if group.later:
        message, help = (
            f"{name}, and which of them come in later cycles is said of each.",
            "Leave out `in later cycles`.",
        )
        glossary.report.add("DL211", message, group.span, help=help)
    if group.window is not None:
        message = f"{name}, each of which has its own window."
        glossary.report.add("DL214", message, group.window.span, help="Leave this out.")
    if group.written is not None:
        message = f"{name}; in a history each patient has the letter of one of them."
        glossary.report.add("DL219", message, group.written.span, help=f"Leave out `written {group.written.letter}`.")


def _is_taken(glossary: Glossary, group: syntax.Toxicity) -> bool:
    """Whether the name is that of a toxicity, or of several, or the plural of one, which is reported."""
    name = group.name
    singular = [(text, "is the plural of") for text in readings(name.text)[1:]]
    for text, how in ((name.text, "is"), *singular, (plural(name.text), "")):
        for names in (glossary.toxicities, glossary.groups):
            found = names.find(text)
            if found is None:
                continue
            other = names.spelled[found]
            message = f"`{name.text}` {how} a toxicity already." if how == "is" else (
                f"`{name.text}` is the plural of the toxicity `{other}`." if how else
                f"`{other}`, a toxicity, is the plural of `{name.text}`."
            )  # fmt: skip
            label = Label(names.spans[found], "declared here")
            glossary.report.add("DL202", message, name.span, labels=[label], help="Give this one another name.")
            return True
    return False


def _classes(
    glossary: Glossary, group: syntax.Toxicity, toxicities: Sequence[syntax.Toxicity]
) -> tuple[int, ...] | None:
    """The classes that a name stands for, in order; None where that is wrong, which is reported."""
    at = next(number for number, one in enumerate(toxicities) if one is group)
    after = {fold(one.name.text): one for one in toxicities[at:]}
    counted: dict[int, syntax.Name] = {}
    for member in group.members:
        if (below := after.get(fold(member.text))) is not None:
            _report_order(glossary, group, member, below)
            return None
        if (classes := glossary.classes(member)) is None:
            return None
        for one in classes:
            if one in counted:
                spelled = glossary.toxicities.spelled[one]
                glossary.report.add(
                    "DL202", f"`{spelled}` is counted here a second time, and a patient counts once.", member.span,
                    labels=[Label(counted[one].span, "counted here first")], help="Leave out one of the two.",
                )  # fmt: skip
                return None
            counted[one] = member
    return _of_several(glossary, group, tuple(sorted(counted)))


def _report_order(glossary: Glossary, group: syntax.Toxicity, member: syntax.Name, below: syntax.Toxicity) -> None:
    if below is group:
        message, labels = f"`{group.name.text}` would be a name for itself.", []
        help = "Write the names of other toxicities."
    else:
        message = (
            f"`{group.name.text}` is a name for toxicities that are declared before it, and `{member.text}` is not."
        )
        labels = [Label(below.span, "declared here")]
        help = (
            f"Move this line below `toxicity {below.name.text}`. The first toxicity is a class, the dose-limiting one."
        )
    glossary.report.add("DL205", message, member.span, labels=labels, help=help)


def _of_several(glossary: Glossary, group: syntax.Toxicity, classes: tuple[int, ...]) -> tuple[int, ...] | None:
    """The classes, if they are several and have no other name."""
    name, spelled = group.name, glossary.toxicities.spelled
    if len(classes) == 1 and glossary.partial:
        return None  # more may stand in what could not be read
    if len(classes) == 1:
        other = next((one for number, one in enumerate(spelled) if number != classes[0]), "haem-DLT")
        glossary.report.add(
            "DL211", f"`{name.text}` would be another name for `{spelled[classes[0]]}` alone.", group.span,
            help=f"Write `or` and the others that it counts: toxicity {name.text} is "
            f"{spelled[classes[0]]} or {other}. A class has one name.",
        )  # fmt: skip
        return None
    if classes in glossary.members:
        number, counted = glossary.members.index(classes), listing([spelled[one] for one in classes])
        glossary.report.add(
            "DL202", f"`{glossary.groups.spelled[number]}` is a name for {counted} already.", name.span,
            labels=[Label(glossary.groups.spans[number], "declared here")],
            help="Keep one of the two names, and use it everywhere.",
        )  # fmt: skip
        return None
    return classes
