"""The 18 suggestions in 8 groups that are supervised with priority in 2025: each group is a topic, from its nomination to its end.

They are suggestions of the list that are still open in March 2025, each group with one host; what becomes of them stands in the steps of
the suggestions, and a topic is done when all of them are.
"""

import datetime as dt
import random

from diary import Diary, zh

CLOSED = dt.date(2025, 2, 28)                   # the last day of the session of 2025
FIELDS = {"财政经济": "finance", "教科文卫": "education", "农业农村": "agriculture", "城建环资": "urban", "社会建设": "social", "监察司法": "justice", "民宗侨外": "ethnic", "其他": "other"}
# field, title, its suggestions, why it was chosen, what the two activities asked for
TOPICS = [
    ("财政经济", "新能源汽车充电设施建设", ["2024-090", "2024-336", "2024-382"], "关系群众日常出行，乡镇充电设施缺口大，代表连续提出。",
     ["乡镇站点要与电网扩容同步安排，公布建设时间表。", "已建成的充电桩要落实维护单位，公开报修电话和价格。"]),
    ("教科文卫", "学前教育和义务教育学位供给", ["2024-082", "2024-356", "2024-360"], "入学入园矛盾突出，群众关注度高。",
     ["加快新建学校进度，确保秋季开学投用。", "统筹城区学位余缺，公布划片方案。"]),
    ("农业农村", "宜居宜业和美乡村建设", ["2024-039", "2024-068", "2024-361"], "与年度重点工作相关，涉及面广，需要部门合力推进。",
     ["完善改厕后续管护机制，解决有人建、无人管的问题。", "示范村要突出产业，避免只重外观。"]),
    ("城建环资", "老旧小区改造和城区道路畅通", ["2024-096", "2024-122", "2024-394"], "老旧小区居民盼改造多年，断头路影响出行。",
     ["施工要分段进行，减少对居民出行的影响。", "验收要请居民代表参加，问题清单销号管理。"]),
    ("社会建设", "社区和乡镇养老服务", ["2024-249", "2024-370"], "老龄化加快，养老服务事关千家万户。",
     ["运行经费要有稳定来源，防止建而不用。", "增加护理人员培训，完善医养结合服务。"]),
    ("监察司法", "优化法治化营商环境", ["2024-189", "2024-210"], "涉企执法和执行是企业反映集中的问题。",
     ["推行涉企检查备案和扫码入企，减少重复检查。", "公布涉民营企业案件执行进度，接受监督。"]),
    ("民宗侨外", "宗教活动场所消防和建筑安全", ["2024-124"], "涉及人员聚集场所安全，责任重大。",
     ["逐处建立隐患台账，限期整改。", "加强消防演练和值守，落实安全责任人。"]),
    ("其他", "12345热线办理群众满意度", ["2024-330"], "热线是群众反映问题的主要渠道，满意度有待提高。",
     ["对办理不满意的工单实行回访和二次办理。", "每月公布承办单位办理情况。"]),
]
PROGRESS = ["已召开推进会，任务分解到责任科室。", "重点任务完成过半，难点问题正在协调。", "主要任务基本完成，正在查漏补缺。", "各项任务进入收尾，正在组织验收。", "剩余任务已经明确时限，逐项销号。"]
ANSWERS = ["视察意见已逐条分解，整改措施和时限已向代表反馈。", "座谈会意见已全部落实，情况已书面报告。"]
COUNT, GROUPS = 18, 8


def key_topics(cal, people, items):
    """The diary of the topics; `items` are the suggestions of the list by number, with the day on which they became class A."""
    rng = random.Random(20250228)
    diary = Diary(cal, rng)
    for n, (field, title, numbers, grounds, opinions) in enumerate(TOPICS):
        one_topic(diary, rng, f"督2025-{n + 1:02}", n, FIELDS[field], title, [items[number] for number in numbers], grounds, opinions, people)
        assert all(items[number].topic == field and "key" not in items[number].flags for number in numbers), title
    chosen = [number for topic in TOPICS for number in topic[2]]
    assert len(set(chosen)) == len(chosen) == COUNT and len(TOPICS) == GROUPS
    return diary


