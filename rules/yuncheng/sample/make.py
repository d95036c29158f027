#!/usr/bin/env python3
"""Writes the sample of this folder again: the office's list (.xlsx), the action files (.yaml) and the deputies of the directory.

    pip install openpyxl && python3 make.py

Seeded: the same rules, calendar and directory give the same bytes. Everything is invented; only the totals follow published figures
(README.md). People act as the flow and the windows allow, so that the engine refuses none of it; what they leave undone is what the
reminders and escalations of the demo come from. The counts at the end are asserted, then printed.
"""

import datetime as dt
import io
import random
import re
import zipfile
from collections import Counter
from pathlib import Path

import texts
from diary import SLOTS, Calendar, Diary, Directory, write_actions, zh
from key_topics import key_topics
from stations import Stations
from titles import ROWS, SEPARATE
from trainings import trainings

HERE = Path(__file__).resolve().parent
RULES = HERE.parent
END = dt.date(2025, 12, 31)
SEPTEMBER, NEW_YEAR = dt.date(2024, 9, 30), dt.date(2024, 12, 31)
MEETING, SECOND_BATCH = dt.date(2024, 3, 21), dt.date(2024, 3, 26)
# A reply is drafted so many working days before it is signed; five and more make the signature late.
DRAFTED_BEFORE = {2: 34, 3: 38, 4: 20, 5: 6, 6: 2}
rng = random.Random(20240321)


# ---------------------------------------------------------------------------------------------------------------- the office
cal = Calendar(RULES.parent / "calendars" / "cn.yaml")
people = Directory(RULES / "directory.yaml")
office = lambda: rng.choice(people.group["deputies_committee"])


def make_deputies():
    taken, deputies = set(people.persons), []
    for county, count in texts.COUNTIES.items():
        for _ in range(count):
            while True:
                surname = rng.choice(texts.COMMON if rng.random() < 0.5 else list(texts.SURNAMES))
                first, second = rng.choice(list(texts.FIRST)), rng.choice(list(texts.SECOND))
                name = surname + first + second if rng.random() < 0.86 else surname + (second := rng.choice(texts.ENDS_OF_TWO))
                if name not in taken and first != second:
                    break
            taken.add(name)
            reading = texts.SURNAMES[surname] + (texts.FIRST[first] if len(name) == 3 else "") + texts.SECOND[second]
            deputies.append((name, reading, county))
    return deputies


diary = Diary(cal, rng)
spread = diary.spread
put = lambda item, *rest, **given: diary.put(item.number, *rest, **given)


def pick(weights):
    return rng.choices(list(weights), list(weights.values()))[0]


def is_built(item):
    return bool(texts.IS_BUILT.search(item.title))


def plan_for(item, since, by):
    mid = since + (by - since) * 0.6
    return rng.choice(texts.PLANS[is_built(item)]).format(by=zh(by), mid=f"{mid.year}年{mid.month}月")


# ---------------------------------------------------------------------------------------------------------------- items
class Item:
    def __init__(self, topic, hard, units, helpers, title):
        self.topic, self.hard, self.title = topic, hard, title
        self.host, self.separate = (units[0], []) if len(units) == 1 else (None, units)
        self.co = []
        self.helpers = helpers
        self.flags, self.late_by, self.number = set(), 0, None
        self.path = None                        # class on 30 September 2024, and what became of it: such as "B", "BA24", "CB24", "BA25"

    @property
    def owing(self):
        return self.separate or [self.host]

    @property
    def september(self):
        return self.path[0]


