"""What a year of the sample is written in: the working days, the directory, the steps that people take, and the file they stand in."""

import datetime as dt
import re
from collections import defaultdict

DAY = dt.timedelta(days=1)
SLOTS = [dt.time(9), dt.time(10), dt.time(11), dt.time(14, 30), dt.time(15, 30), dt.time(16, 30)]


def zh(day):
    return f"{day.year}年{day.month}月{day.day}日"


# ---------------------------------------------------------------------------------------------------------------- calendar
class Calendar:
    def __init__(self, path):
        text = path.read_text(encoding="utf-8")
        span = r'"(\d{4}-\d\d-\d\d)(?:\.\.(\d{4}-\d\d-\d\d))?"'
        self.off, self.makeup = set(), set()
        for line in text.splitlines():
            found = re.findall(span, line.split("#")[0])
            target = self.makeup if "makeup_workdays" in line else self.off
            for first, last in found:
                day, last = dt.date.fromisoformat(first), dt.date.fromisoformat(last or first)
                while day <= last:
                    target.add(day)
                    day += DAY

    def works(self, day):
        return day in self.makeup or (day.weekday() < 5 and day not in self.off)

    def roll(self, day):
        while not self.works(day):
            day += DAY
        return day

    def add(self, day, count):
        """`count` working days after `day`; before it when negative."""
        step = DAY if count >= 0 else -DAY
        for _ in range(abs(count)):
            day += step
            while not self.works(day):
                day += step
        return day

    def months(self, day, count):
        month = day.month - 1 + count
        year, month = day.year + month // 12, month % 12 + 1
        last = (dt.date(year + month // 12, month % 12 + 1, 1) - DAY).day
        return self.roll(dt.date(year, month, min(day.day, last)))


# ---------------------------------------------------------------------------------------------------------------- directory
class Directory:
    """What is needed of a directory file; it keeps every unit and person on a line of its own."""

    def __init__(self, path):
        self.title, self.also, self.kind, self.committee, self.parent, self.persons = {}, {}, {}, {}, {}, []
        self.duty, self.group = defaultdict(list), defaultdict(list)
        section = None
        for line in path.read_text(encoding="utf-8").splitlines():
            if match := re.match(r"(units|persons):", line):
                section = match[1]
            elif match := re.match(r"  ([^\s#:]+): +\{ (.*) \}", line):
                name, body = match[1], match[2]
                value = lambda key: (re.search(rf"\b{key}: ([^,\[\]{{}}]+)", body) or [None, ""])[1].strip()
                if section == "units":
                    self.title[name], self.kind[name], self.committee[name] = value("title"), value("kind"), value("committee")
                    self.parent[name] = value("parent")
                    also = re.search(r"also: \[([^\]]*)\]", body)
                    self.also[name] = [word.strip() for word in also[1].split(",")] if also else []
                elif section == "persons":
                    self.persons.append(name)
                    for duty, unit in re.findall(r"duty: (\w+), unit: ([^\s},]+)", body):
                        self.duty[duty, unit].append(name)
                    for group in re.search(r"groups: \[([^\]]*)\]", body)[1].split(",") if "groups:" in body else []:
                        self.group[group.strip()].append(name)

    def of(self, duty, unit):
        return self.duty[duty, unit][0]

    def officer(self, unit):
        return self.of("officer", self.committee[unit])

    def reviewer(self, unit):
        return self.group["gov_inspection_office"][0] if self.kind[unit] == "gov" else self.officer(unit)


# ---------------------------------------------------------------------------------------------------------------- steps
class Step:
    def __init__(self, at, by, item, do, branch=None, given=None):
        self.at, self.by, self.item, self.do, self.branch, self.given = at, by, item, do, branch, given or {}

    def line(self):
        parts = [f"at: {self.at:%Y-%m-%d %H:%M}", f"by: {self.by}", f"item: {self.item}"]
        if self.branch:
            parts.append(f"branch: {self.branch}")
        parts.append(f"do: {self.do}")
        if self.given:
            parts.append("with: { " + ", ".join(f"{key}: {written(value)}" for key, value in self.given.items()) + " }")
        return "- { " + ", ".join(parts) + " }"


def written(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, (dt.date, int)):
        return str(value)
    return value if re.fullmatch(r"[a-z_]+|[ABC]", value) else '"' + value + '"'


class Diary:
    """Steps at hours on which people work; `rng` chooses the hours."""

    def __init__(self, cal, rng):
        self.cal, self.rng, self.steps = cal, rng, []

    def put(self, item, day, by, do, branch=None, after=None, **given):
        """Records a step at the first hour of `day` that is free, not before `after`, always on a working day."""
        day = self.cal.roll(max(day, after.date()) if after else day)
        hours = [hour for hour in SLOTS if not after or dt.datetime.combine(day, hour) > after]
        if not hours:
            return self.put(item, day + DAY, by, do, branch, after, **given)
        late_hours = hours[len(hours) // 3:] if after and after.date() < day else hours
        at = dt.datetime.combine(day, self.rng.choice(late_hours) if self.rng.random() < 0.7 else hours[0])
        return self.note(item, at, by, do, branch, **given)

    def note(self, item, at, by, do, branch=None, **given):
        """Records a step at exactly this time."""
        self.steps.append(Step(at, by, item, do, branch, given))
        return at

    def spread(self, first, last):
        """A working day between two days, evenly."""
        days = [first + DAY * n for n in range((last - first).days + 1) if self.cal.works(first + DAY * n)]
        return self.rng.choice(days)

    def until(self, end):
        """In order; what would come after the end of the clock has not happened yet."""
        self.steps = sorted((step for step in self.steps if step.at.date() <= end), key=lambda step: step.at)
        assert all(self.cal.works(step.at.date()) for step in self.steps)


def write_actions(path, title, note, steps):
    lines = [f"# {note}", "# 每行一件事：什么时候、谁、对哪一件、做什么。由 make.py 生成，内容全部虚构。", "", f"title: {title}", "steps:"]
    day = None
    for step in steps:
        if step.at.date() != day:
            day = step.at.date()
            lines.append(f"  # {day} 星期{'一二三四五六日'[day.weekday()]}")
        lines.append("  " + step.line())
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
