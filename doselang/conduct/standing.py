"""Where a trial stands: its patients in the cohorts that the machine knows, and the places that are free now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import groupby

from attrs import define, field, frozen

from doselang.conduct.conducted import Decided, Patient
from doselang.conduct.days import Windows
from doselang.machine.against import size_of
from doselang.machine.compiling import Machine
from doselang.machine.decisions import Branch
from doselang.machine.exits import Accrual
from doselang.machine.followed import Look, Replay, opens
from doselang.machine.notation import INEVALUABLE, NONE, PENDING, Against, Group, HistoryError, Moments
from doselang.machine.replay import Follower
from doselang.machine.states import Frames


@define(eq=False)
class CohortOf:
    """A cohort with its patients, by position, in order of entering; `size` is how many are to become evaluable."""

    part: int
    level: int
    size: int
    against: Against = ""
    sentinel: bool = False
    patients: list[int] = field(factory=list)
    chosen: tuple[int, ...] = ()


@frozen
class Place:
    """Where patients may enter now, and how many."""

    part: int
    level: int
    free: int


@define
class Standing:
    """A trial so far. It is changed by what happens: a patient enters, is known, people choose.

    `cohorts` are all in the order of a history; `open` those opened together last, some of which may have places;
    `held` patients who entered when nobody could, until the next look shows whether they are of the next cohort; what
    is known of them counts at that look. `stopped`, `barred` and `contrary` are against the rules: that the trial was
    stopped, the levels that were closed, and what was declared since somebody last entered as the rules say. `lost`
    says why the rules cannot be followed any further, None where they can. `today` is the day of what happened last.
    """

    machine: Machine
    patients: tuple[Patient, ...]
    windows: Windows
    accrual: Accrual = "one-at-a-time"
    cohorts: list[CohortOf] = field(factory=list)
    open: list[CohortOf] = field(factory=list)
    held: list[int] = field(factory=list)
    known: list[int] = field(factory=list)
    """Patients in the order in which they became known."""
    worse: set[int] = field(factory=set)
    """Patients whose toxicity in a later cycle is known."""
    entered: list[int] = field(factory=list)
    _placed: list[int] = field(factory=list)
    """Patients in the order in which they were put into cohorts."""
    _moments: dict[tuple[int, bool], int] = field(factory=dict)
    """How many had been put into cohorts when a patient became known, or (True) had a toxicity in a later cycle."""
    followed: Replay = field(init=False)
    stopped: bool = False
    barred: set[int] = field(factory=set)
    contrary: Decided | None = None
    lost: str | None = None
    today: date | None = None
    _before: list[CohortOf] = field(factory=list)
    """The cohorts that were open before, of which some patient has entered."""
    _looks: int = 0
    _follower: Follower = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._follower = Follower(self.machine, self.accrual, Frames(self.machine))
        self._follow()

    # ---- what happens ----

    def at(self, today: date | None) -> None:
        """A day comes: a sentinel may have been alone for long enough, and who was held may be of the cohort."""
        self.today = today
        if self.held:
            self._follow()

    def join(self, patient: int, cohort: CohortOf) -> None:
        """A patient enters a cohort."""
        self.contrary = None
        self.entered.append(patient)
        cohort.patients.append(patient)
        self._placed.append(patient)
        self._follow()

    def hold(self, patient: int) -> None:
        """A patient enters while nobody may: of the next cohort, or of none."""
        self.entered.append(patient)
        self.held.append(patient)
        self._follow()

    def open_instead(self, patient: int, part: int) -> None:
        """A patient is the first of a cohort that the rules do not open."""
        self.entered.append(patient)
        level = self.patients[patient].level
        size = size_of(self.machine, Group(part, level, ""))
        self._drop_empty()
        self.open = [CohortOf(part, level, size, "instead", patients=[patient])]
        self._placed.append(patient)
        self.cohorts += self.open
        self._follow()

    def put_aside(self, patient: int, part: int) -> None:
        """A patient who belongs to no cohort: counts at the level from the next look on."""
        self.entered.append(patient)
        self._put_aside(patient, part)
        self._follow()

    def know(self, patient: int) -> None:
        """The outcome of a patient becomes known.

        A patient of no cohort counts at the last look too, as long as nobody has entered by what was decided then.
        """
        if patient in self.known:
            return
        self.known.append(patient)
        self._moments[patient, False] = len(self._placed)
        aside = next((one for one in self.cohorts if one.against == "aside" and one.patients == [patient]), None)
        if aside is not None and not any(cohort.patients for cohort in self.open):
            self._drop_empty()
            self.cohorts.remove(aside)
            self._insert(aside, before=True)
        self._follow()

    def worsen(self, patient: int) -> None:
        """A patient who is known has a toxicity in a later cycle."""
        self.worse.add(patient)
        self._moments[patient, True] = len(self._placed)
        self._follow()

    def choose(self, option: int) -> None:
        """People choose at the look that the history ends with. Raises HistoryError where they cannot."""
        look = self.followed.last
        last = next(cohort for cohort in reversed(self.cohorts) if cohort.patients and cohort.against != "aside")
        said = (*last.chosen, option)
        options = [tuple(number for _, number in way.choices) for way in look.ways] if look is not None else []
        if not any(some[: len(said)] == said for some in options):
            raise HistoryError(f"Nobody is asked to choose option [{option + 1}].")
        last.chosen = said
        self._follow()

    # ---- where it stands ----

    def groups(self) -> tuple[Group, ...]:
        """The history so far."""
        grouped = self._grouped()
        moments = self._moments_of(grouped)
        return tuple(
            Group(cohort.part, cohort.level, self._letters(patients), cohort.chosen, cohort.against, moments=moments[n])
            for n, (cohort, patients) in enumerate(grouped)
        )

    def _moments_of(self, grouped: list[tuple[CohortOf, list[int]]]) -> list[Moments]:
        """By group of a rolling part, where the days are known: when its patients became known, see `Group`."""
        found: list[Moments] = [()] * len(grouped)
        if any(patient.entered is None for patient in self.patients):
            return found
        for numbers in self._rolling_groups(grouped):
            there = [one for number in numbers for one in grouped[number][1] if not self._left(one)]
            for number in numbers:
                found[number] = tuple(
                    self._moment(one, there) for one in self.known if one in grouped[number][1] and not self._left(one)
                )
        return found

    def _rolling_groups(self, grouped: list[tuple[CohortOf, list[int]]]) -> Iterator[list[int]]:
        """The groups of rolling parts, by number, those of one part together that nothing stands between."""

        def section(number: int) -> int:
            cohort, _ = grouped[number]
            return cohort.part if self.machine.protocol.parts[cohort.part].rolling and not cohort.against else -1

        for part, numbers in groupby(range(len(grouped)), section):
            if part >= 0:
                yield list(numbers)

    def _moment(self, patient: int, there: list[int]) -> tuple[int, int | None]:
        """After how many of some patients, in order of entering, one became known and had a later toxicity."""

        def after(moment: int) -> int:
            entered = self._placed[:moment]
            return max(there.index(patient) + 1, sum(one in entered for one in there))

        worse = self._moments.get((patient, True))
        return after(self._moments[patient, False]), None if worse is None else after(worse)

    def _left(self, patient: int) -> bool:
        """Whether a patient is known to be inevaluable."""
        return patient in self.known and self.patients[patient].outcome == INEVALUABLE

    def _grouped(self) -> list[tuple[CohortOf, list[int]]]:
        """The groups of the history: each a cohort, with the patients of those before it that it goes on.

        Patients of no cohort who entered in a rolling part come after all its groups.
        """
        found: list[tuple[CohortOf, list[int]]] = []
        aside: list[tuple[CohortOf, list[int]]] = []
        for cohort in (cohort for cohort in self._with_held() if cohort.patients):
            if cohort.against == "aside":
                aside.append((cohort, cohort.patients))
                continue
            last = found[-1][0] if found else None
            if last is None or not self._rolls_on(last, cohort):
                found, aside = [*found, *aside], []
            if last is not None and self._rolls_on(last, cohort) and last.level == cohort.level:
                found[-1] = (cohort, found[-1][1] + cohort.patients)
            else:
                found.append((cohort, list(cohort.patients)))
        return [*found, *aside]

    def places(self, today: date | None = None) -> list[Place]:
        """Where patients may enter now, the next cohort first; `today` is for sentinels that are alone for a time."""
        found = [Place(one.part, one.level, self.free(one, today)) for one in self.open if self.admits(one.level)]
        return [place for place in reversed(found) if place.free]

    def admits(self, level: int) -> bool:
        """Whether nothing that was done against the rules keeps patients from a level."""
        return not self.stopped and level not in self.barred

    def free(self, cohort: CohortOf, today: date | None) -> int:
        """How many patients may enter a cohort; who is held at its level is to be the first.

        None, where those beside it are waited for, and what is known of it is sure to bring its look about.
        """
        waiting = self.followed.waiting
        if waiting is not None and waiting.beside and cohort is self.open[-1] and not waiting.to_enrol:
            return 0
        held = sum(self.patients[one].level == cohort.level and self._of(one, cohort) for one in self.held)
        places = cohort.size - sum(self._takes_place(patient) for patient in cohort.patients) - held
        if places and cohort.sentinel and self._alone(cohort, today):
            return 0 if any(self._takes_place(patient) for patient in cohort.patients) else 1
        return max(places, 0)

    def fitting(self, patient: Patient, today: date | None) -> CohortOf | None:
        """The cohort in which a patient may enter who is treated where the record says."""
        for cohort in reversed(self.open):
            here = cohort.level == patient.level and patient.part in (None, cohort.part)
            if here and self.admits(patient.level) and self.free(cohort, today):
                return cohort
        return None

    @property
    def look(self) -> Look | None:
        """The look at which the trial stands: none while a cohort goes on."""
        return self.followed.last

    @property
    def pending(self) -> tuple[int, ...]:
        """Patients whose outcomes are not known, in order of entering."""
        return tuple(patient for patient in self.entered if patient not in self.known)

    # ---- following ----

    def _follow(self) -> None:
        """Follow the history; after a look, who waited is of a cohort that has places at the level, or of none."""
        self._replay()
        looked, self._looks = self._decided() > self._looks, self._decided()
        for patient in list(self.held):
            self.held.remove(patient)
            cohort = self.fitting(self.patients[patient], self.today)
            if cohort is not None:
                cohort.patients.append(patient)
                self._placed.append(patient)
            elif looked:
                self._put_aside(patient, self.followed.frame.part)
            else:
                self.held.append(patient)
                continue
            self._replay()
            self._looks = self._decided()

    def _replay(self) -> None:
        """Follow the history, and open the cohorts that the rules open."""
        self._drop_empty()
        while True:
            try:
                self.followed = self._follower.follow(self.groups())
                break
            except HistoryError:
                if not self._keep(self._follower.reached):
                    raise
        look = self.followed.last
        if not self.open or (look is not None and not look.goes_on):
            self._before, self.open = self.open, self._opened()
            self.cohorts += self.open

    def _keep(self, number: int) -> bool:
        """Keep the cohort of a group open, which by what is known now the rules would not have opened.

        A patient who was pending then has left since, and did not turn out in any of the ways that would have led to
        the same. Whether the cohort was not kept before.
        """
        cohort = self._grouped()[number][0]
        kept, cohort.against = cohort.against == "", cohort.against or "instead"
        return kept

    def _drop_empty(self) -> None:
        """Forget the cohorts that were opened last if nobody has entered: what is known now may not open them."""
        if not any(cohort.patients for cohort in self.open):
            self.cohorts = [cohort for cohort in self.cohorts if cohort.patients]
            self.open = self._before

    def _decided(self) -> int:
        """How many looks have been decided."""
        return sum(look.branch is not None and not look.goes_on for look in self.followed.steps)

    def _opened(self) -> list[CohortOf]:
        """The cohorts that are open now, in the order of a history; none has patients yet."""
        frame, look = self.followed.frame, self.followed.last
        if self.followed.unreplaced or (
            look is not None and (look.branch is None or not opens(look.branch, look.frame))
        ):
            return []
        return [
            CohortOf(frame.part, order.level, order.size, sentinel=order.sentinel) for order in reversed(frame.orders)
        ]

    def _put_aside(self, patient: int, part: int) -> None:
        """A patient of no cohort counts at the look of the cohort under way if he is known by then, or of elsewhere."""
        level = self.patients[patient].level
        one = CohortOf(part, level, 0, "aside", patients=[patient])
        under_way = [cohort for cohort in self.open if cohort.patients]
        elsewhere = bool(under_way) and all(cohort.level != level for cohort in self.open)
        if not under_way:
            self._drop_empty()
        self._insert(one, before=elsewhere or patient in self.known)

    def _insert(self, one: CohortOf, *, before: bool) -> None:
        """Put patients of no cohort before the cohorts that were opened last and have patients, or at the end."""
        place = self._under_way() if before else None
        self.cohorts.insert(len(self.cohorts) if place is None else place, one)

    def _under_way(self) -> int | None:
        """Where in `cohorts` those begin that were opened last and have patients; None where there are none."""
        last = self.open if any(cohort.patients for cohort in self.open) else self._before
        return next((number for number, cohort in enumerate(self.cohorts) if cohort in last), None)

    def _with_held(self) -> list[CohortOf]:
        """The cohorts, with those patients before the last who are held, and known by now."""
        held = [
            CohortOf(self._part_of(patient), self.patients[patient].level, 0, "aside", patients=[patient])
            for patient in self.held
            if patient in self.known
        ]
        place = self._under_way()
        place = len(self.cohorts) if place is None else place
        return [*self.cohorts[:place], *held, *self.cohorts[place:]]

    def _part_of(self, patient: int) -> int:
        said = self.patients[patient].part
        return self.open[-1].part if said is None and self.open else said or 0

    # ---- one cohort ----

    def _rolls_on(self, last: CohortOf, cohort: CohortOf) -> bool:
        """Whether one cohort follows another in a rolling part, in which patients enter one after the other."""
        rolling = self.machine.protocol.parts[cohort.part].rolling and last.part == cohort.part
        return rolling and not (last.against or cohort.against or last.chosen)

    def _letters(self, patients: list[int]) -> str:
        known = [patient for patient in self.known if patient in patients]
        return "".join(self._letter(patient) for patient in known) + PENDING * (len(patients) - len(known))

    def _letter(self, patient: int) -> str:
        return self.patients[patient].later if patient in self.worse else self.patients[patient].outcome

    def _of(self, patient: int, cohort: CohortOf) -> bool:
        return self.patients[patient].part in (None, cohort.part)

    def _takes_place(self, patient: int) -> bool:
        left = patient in self.known and self.patients[patient].outcome == INEVALUABLE
        return not (left and self.machine.protocol.replaces_inevaluable)

    def _alone(self, cohort: CohortOf, today: date | None) -> bool:
        """Whether the first patient of a cohort is still treated alone."""
        evaluable = [p for p in cohort.patients if p in self.known and self.patients[p].outcome != INEVALUABLE]
        if evaluable:
            look = self.followed.last
            return look is not None and not look.goes_on and self.patients[evaluable[0]].outcome != NONE
        days = self.windows.alone[cohort.part]
        first = next((p for p in cohort.patients if self._takes_place(p)), None)
        entered = None if first is None else self.patients[first].entered
        return today is None or days is None or entered is None or today < entered + timedelta(days)


def ways_to(look: Look, level: int, part: int | None) -> Iterator[Branch]:
    """The ways of a look, of those that people choose among, that open a cohort at a level."""
    for branch in look.ways:
        if any(opened == level and part in (None, of) for of, opened in opens(branch, look.frame)):
            yield branch