def make_items(deputies):
    items = []
    for topic, hard, host, helpers, template, fills in ROWS:
        items += [Item(topic, hard, [host], helpers, template.format(*(fill.split("/") if template.count("{}") > 1 else [fill]))) for fill in fills]
    items += [Item(topic, hard, units, [], title) for topic, hard, units, title in SEPARATE]
    assert len(items) == 432 and len({item.title for item in items}) == 432
    rng.shuffle(items)
    # 43 come between the sessions, after those of the session.
    between = set(rng.sample([n for n, item in enumerate(items) if not item.separate], 43))
    items = [item for n, item in enumerate(items) if n not in between] + [item for n, item in enumerate(items) if n in between]
    for n, item in enumerate(items):
        item.number = f"2024-{n + 1:03}"
        item.inter = n >= 389
        if item.host and item.helpers and rng.random() < 0.42:
            item.co = rng.sample(item.helpers, 2 if len(item.helpers) > 1 and rng.random() < 0.25 else 1)
        at_home = [deputy for deputy in deputies if deputy[2] in item.title] or deputies
        item.lead = rng.choice(at_home)[0]
        county = next(deputy[2] for deputy in deputies if deputy[0] == item.lead)
        friends = [deputy[0] for deputy in deputies if deputy[2] == county and deputy[0] != item.lead]
        count = pick({0: 38, 1: 14, 2: 17, 3: 12, 4: 8, 5: 6, 6: 5})
        item.signers = rng.sample(friends, min(count, len(friends)))
    days_of_session = [dt.date(2024, 2, 26), dt.date(2024, 2, 27), dt.date(2024, 2, 28)]
    for item in items[:389]:
        item.submitted = days_of_session[min(2, (int(item.number[-3:]) - 1) * 3 // 389)]
        item.accepted = cal.add(item.submitted, pick({1: 30, 2: 62, 3: 8}))
        item.assigned = SECOND_BATCH if rng.random() < 0.08 else MEETING
    for day, item in zip(sorted(spread(dt.date(2024, 4, 8), dt.date(2024, 6, 24)) for _ in range(43)), items[389:]):
        item.submitted = day
        item.accepted = cal.add(day, pick({1: 30, 2: 60, 3: 10}))
        item.assigned = cal.add(item.accepted, rng.choice([2, 3, 4, 5]))
    return items


def choose_paths(items):
    """167 A, 230 B and 35 C on 30 September 2024; 261, 140 and 31 at the end of the year; 113 of the 171 become A in 2025."""
    weight = {1: {"A": 64, "B": 35, "C": 1}, 2: {"A": 22, "B": 73, "C": 5}, 3: {"A": 2, "B": 34, "C": 64}}
    left = {"C": 35, "A": 167}
    pool = list(items)
    for wanted, count in left.items():
        chosen = sorted(pool, key=lambda item: rng.random() ** (1 / weight[item.hard][wanted]), reverse=True)[:count]
        for item in chosen:
            item.path = wanted
        pool = [item for item in pool if item.path is None]
    for item in pool:
        item.path = "B"

    of = lambda path, fits=lambda item: True: [item for item in items if item.path == path and fits(item)]

    def turn(path, into, count, fits=lambda item: True):
        for item in rng.sample(of(path, fits), count):
            item.path = into

    plain = lambda item: not item.separate and not item.flags & {"extension", "rehandle"} and item.late_by < 20
    # October to December 2024: 95 B and 1 C become A, 3 C become B, 2 A fail the look-back and become B.
    turn("B", "BA24", 95, plain)
    turn("C", "CA24", 1)
    turn("C", "CB24", 3)
    turn("A", "AB24", 2, lambda item: item.inter and not item.separate and item.number > "2024-420")
    # 2025: of 140 B and 31 C, 103 and 10 become A; 41 and 17 are open, 4 C having become B.
    for path, count in (("B", 99), ("CB24", 2), ("AB24", 2)):
        turn(path, path + "A25", count)
    turn("C", "CA25", 4)
    turn("C", "CBA25", 6)
    turn("C", "CB25", 4)
    for item in rng.sample([item for item in items if item.path == "B" and plain(item) and not item.flags], 6):
        item.flags.add("class_changed")


def choose_flags(items):
    """Who is late, who asks for what: each on items of their own, so that every story stays clear."""
    free = [item for item in items if not item.inter and not item.separate and people.kind[item.host] == "gov"]
    rng.shuffle(free)

    def take(flag, count, fits=lambda item: True):
        chosen = [item for item in free if fits(item)][:count]
        assert len(chosen) == count, flag
        for item in chosen:
            item.flags.add(flag)
            free.remove(item)
        return chosen

    key_units = Counter()
    key = take("key", 15, lambda item: item.hard == 2 and (key_units.update([item.host]) or key_units[item.host] == 1))
    key[0].flags.add("key_extension")
    take("extension", 11, lambda item: item.hard >= 2)
    take("extension_refused", 2, lambda item: item.hard >= 2)
    take("hand_back", 9, lambda item: item.assigned == MEETING and not item.co and item.helpers and people.kind[item.helpers[0]] == "gov")
    take("hand_back_refused", 2, lambda item: item.assigned == MEETING and item.helpers)
    take("rehandle", 17)
    # Late by so many working days; the worst over several committees.
    late = [1] * 7 + [2] * 6 + [3] * 4 + [4] * 3 + [6] * 4 + [7] * 3 + [11] * 3 + [13] * 2 + [22] * 2 + [43]
    committees = Counter()
    for days in reversed(late):
        least = min(free, key=lambda item: (committees[people.committee[item.host]], items.index(item)) if days >= 4 else (0, items.index(item)))
        item = least if days >= 4 else rng.choice(free)
        committees[people.committee[item.host]] += 1
        item.late_by = days
        free.remove(item)
    take("draft_rejected", 14)
    take("late_sign_in", 7)
    take("late_contact", 9)
    take("late_opinion", 8, lambda item: item.co)
    take("opinion_sent_back", 6, lambda item: item.co)


# ---------------------------------------------------------------------------------------------------------------- handling
def handle(item):
    """From assignment to the first confirmed class, the deputy's feedback and, for class A, the archive."""
    start = dt.datetime.combine(item.assigned, SLOTS[0])
    if "key" in item.flags:
        put(item, dt.date(2024, 4, 12), people.group["council_of_chairpersons"][0], "name_key", after=start,
            lead_official=people.of("leader", item.host), supervising_official=people.of("leader", people.committee[item.host]))
    if item.flags & {"hand_back", "hand_back_refused"}:
        start = hand_back(item, start)
    accepted = [co_opinion(item, unit, start) for unit in item.co]
    co_done = max(accepted, default=start)
    signed, confirmed = start, start
    for n, unit in enumerate(item.owing):
        item.unit_class = item.september if n == 0 else "A"
        sent = reply(item, unit, start, co_done)
        sure = confirm(item, unit, sent)
        signed, confirmed = max(signed, sent), max(confirmed, sure)
        if n == 0:
            item.commitment_from, item.confirmed = unit, sure
    # A rating that undoes the reply comes after its class was confirmed.
    concluded = feedback(item, max(signed, confirmed) if "rehandle" in item.flags else signed)
    if "rehandle" in item.flags:
        concluded = rehandle(item, concluded)
    elif item.separate:
        concluded = max(concluded, confirmed)
    item.concluded = max(concluded, item.confirmed)
    assert item.confirmed.date() <= SEPTEMBER and confirmed.date() <= SEPTEMBER, (item.number, item.confirmed)


def hand_back(item, start):
    unit = item.host
    branch = f"assignment {unit}"
    asked = put(item, cal.add(item.assigned, rng.choice([1, 2, 3, 4])), people.of("deputy_head", unit), "hand_back.ask", branch, start,
                return_reason=rng.choice(texts.HAND_BACK), suggested_unit=item.helpers[0])
    decided = cal.add(asked.date(), rng.choice([1, 2, 3, 4]))
    by = people.group["gov_office"][0]
    if "hand_back_refused" in item.flags:
        put(item, decided, by, "hand_back.refuse", branch, asked, refuse_reason=texts.REFUSED["hand_back"])
        return start
    item.host = item.helpers[0]
    at = put(item, decided, by, "hand_back.approve", branch, asked, new_unit=item.host)
    item.counted_from = at.date()
    return at


def co_opinion(item, unit, start):
    branch, officer = f"assignment {unit}", people.of("case_officer", unit)
    host = people.of("case_officer", item.host)
    due = cal.months(item.assigned, 1)
    at = put(item, cal.add(item.assigned, rng.choice([0, 1, 1, 2])), officer, "sign_in", branch, start)
    day = cal.add(due, rng.randint(2, 12)) if "late_opinion" in item.flags else cal.add(due, -rng.choice([0, 1, 1, 2, 3, 4, 5, 6, 8, 10]))
    opinion = lambda: rng.choice(texts.OPINIONS).format(what=rng.choice(texts.OPINION_WORK))
    at = put(item, day, officer, "submit_opinion", branch, at, opinion=opinion())
    if "opinion_sent_back" in item.flags:
        at = put(item, cal.add(at.date(), 2), host, "send_back_opinion", branch, at, reason="请补充时间安排和责任科室。")
        at = put(item, cal.add(at.date(), rng.choice([2, 3, 4])), officer, "resubmit_opinion", branch, at, opinion=opinion())
    return put(item, cal.add(at.date(), rng.choice([1, 1, 2, 3, 4])), host, "accept_opinion", branch, at)


def reply(item, unit, start, co_done):
    """Sign in, contact, draft, review, signature. Returns when the reply was signed."""
    branch, officer, principal = f"assignment {unit}", people.of("case_officer", unit), people.of("principal", unit)
    counted_from = getattr(item, "counted_from", item.assigned)
    due = cal.months(counted_from, 3)
    wait = rng.choice([4, 5, 6]) if "late_sign_in" in item.flags else pick({0: 3, 1: 4, 2: 3})
    at = put(item, cal.add(counted_from, wait), officer, "sign_in", branch, start)
    contact = cal.add(counted_from, rng.randint(22, 27) if "late_contact" in item.flags else rng.randint(wait + 2, 18))
    way = lambda: pick({"phone": 40, "meeting": 28, "visit": 20, "symposium": 8, "mail": 4})
    at = put(item, contact, officer, "record_contact", branch, at, contact_way=way(), contact_by=pick({"case_officer": 60, "deputy_head": 40}), note=rng.choice(texts.NOTES))
    if item.flags & {"extension", "extension_refused", "key_extension"}:
        at = extension(item, unit, at)
    if "key" in item.flags:
        at = put(item, cal.add(at.date(), rng.randint(5, 15)), officer, "record_contact", branch, at, contact_way="meeting", contact_by="principal", note=rng.choice(texts.NOTES))
    elif rng.random() < 0.35:
        at = put(item, cal.add(at.date(), rng.randint(4, 12)), officer, "record_contact", branch, at, contact_way=way(), contact_by=pick({"case_officer": 40, "deputy_head": 50, "principal": 10}), note=rng.choice(texts.NOTES))

    if item.late_by:
        sent = cal.add(due, item.late_by)
        drafted = cal.add(due, -rng.randint(0, 4)) if item.late_by > 4 else cal.add(sent, -rng.randint(2, 5))
    elif item.flags & {"extension", "key_extension"}:
        sent = spread(dt.date(2024, 7, 22), dt.date(2024, 9, 10))
        drafted = cal.add(sent, -pick(DRAFTED_BEFORE))
    elif item.inter:
        sent = spread(cal.add(counted_from, 26), min(cal.add(due, -1), dt.date(2024, 9, 12)))
        drafted = cal.add(sent, -pick(DRAFTED_BEFORE))
    else:
        early = 8 if "rehandle" in item.flags else 0
        sent = cal.add(due, -early - pick({0: 5, 1: 8, 2: 8, 3: 9, 4: 9, 5: 9, 6: 8, 8: 8, 10: 8, 12: 7, 15: 6, 18: 5, 21: 4, 24: 3}))
        drafted = cal.add(sent, -pick(DRAFTED_BEFORE))
    return draft_to_signature(item, unit, drafted, sent, max(at, co_done))


def draft_to_signature(item, unit, drafted, sent, after):
    branch = f"assignment {unit}"
    # A unit that thinks too well of its work proposes A; the committee puts it right.
    changed = "class_changed" in item.flags
    given = grounds(item, "A" if changed else item.unit_class, sent)
    case, reviewer, principal = people.of("case_officer", unit), people.reviewer(unit), people.of("principal", unit)
    file = f"{item.number}-答复函-{people.title[unit]}.pdf"
    at = put(item, drafted, case, "submit_draft", branch, after, reply_file=file, **given)
    if "draft_rejected" in item.flags:
        at = put(item, cal.add(at.date(), 1), reviewer, "reject_draft", branch, at, remarks=rng.choice(texts.DRAFT_REMARKS))
        at = put(item, cal.add(at.date(), rng.choice([1, 2])), case, "submit_draft", branch, at, reply_file=file, **given)
    at = put(item, cal.add(at.date(), rng.choice([1, 1, 2])), reviewer, "pass_draft", branch, at)
    return put(item, sent, principal, "sign_and_send", branch, at, doc_number=f"<{unit}>")


def grounds(item, letter, sent):
    given = {"class": letter}
    if letter == "B":
        item.promised = promise(item, sent)
        given.update(plan=plan_for(item, sent, item.promised), promised_on=item.promised)
    if letter == "C":
        given["reason"] = rng.choice(texts.REASONS)
    return given


def promise(item, sent):
    """The day promised for class B. Most will keep it; some will slip, or ask for another."""
    if item.path == "BA24":
        item.claim = spread(dt.date(2024, 10, 8), dt.date(2024, 12, 16))
        if rng.random() < 0.12:
            return max(cal.add(item.claim, -rng.randint(8, 22)), cal.add(sent, 20))
        return min(cal.add(item.claim, rng.randint(2, 30)), dt.date(2024, 12, 31))
    if item.path == "BA25":
        item.claim = spread(dt.date(2025, 1, 8), dt.date(2025, 12, 5))
        if rng.random() < 0.15:
            item.slips = True
            return cal.add(item.claim, -rng.randint(12, 45))
        return cal.roll(item.claim + dt.timedelta(days=rng.randint(3, 50)))
    item.claim = None
    kind = pick({"next year": 62, "re-planned": 22, "slipped": 16})
    if kind == "next year":
        return rng.choice([dt.date(2026, 3, 31), dt.date(2026, 6, 30), dt.date(2026, 9, 30), dt.date(2026, 12, 31)])
    item.replan = kind == "re-planned"
    return rng.choice([dt.date(2025, 3, 31), dt.date(2025, 6, 30), dt.date(2025, 9, 30), dt.date(2025, 10, 31)])


def extension(item, unit, after):
    branch = f"assignment {unit}"
    asked = put(item, spread(dt.date(2024, 5, 13), dt.date(2024, 6, 4)), people.of("deputy_head", unit), "extension.ask", branch, after, extension_reason=rng.choice(texts.EXTENSION))
    congress = people.group["council_of_chairpersons"][0] if "key" in item.flags else office()
    if "extension_refused" in item.flags:
        return put(item, cal.add(asked.date(), 2), congress, "extension.refuse", branch, asked, refuse_reason=texts.REFUSED["extension"])
    first = put(item, cal.add(asked.date(), rng.choice([1, 2])), people.group["gov_office"][0], "extension.approve", branch, asked)
    return put(item, cal.add(first.date(), rng.choice([0, 1, 2])), congress, "extension.approve", branch, first)


def confirm(item, unit, sent):
    branch, officer = f"commitment {unit}", people.officer(unit)
    at = sent
    if "class_changed" in item.flags:
        given = grounds(item, "B", sent.date())
        at = put(item, cal.add(at.date(), rng.choice([2, 3, 4])), officer, "change_class", branch, at, because=rng.choice(texts.CHANGED), **given)
    return put(item, cal.add(at.date(), rng.choice([1, 2, 3, 4, 5, 6, 8])), officer, "confirm_class", branch, at)


def feedback(item, signed):
    """When the round of feedback ended: by the deputy's word, or because it lapsed."""
    day = signed.date()
    if "rehandle" in item.flags:
        return put(item, cal.add(day, rng.randint(2, 9)), item.lead, "feedback_bad", after=signed, attitude=pick({"satisfied": 3, "basically_satisfied": 5, "dissatisfied": 2}),
                   result="dissatisfied", comment=rng.choice(texts.COMMENTS_BAD))
    if rng.random() < 0.04:
        due = cal.add(day, 15)
        return dt.datetime.combine(cal.add(due, 6), dt.time(0))
    wait = rng.randint(16, 19) if rng.random() < 0.06 else pick({1: 5, 2: 9, 3: 10, 4: 10, 5: 10, 6: 9, 7: 8, 8: 7, 10: 7, 12: 6, 14: 5})
    return satisfied(item, cal.add(day, wait), signed)


def satisfied(item, day, after):
    result = pick({"satisfied": 80, "basically_satisfied": 20})
    given = {"attitude": pick({"satisfied": 92, "basically_satisfied": 8}), "result": result}
    if rng.random() < 0.3:
        given["comment"] = rng.choice(texts.COMMENTS_OK)
    return put(item, day, item.lead, "feedback_ok", after=after, **given)


def rehandle(item, told):
    """Round two, for two items also the meeting of both sides, for one of them a third round."""
    unit = item.host
    officer = people.of("case_officer", unit)

    def round_again(told):
        branch = f"assignment {unit}"
        at = put(item, cal.add(told.date(), rng.randint(2, 6)), officer, "record_contact", branch, told, contact_way="visit", contact_by=rng.choice(["deputy_head", "principal"]), note=rng.choice(texts.NOTES))
        sent = cal.add(told.date(), rng.randint(13, 19))
        return draft_to_signature(item, unit, cal.add(sent, -4), sent, at)

    item.unit_class = item.september
    signed = round_again(told)
    if item.september == "A":
        # Class A is confirmed only when the deputy is no longer dissatisfied.
        content = satisfied(item, cal.add(signed.date(), rng.randint(2, 6)), signed)
        item.confirmed = confirm(item, unit, content)
        return content
    item.confirmed = confirm(item, unit, signed)
    rounds.append(item.number)
    if len(rounds) not in (2, 5):
        return satisfied(item, cal.add(signed.date(), rng.randint(2, 10)), signed)
    # Round two of these fails as well: coordination.
    bad = put(item, cal.add(signed.date(), 4), item.lead, "feedback_bad", after=max(signed, item.confirmed),
              attitude="basically_satisfied", result="dissatisfied", comment=rng.choice(texts.COMMENTS_BAD))
    verdict = "explained" if len(rounds) == 2 else "continue_handling"
    decided = put(item, cal.add(bad.date(), 8), office(), "decide", after=bad, verdict=verdict, minutes=f"{item.number}-协调会纪要.pdf")
    if verdict == "explained":
        return decided
    signed = round_again(decided)
    item.confirmed = confirm(item, unit, signed)
    return satisfied(item, cal.add(signed.date(), 4), signed)


rounds = []


# ---------------------------------------------------------------------------------------------------------------- after the class is known
def follow(item):
    unit = item.commitment_from
    if item.path.startswith("A"):
        settled(item, unit, item.concluded, sampled="AB24" in item.path)
    elif item.path.startswith("B"):
        track(item, unit, item.confirmed, item.promised, item.claim)
    else:
        shelve(item, unit)


def settled(item, unit, at, sampled=False):
    """Class A: a look-back for one in five, then the archive. Two fail the look-back."""
    branch, officer = f"commitment {unit}", people.officer(unit)
    if sampled:
        at = put(item, max(dt.date(2024, 10, 8), cal.add(at.date(), 2)), officer, "look_back", branch, at)
        item.promised = rng.choice([dt.date(2025, 4, 30), dt.date(2025, 6, 30)])
        at = put(item, cal.add(at.date(), 2), officer, "look_back_fail", branch, at, plan=texts.LOOK_BACK_FAILED.format(by=zh(item.promised)), promised_on=item.promised)
        item.became["B"] = at
        return track(item, unit, at, item.promised, cal.add(item.promised, -rng.randint(3, 15)))
    if rng.random() < 0.2:
        at = put(item, cal.add(at.date(), rng.randint(2, 5)), officer, "look_back", branch, at)
        at = put(item, cal.add(at.date(), rng.randint(3, 8)), officer, "look_back_ok", branch, at)
        day = cal.add(at.date(), rng.randint(1, 4))
    else:
        day = cal.add(at.date(), rng.randint(6, 18))
    if day <= END:
        put(item, day, office(), "archive", after=at, publicity=pick({"public": 86, "on_request": 10, "not_public": 4}))


def next_report(since):
    """When the next report on progress falls due, as deadlines.yaml says."""
    due = cal.months(since, 3)
    for month, day in ((10, 31), (12, 10)):
        fixed = dt.date(since.year, month, day)
        if fixed <= since:
            fixed = dt.date(since.year + 1, month, day)
        if (fixed - since).days >= 30:
            due = min(due, fixed)
    return due


def track(item, unit, since, promised, claim):
    """Class B: reports every three months, perhaps another promise, at last the claim and its check."""
    branch = f"commitment {unit}"
    officer, principal, committee = people.of("case_officer", unit), people.of("principal", unit), people.officer(unit)
    at, reports = since, 0
    slow = rng.random() < 0.06
    replan = getattr(item, "replan", False) and not claim
    until = claim or END
    while True:
        due = next_report(at.date())
        late = slow or rng.random() < 0.035
        day = cal.add(due, rng.randint(1, 16)) if late else cal.add(due, -pick({0: 10, 1: 12, 2: 12, 3: 12, 5: 10, 7: 8, 9: 5, 11: 3}))
        ask_again = cal.add(promised, -rng.randint(3, 12)) if replan else None
        if ask_again and ask_again < day and ask_again <= until:
            replan = False
            promised = rng.choice([dt.date(2026, 3, 31), dt.date(2026, 6, 30), dt.date(2026, 10, 30)])
            asked = put(item, ask_again, principal, "re_plan.ask", branch, at, new_date=promised, why=rng.choice(texts.WHY_REPLAN))
            at = put(item, cal.add(asked.date(), rng.randint(1, 4)), committee, "re_plan.approve", branch, asked)
            continue
        if day >= until or cal.roll(day) > END:
            break
        # Towards the claim the work is nearly done; without one it comes to a stop short of it.
        done = int((day - since.date()) / (claim - since.date()) * 5) if claim else reports
        percent, words = texts.PROGRESS[min(done, 4 if claim else 3)]
        words = (texts.STUCK if not claim and reports > 1 and rng.random() < 0.5 else words)[is_built(item)]
        at = put(item, day, officer, "report_progress", branch, at, progress=rng.choice(words), percent=percent + rng.choice([0, 2, 5]) if percent < 95 else 95)
        reports += 1
    if not claim:
        return None
    claimed = put(item, claim, principal, "claim_done", branch, at, progress=rng.choice(texts.DONE[is_built(item)]), evidence=f"{item.number}-办结证明.pdf")
    last = NEW_YEAR if item.path == "BA24" else END
    if rng.random() < 0.05 and cal.add(claimed.date(), 30) < last:
        back = put(item, cal.add(claimed.date(), rng.randint(4, 8)), committee, "reject", branch, claimed, remarks=rng.choice(texts.REJECTED))
        claimed = put(item, cal.add(back.date(), rng.randint(8, 14)), principal, "claim_done", branch, back, progress=rng.choice(texts.DONE[is_built(item)]), evidence=f"{item.number}-办结证明（补充）.pdf")
    verified = put(item, min(cal.add(claimed.date(), rng.randint(3, 12)), cal.add(last, -1)), committee, "verify", branch, claimed)
    assert verified.date() <= last, (item.number, verified)
    item.became["A"] = verified
    if item.path == "BA25" and len(relapsed) < 2 and verified.date() < dt.date(2025, 6, 1) and rng.random() < 0.1:
        relapsed.append(item.number)
        looked = put(item, cal.add(verified.date(), 4), committee, "look_back", branch, verified)
        again = dt.date(2025, 11, 28)
        failed = put(item, cal.add(looked.date(), 5), committee, "look_back_fail", branch, looked, plan=texts.LOOK_BACK_FAILED.format(by=zh(again)), promised_on=again)
        return track(item, unit, failed, again, dt.date(2025, 11, 12))
    return settled(item, unit, verified)


relapsed = []


def shelve(item, unit):
    """Class C: looked at again every six months, until conditions change."""
    branch, committee, principal = f"commitment {unit}", people.officer(unit), people.of("principal", unit)
    at = item.confirmed
    turns = {"CA24": spread(dt.date(2024, 11, 4), dt.date(2024, 11, 29)), "CB24": spread(dt.date(2024, 10, 14), dt.date(2024, 12, 13)),
             "CA25": spread(dt.date(2025, 4, 7), dt.date(2025, 11, 21)), "CBA25": spread(dt.date(2025, 2, 10), dt.date(2025, 6, 27)),
             "CB25": spread(dt.date(2025, 3, 10), dt.date(2025, 11, 28))}
    turn = turns.get(item.path.removesuffix("A25") if item.path == "CB24A25" else item.path)
    while True:
        due = cal.months(at.date(), 6)
        day = cal.add(due, rng.randint(6, 24) if rng.random() < 0.1 else -rng.randint(0, 9))
        if day >= (turn or END):
            break
        at = put(item, day, committee, "review_unchanged", branch, at, reason=rng.choice(texts.REVIEWED))
    if not turn:
        return
    if item.path in ("CA24", "CA25"):
        claimed = put(item, turn, principal, "claim_done", branch, at, progress=rng.choice(texts.DONE[is_built(item)]), evidence=f"{item.number}-办结证明.pdf")
        item.became["A"] = put(item, cal.add(claimed.date(), rng.randint(3, 10)), committee, "verify", branch, claimed)
        return settled(item, unit, item.became["A"])
    becomes_a = item.path in ("CB24A25", "CBA25")
    claim = spread(max(dt.date(2025, 1, 8), turn + dt.timedelta(days=60)), dt.date(2025, 12, 3)) if becomes_a else None
    promised = cal.roll(claim + dt.timedelta(days=rng.randint(3, 40))) if claim else rng.choice([dt.date(2026, 3, 31), dt.date(2026, 6, 30), dt.date(2026, 12, 31)])
    at = put(item, turn, rng.choice([principal, committee]), "conditions_met", branch, at, plan=plan_for(item, turn, promised), promised_on=promised)
    item.became["B"] = at
    track(item, unit, at, promised, claim)


# ---------------------------------------------------------------------------------------------------------------- files
def class_on(item, day):
    letter = item.september
    for to, at in sorted(item.became.items(), key=lambda pair: pair[1]):
        letter = to if at.date() <= day else letter
    return letter


def number_letters():
    """Document numbers run by unit and year, in the order of signing."""
    counters = Counter()
    for step in diary.steps:
        number = step.given.get("doc_number", "")
        if number.startswith("<"):
            unit = number[1:-1]
            counters[unit, step.at.year] += 1
            short = {"市中级法院": "中法", "市检察院": "检", "市监委": "监", "市公积金中心": "公积金", "市消防支队": "消", "市供销社": "供"}.get(unit) or re.sub(r"^市|[局委办会]$", "", unit)
            step.given["doc_number"] = f"运{short}函〔{step.at.year}〕{counters[unit, step.at.year]}号"


def write_deputies(deputies):
    lines = ["# 市人大代表（虚构），按代表团排列。由 sample/make.py 生成；使用前请换成本地的名单。", "", "persons:"]
    for county in texts.COUNTIES:
        lines.append(f"  # —— {county}代表团")
        lines += [f"  {name}: {{ title: {name}, mail: {reading}@daibiao.yuncheng.example.org, groups: [deputies] }}" for name, reading, at in deputies if at == county]
    folder = RULES / "directory"
    folder.mkdir(exist_ok=True)
    (folder / "deputies.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def full_width(text):
    return "".join(chr(ord(sign) + 0xFEE0) if "0" <= sign <= "9" or sign == "-" else sign for sign in text)


def write_workbook(items):
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
    from openpyxl.utils import get_column_letter

    headings = ["序号", "建议编号", "届次", "年度", "提出时间", "类别", "标题", "领衔代表", "附议代表", "是否重点", "主办单位", "协办单位", "分办单位", "提出日期", "受理日期", "交办日期", "备注"]
    widths = [6, 12, 10, 7, 10, 11, 48, 11, 30, 9, 26, 30, 34, 14, 14, 14, 18]
    book = Workbook()
    sheet = book.active
    sheet.title = "建议清单"
    sheet.append(["运城市第五届人民代表大会第四次会议代表建议、批评和意见交办一览表"])
    sheet.merge_cells(start_row=1, start_column=1, end_row=1, end_column=len(headings))
    sheet.append(["填报单位：市人大常委会代表工作委员会（闭会期间提出的续列于后）"])
    sheet.merge_cells(start_row=2, start_column=1, end_row=2, end_column=len(headings))
    sheet.append(headings)
    mess = random.Random(7)
    blemished = {number: mess.choice(["date", "dot", "slash", "serial", "short", "space", "wide", "name", "comma", "break"]) for number in mess.sample(range(432), 46)}
    given = lambda unit: people.title[unit]
    for n, item in enumerate(items):
        blemish = blemished.get(n)
        host, co, separate = item.listed_host, item.co, item.separate
        units = lambda them: "、".join(map(given, them))
        row = [n + 1, item.number, "五届四次", 2024, "闭会期间" if item.inter else "大会期间", item.topic, item.title, item.lead, "、".join(item.signers), "是" if "key" in item.flags else None,
               given(host) if host else None, units(co) or None, units(separate) or None, item.submitted, item.accepted, item.assigned, None]
        if blemish == "date":
            row[13] = zh(item.submitted)
        elif blemish == "dot":
            row[15] = f"{item.assigned.year}.{item.assigned.month}.{item.assigned.day}"
        elif blemish == "slash":
            row[14] = f"{item.accepted:%Y/%m/%d}"
        elif blemish == "serial":
            row[15] = (item.assigned - dt.date(1899, 12, 30)).days
        elif blemish == "short" and host and people.also[host]:
            row[10] = people.also[host][0]
        elif blemish == "space":
            at = next(at for at in range(4, 20) if all("\u4e00" <= sign <= "\u9fff" for sign in item.title[at - 1:at + 1]))
            row[6] = f" {item.title[:at]}　{item.title[at:]} "
        elif blemish == "wide":
            row[1] = full_width(item.number)
        elif blemish == "name" and len(item.lead) == 2:
            row[7] = f"{item.lead[0]}　{item.lead[1]}"
        elif blemish == "comma" and len(item.signers) > 1:
            row[8] = "，".join(item.signers)
        elif blemish == "break" and (len(co) > 1 or len(separate) > 1):
            row[11 if co else 12] = "\n".join(map(given, co or separate))
        if n in (57, 203, 340):
            row[16] = "联名较多，另附签名页"
        sheet.append(row)
        if n == 388:
            sheet.append([])                    # a blank row before those between the sessions
    thin = Side(style="thin", color="999999")
    for width, column in zip(widths, range(1, len(headings) + 1)):
        sheet.column_dimensions[get_column_letter(column)].width = width
    for row in sheet.iter_rows(min_row=1, max_row=sheet.max_row):
        for cell in row:
            cell.font = Font(name="宋体", size={1: 16, 2: 10}.get(cell.row, 10), bold=cell.row in (1, 3))
            cell.alignment = Alignment(vertical="center", wrap_text=True, horizontal="center" if cell.row in (1, 3) or cell.column != 7 else "left")
            if cell.row >= 3:
                cell.border = Border(left=thin, right=thin, top=thin, bottom=thin)
            if cell.row == 3:
                cell.fill = PatternFill("solid", fgColor="DDE6EE")
            if isinstance(cell.value, dt.date):
                cell.number_format = 'yyyy"年"m"月"d"日"'
    sheet.freeze_panes = "H4"
    sheet.auto_filter.ref = f"A3:{get_column_letter(len(headings))}{sheet.max_row}"
    book.properties.creator = "市人大常委会代表工作委员会"
    book.properties.created = book.properties.modified = dt.datetime(2024, 7, 8, 9)
    raw = io.BytesIO()
    book.save(raw)
    # The archive again with fixed times, so that the same sample is the same file.
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(HERE / "2024年代表建议.xlsx", "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>2024-07-08T09:00:00Z", content)
            target.writestr(zipfile.ZipInfo(name, (2024, 7, 8, 9, 0, 0)), content, zipfile.ZIP_DEFLATED)


def write_the_rest(items, deputies):
    """The procedures beside the suggestions, each in a file of its own; they have their own seeds, so that none of them moves another."""
    stations = Stations(cal, people, Directory(RULES / "directory" / "stations.yaml"), deputies, next_report)
    stations.activities()
    held = len(stations.diary.steps)
    stations.issues()
    activities, issues = Diary(cal, stations.rng), Diary(cal, stations.rng)
    activities.steps, issues.steps = stations.diary.steps[:held], stations.diary.steps[held:]
    written = [
        (activities, "2024年进站活动", "2024年：市、县两级政府部门负责人进代表联络站开展活动。"),
        (issues, "联络站问题", "2024年和2025年：联络站收到的一部分群众问题，其中几件转为代表建议。"),
        (key_topics(cal, people, {item.number: item for item in items}), "2025年重点督办", "2025年：8类18件重点督办建议，从提名、确定到评议、办结。"),
        (trainings(cal, people, deputies), "学习培训", "2024年和2025年：代表学习培训的通知、报名和出勤。"),
    ]
    for diary, title, note in written:
        diary.until(END)
        write_actions(HERE / f"{title}.yaml", title, note, diary.steps)
        print(title, len(diary.steps), "steps")
    print(len(stations.held), "activities held:", stations.visits, "visits,", stations.solved, "of", stations.problems, "problems solved")


def main():
    deputies = make_deputies()
    items = make_items(deputies)
    for item in items:
        item.listed_host, item.became = item.host, {}
    choose_flags(items)
    choose_paths(items)
    for item in items:
        handle(item)
        follow(item)
    diary.until(END)
    number_letters()

    count = lambda day: dict(sorted(Counter(class_on(item, day) for item in items).items()))
    carried = [item for item in items if class_on(item, NEW_YEAR) != "A"]
    closed = sum(class_on(item, END) == "A" for item in carried)
    assert count(SEPTEMBER) == {"A": 167, "B": 230, "C": 35} and count(NEW_YEAR) == {"A": 261, "B": 140, "C": 31}
    assert (len(carried), closed) == (171, 113)

    write_deputies(deputies)
    write_workbook(items)
    of_year = lambda year: [step for step in diary.steps if step.at.year == year]
    write_actions(HERE / "2024年办理.yaml", "2024年办理情况", "2024年：从交办、办理、答复、反馈到分类确认和年底前的转化。", of_year(2024))
    write_actions(HERE / "2025年办理.yaml", "2025年办理情况", "2025年：对结转的B、C类建议跟踪督办。", of_year(2025))
    write_the_rest(items, deputies)
    print(f"{len(items)} suggestions, {len(diary.steps)} steps, {len(deputies)} deputies")
    print("30 Sep 2024", count(SEPTEMBER), "31 Dec 2024", count(NEW_YEAR), "carried", len(carried), "to A in 2025", closed)
    print(Counter(item.topic for item in items).most_common(), Counter(step.do for step in diary.steps).most_common(), sep="\n")


if __name__ == "__main__":
    main()