def one_topic(diary, rng, item, n, field, title, suggestions, grounds, opinions, people):
    put, cal = diary.put, diary.cal
    hosts = list(dict.fromkeys(unit for one in suggestions for unit in one.owing))
    host, others = hosts[0], hosts[1:]
    committee = people.committee[host]
    officer, principal, case = people.of("officer", committee), people.of("principal", host), people.of("case_officer", host)
    office, council = people.group["deputies_committee"][n % 2], people.group["council_of_chairpersons"][0]
    lead_official, supervisor = people.of("leader", host), people.of("leader", committee)
    deputies = list(dict.fromkeys(one.lead for one in suggestions))

    # The first is nominated on the first working day after the session, the others one after another.
    at = diary.note(item, dt.datetime(2025, 3, 3, 9, 5 * n), officer, "nominate_topic", year=2025, title=title, topic=field, suggestions=[one.number for one in suggestions],
                    lead_deputies=deputies, grounds=grounds, session_closed_on=CLOSED, committee=committee, host_unit=host, **({"co_units": others} if others else {}))
    at = put(item, dt.date(2025, 3, 10), office, "consult_topic", after=at)
    at = put(item, cal.add(at.date(), rng.randint(2, 4)), people.group["gov_office"][0], "advise_topic", after=at, advice="同意列为重点督办专题，建议由主办单位牵头、有关县（市、区）配合。")
    at = put(item, dt.date(2025, 3, 25), council, "determine_topic", after=at, lead_official=lead_official, supervising_official=supervisor)
    at = put(item, dt.date(2025, 3, 28), people.of("officer", "市人大常委会"), "publish_topic", after=at, published_in="运城日报、运城人大网")
    # The plan; one is returned, and one comes six working days late.
    at = put(item, cal.add(at.date(), 21 if n == 5 else rng.randint(8, 14)), principal, "submit_topic_plan", after=at, plan=f"{item}-办理方案.docx")
    if n == 1:
        at = put(item, cal.add(at.date(), 2), officer, "return_topic_plan", after=at, remarks="请写明每季度的任务和责任人。")
        at = put(item, cal.add(at.date(), 4), principal, "submit_topic_plan", after=at, plan=f"{item}-办理方案（修改）.docx")
    at = put(item, cal.add(at.date(), rng.randint(1, 4)), officer, "approve_topic_plan", after=at, supervision_plan=f"{item}-督办方案.docx")

    # Two activities, in May and in August, a report of the progress in every month between.
    held = []
    for turn, (first, last) in enumerate(((dt.date(2025, 5, 12), dt.date(2025, 5, 30)), (dt.date(2025, 8, 4), dt.date(2025, 8, 15)))):
        day = diary.spread(first, last)
        way, by = ("inspection", supervisor) if turn == 0 else (["symposium", "on_site"][n % 2], officer)
        happened = put(item, day, by, "hold_topic_activity", after=at, way=way, led_in_person=turn == 0 or n % 3 == 0, deputies_present=deputies,
                       opinions=opinions[turn], minutes=f"{item}-督办活动记录{turn + 1}.docx")
        # One answer is late by seven working days, so that the committee is told.
        wait = cal.months(happened.date(), 1) if (turn, n) == (0, 0) else cal.add(happened.date(), rng.randint(8, 16))
        put(item, cal.add(wait, 7) if (turn, n) == (0, 0) else wait, case, "answer_activity", "activity" if turn == 0 else "activity 2", happened, response=ANSWERS[turn])
        held.append(happened)
    told, reported = held[0], 0
    report_on = diary.spread(dt.date(2025, 9, 15), dt.date(2025, 9, 29))
    while (day := cal.add(cal.months(told.date(), 1), -2)) < cal.add(report_on, -3):
        told = put(item, day, case, "report_topic_progress", after=told, progress=PROGRESS[reported % len(PROGRESS)])
        reported += 1
    at = put(item, report_on, principal, "report_topic", after=max(told, held[1]), report=f"{item}-办理情况报告.docx")

    # Every deputy says what came of it; the council hears the report in October or November.
    for k, deputy in enumerate(deputies):
        if (n, k) == (2, 1):
            continue                            # lapses, and is noted as 未反馈 by the engine
        put(item, cal.add(at.date(), rng.randint(2, 8)), deputy, "rate_topic", f"rating {deputy}", at, rating="satisfied" if rng.random() < 0.8 else "basically_satisfied")
    done = max(one.became.get("A", dt.datetime.max) for one in suggestions)
    heard = diary.spread(dt.date(2025, 11, 3), dt.date(2025, 11, 14))
    result = "done" if done.date() < heard else "progressing"
    heard = put(item, heard, council, "assess_topic", after=at, result=result)
    put(item, cal.add(heard.date(), rng.randint(2, 7)), council, "close_topic", after=heard)
