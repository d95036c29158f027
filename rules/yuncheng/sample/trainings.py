"""A few of the courses in which deputies learn: who was told, who signed up, who came. County and township courses count those who are not deputies of the city."""

import datetime as dt
import random

from diary import Diary

# level, form, title, place, opened on, deputies told (None: of these counties), others who took part, what becomes of it
TRAININGS = [
    ("city", "class", "怎样提出并写作建议、批评和意见", "市委党校报告厅", dt.date(2024, 5, 16), ["永济", "新绛", "闻喜"], 8, 34),
    ("county", "class", "联络站怎样接待群众", "新绛县人大常委会会议室", dt.date(2024, 9, 12), ["新绛"], 6, 118),
    ("city", "lecture", "学习贯彻新修改的代表法（人大讲堂）", "市人大常委会会议厅", dt.date(2025, 4, 17), ["盐湖", "永济", "河津", "临猗", "万荣", "稷山", "新绛", "垣曲"], 24, 210),
    ("township", "class", "新修改的代表法和乡镇人大工作", "泉掌镇政府会议室", dt.date(2025, 5, 22), ["新绛"], 4, 46),
    ("county", "online", "网上学习代表履职工具箱", "永济市代表网上履职平台", dt.date(2025, 7, 10), ["永济"], 5, None),
]


def trainings(cal, people, deputies):
    rng = random.Random(20240516)
    diary = Diary(cal, rng)
    number = {2024: 0, 2025: 0}
    for n, (level, form, title, place, day, counties, count, others) in enumerate(TRAININGS):
        number[day.year] += 1
        one_training(diary, rng, f"训{day.year}-{number[day.year]:03}", n, level, form, title, place, day, pupils(rng, deputies, counties, count), others, people)
    return diary


def pupils(rng, deputies, counties, count):
    return sorted(rng.sample([name for name, _, county in deputies if county in counties], count))


def one_training(diary, rng, item, n, level, form, title, place, day, told, others, people):
    put, note, cal = diary.put, diary.note, diary.cal
    office = people.group["deputies_committee"][n % 2]
    at = put(item, cal.add(day, -18), office, "plan_training", year=day.year, title=title, level=level, form=form, place=place, planned_on=day)
    at = put(item, cal.add(day, -13), office, "announce_training", after=at, sign_up_by=cal.add(day, -3), materials=f"{item}-学习材料.pdf", deputies=told)
    if others is None:
        put(item, cal.add(day, -8), office, "cancel_training", after=at, cancelled_because="学习平台检修，并入下期举行。")
        return
    # Most sign up, one in ten asks to be excused, one in twelve says nothing and may come all the same.
    here = []
    for k, deputy in enumerate(told):
        branch = f"enrolment {deputy}"
        if k % 10 == 7:
            put(item, cal.add(day, -rng.randint(4, 9)), deputy, "excuse", branch, at, reason="与人大代表视察活动时间冲突。")
            continue
        if k % 12 != 5:
            put(item, cal.add(day, -rng.randint(4, 11)), deputy, "sign_up", branch, at)
        here.append((k, deputy))
    at = note(item, dt.datetime.combine(day, dt.time(9)), office, "hold_training", held_on=day)
    for k, deputy in here:
        at = note(item, dt.datetime.combine(day, dt.time(10)) + dt.timedelta(minutes=k), office, "miss" if k % 11 == 9 else "attend", f"enrolment {deputy}")
    put(item, cal.add(day, rng.randint(1, 3)), office, "close_training", after=at, others=others)
