"""What happens in the deputies' liaison stations: officials come and hold an activity, and what citizens bring is carried to its end.

Officials enter 467 times in 2024 and solve 431 problems, as was published; where county bureaus go along in their own stations, the activity
counts their officials too. The problems that have an item of their own are a choice of them, one for every way that a problem can take.
"""

import datetime as dt
import random

import texts
from diary import Diary

VISITS, SOLVED = 467, 431
FIRST, LAST = dt.date(2024, 3, 22), dt.date(2024, 12, 17)
STATIONS = {"城西站": "永济", "泉掌站": "新绛", "横桥站": "新绛"}
# unit, kind, subject, and what citizens asked before
ACTIVITIES = [
    ("市医保局", "policy", "城乡居民医保缴费和门诊报销政策宣讲", ["医保缴费逐年提高，哪些人可以减免", "在外打工生病住院怎样直接报销"]),
    ("市能源局", "on_site", "新能源汽车充电桩布点和充电价格", ["镇区没有公共充电桩，充电要跑县城", "小区物业不同意安装充电桩"]),
    ("市民政局", "suggestions", "养老服务建议集中办理答复", ["高龄津贴什么时候发到卡上", "居家适老化改造怎样申请"]),
    ("市人社局", "policy", "城乡居民养老保险和技能培训政策宣讲", ["断缴的养老保险能不能补缴", "村里的年轻人想学电焊，哪里报名"]),
    ("市农业农村局", "on_site", "高标准农田管护和农机购置补贴", ["机井坏了一年没有人修", "农机补贴为什么迟迟不到账"]),
    ("市水务局", "on_site", "农村饮水安全和灌溉用水", ["夏天高峰时自来水上不到坡上", "灌溉渠道淤塞，下游浇不上地"]),
    ("市住建局", "on_site", "老旧小区改造和燃气安全", ["改造过的楼顶又漏雨", "燃气报警器什么时候统一安装"]),
    ("市交通局", "on_site", "农村公路养护和城乡公交", ["通村路塌了半边，晚上危险", "公交末班车太早，学生赶不上"]),
    ("市教育局", "policy", "义务教育入学和学生资助政策宣讲", ["随迁子女入学需要哪些材料", "营养餐能不能让家长参加监督"]),
    ("市卫健委", "policy", "家庭医生签约和慢性病用药宣讲", ["村卫生室缺降压药", "签约以后医生多久上门一次"]),
    ("市生态环境局", "on_site", "散煤治理和养殖污染", ["养殖场的气味影响周围住户", "清洁取暖设备坏了找谁修"]),
    ("市自然资源局", "policy", "宅基地审批和不动产登记政策宣讲", ["老宅翻建审批要等多久", "分家以后怎样办不动产证"]),
    ("市公安局", "on_site", "道路交通安全和防范电信诈骗", ["学校门口上下学时车辆乱停", "老人被骗的钱能不能追回"]),
    ("市市场监管局", "on_site", "食品安全和农资质量", ["集市上的散装食品没有标签", "买到的化肥肥效不够，去哪里检验"]),
    ("市城管局", "suggestions", "停车和市容管理建议办理答复", ["菜市场周边停车没有地方", "夜市油烟和噪声扰民"]),
    ("市文旅局", "policy", "公共文化服务和乡村旅游政策宣讲", ["村里的文化活动室长期锁门", "农家乐评星级需要什么条件"]),
    ("市应急局", "on_site", "汛期避险和消防安全", ["沟边的几户雨天不安全，能不能搬", "村里的消防栓没有水"]),
    ("市退役军人局", "suggestions", "优抚待遇建议办理答复", ["优待证怎样补办", "退役士兵参加培训有没有补助"]),
    ("市司法局", "policy", "法律援助和人民调解宣讲", ["请不起律师怎样申请法律援助", "邻居占了滴水檐怎样调解"]),
    ("市商务局", "on_site", "乡镇物流和家电以旧换新", ["快递只送到镇上，村里取件不便", "旧冰箱换新补贴怎样领取"]),
]
PARALLEL = {"市医保局", "市民政局", "市人社局", "市农业农村局", "市教育局", "市卫健委"}
# Who comes along when two units are needed.
SECOND = {"市能源局": "市住建局", "市水务局": "市农业农村局", "市交通局": "市公安局", "市市场监管局": "市农业农村局", "市城管局": "市公安局", "市应急局": "市消防支队"}

# way, unit that handles it, department that was in the station (None: brought on the deputies' day or by letter), topic, summary, content, answer
ISSUES = [
    ("on_spot", None, "市医保局", "social", "城乡居民医保断缴后待遇", "去年漏缴一年医保，今年补缴以后多久能报销", "补缴以后有三个月等待期，等待期满即可报销，已当面算清日期。"),
    ("on_spot", None, "市医保局", "social", "异地就医备案", "在西安打工，住院前不会在手机上备案", "现场帮助完成手机备案，并留下经办窗口电话。"),
    ("on_spot", None, "市能源局", "finance", "充电价格构成", "不同充电站价格差得多，不知道哪个对", "说明电费和服务费分开计价的规定，指出最近的公共站。"),
    ("on_spot", None, "市民政局", "social", "高龄津贴发放时间", "满八十岁以后津贴从哪个月算起", "从满八十周岁的次月算起，按季发放，已当场核对发放名册。"),
    ("on_spot", None, "市农业农村局", "agriculture", "农机购置补贴范围", "小型旋耕机有没有补贴", "该机型在补贴目录内，已告知申请办法和材料。"),
    ("on_spot", None, "市自然资源局", "urban", "宅基地翻建手续", "翻建老宅要不要重新测量", "原址翻建须向村里申请、由镇里审批，已告知流程和时限。"),
    ("on_spot", None, "市教育局", "education", "随迁子女入学", "孩子从外地转回来读书，需要哪些材料", "说明需要的四项材料，并联系学校接收。"),
    ("on_spot", None, "市退役军人局", "social", "退役军人优待证补办", "优待证丢了怎样补办", "说明补办流程，当场登记补办申请。"),
    ("on_spot", None, "市司法局", "justice", "法律援助申请条件", "被拖欠工资，请不起律师", "符合法律援助条件，当场填写申请表。"),
    ("on_spot", None, "市卫健委", "education", "家庭医生签约内容", "签约以后能得到哪些服务", "逐项说明签约服务内容，安排村医本周上门。"),
    ("township", "township", None, "urban", "村口路灯不亮", "村口三盏路灯坏了半年，夜里行走不便", "三盏路灯已全部更换为太阳能灯。"),
    ("township", "township", "市水务局", "agriculture", "灌溉支渠淤塞", "东支渠淤塞，下游四十亩地浇不上水", "已组织清淤一千二百米，恢复通水。"),
    ("township", "township", "市城管局", "urban", "垃圾清运不及时", "北街垃圾箱三四天才清一次，气味大", "清运改为每天一次，增设垃圾箱四个。"),
    ("township", "township", "市交通局", "urban", "通村路塌陷", "雨后村西路面塌了一个坑", "已回填硬化，并设置排水沟。"),
    ("township", "township", "市文旅局", "education", "文化活动室不开门", "活动室经常锁着，群众没有地方下棋看书", "公布开放时间，安排专人管理。"),
    ("township", "township", "市民政局", "social", "独居老人用餐", "几位独居老人做饭困难", "老年餐桌已开灶，首批十一位老人用餐。"),
    ("township", "township", "市农业农村局", "agriculture", "田间机井停用", "三号机井电机烧坏，一年没有人修", "已更换电机并确定管护人。"),
    ("township", "township", None, "urban", "小广场健身器材损坏", "两件健身器材断裂，孩子玩耍不安全", "损坏器材已拆除，新器材安装完毕。"),
    ("township", "township", "市应急局", "urban", "雨季院内积水", "街道低处六户雨天进水", "已疏通排水管道，并列入汛期巡查点。"),
    ("township", "township", None, "social", "村级代办点缺人", "代办点上午常常没有人", "调整值守人员，张贴代办时间和电话。"),
    ("county", "county", "市医保局", "social", "村卫生室刷卡报销", "村卫生室不能刷医保卡，拿药要去镇上", "村卫生室已接入医保结算系统。"),
    ("county", "county", "市能源局", "finance", "镇区公共充电桩", "镇区没有公共充电桩，车主都去县城充电", "在停车场建成快充桩六台，已经投用。"),
    ("county", "county", "市医保局", "social", "慢性病门诊认定", "糖尿病门诊认定半年没有结果", "已完成认定，待遇从申请当月起补发。"),
    ("county", "county", None, "finance", "农村电压不稳", "晚上电压低，空调带不动", "变压器已增容，电压恢复正常。"),
    ("county", "county", "市能源局", "finance", "充电桩故障", "两台充电桩坏了一个多月", "故障桩已修复，公布报修电话。"),
    ("county", "county", None, "social", "医保缴费到账查询", "缴了费，手机上查不到记录", "缴费记录已核实补录。"),
    ("higher", "市交通局", "市交通局", "urban", "公交末班车时间", "公交末班车太早，寄宿学生赶不上", "末班车延后一小时，周末加开一班。"),
    ("higher", "市水务局", "市水务局", "agriculture", "坡上用水困难", "夏季高峰时自来水上不到坡上", "加压泵站已列入年度计划，先行错峰供水。"),
    ("higher", "市生态环境局", "市生态环境局", "urban", "养殖场异味", "养殖场粪污外溢，夏天气味大", "已责令整改，建成封闭储粪池。"),
    ("higher", "市人社局", "市人社局", "social", "技能培训名额", "电焊培训名额少，报了两次没有排上", "增设一期培训班，已通知报名人参加。"),
    ("not_accepted", None, None, "justice", "对法院判决不服", "对一件邻里纠纷的判决不服，要求联络站改判", None),
    ("not_accepted", None, None, "justice", "举报村干部", "反映村干部私分集体资金", None),
]
# Brought in 2025 and found to be common: the deputy makes a suggestion of it.
CONVERTED = [
    ("泉掌站", dt.date(2025, 4, 9), "市能源局", "finance", "乡镇充电桩维护没有人管", "镇里的充电桩坏了没有人修，附近几个镇都是这样",
     "关于建立乡镇公共充电桩维护机制的建议", "A", "明确运营单位维护责任，开通统一报修电话，故障四十八小时内修复。"),
    ("城西站", dt.date(2025, 5, 14), "市医保局", "social", "村卫生室常用药不全", "慢性病常用药村卫生室没有，老人要到城里买",
     "关于将慢性病常用药配备到村卫生室的建议", "B", "分两批配备，首批二百个村卫生室2026年3月底前到位。"),
    ("横桥站", dt.date(2025, 6, 11), "市民政局", "social", "乡镇老年餐桌没有运行经费", "老年餐桌开了三个月就停了，说是没有经费",
     "关于落实农村老年餐桌运行补助的建议", "B", "会同财政部门制定补助办法，2026年6月底前印发实施。"),
    ("横桥站", dt.date(2025, 7, 16), None, "urban", "镇区停车混乱", "赶集日镇区主街停满车，救护车进不来", "关于整治横桥镇区停车秩序的建议", None, None),
]
CALLED_OFF = 23                                 # the activity that does not take place


class Stations:
    """Writes the activities of 2024 and the problems of both years."""

    def __init__(self, cal, people, stations, deputies, next_report):
        self.people, self.local, self.next_report = people, stations, next_report
        self.rng = random.Random(20240319)
        self.cal, self.diary = cal, Diary(cal, self.rng)
        self.deputies = {station: [name for name, _, at in deputies if at == county] for station, county in STATIONS.items()}
        self.held, self.pairs, self.visits, self.problems, self.solved = [], 0, 0, 0, 0

    # ------------------------------------------------------------------------------------------------------------ activities
    def activities(self):
        """Three rounds of the subjects, so that each comes to every station; in the order in which they are planned."""
        planned, stations, count = [], list(STATIONS), len(ACTIVITIES)
        for n in range(count * 3):
            turn, subject = divmod(n, count)
            day = self.cal.roll(FIRST + (LAST - FIRST) * n // (count * 3 - 1))
            planned.append([self.cal.add(day, -self.rng.randint(13, 17)), n, day, stations[(subject + turn) % 3], *ACTIVITIES[subject]])
        planned.sort()
        share = self.shares(planned)
        for n, (plan, _, day, station, unit, kind, subject, questions) in enumerate(planned):
            self.activity(f"站2024-{n + 1:03}", n, plan, day, station, unit, kind, subject, questions, *share[n])
        assert (self.visits, self.solved) == (VISITS, SOLVED), (self.visits, self.solved)

    def shares(self, planned):
        """Officials, problems brought and problems solved of each activity; they come to the published sums."""
        rows = []
        for n, row in enumerate(planned):
            unit = row[4]
            officials = self.rng.randint(9, 13) if unit in PARALLEL else self.rng.randint(5, 8)
            solved = self.rng.randint(5, 11)
            rows.append([0, 0] if n == CALLED_OFF else [officials, solved])
        for column, wanted in ((0, VISITS), (1, SOLVED)):
            n = 0
            while (missing := wanted - sum(row[column] for row in rows)):
                if rows[n % len(rows)][column] > 3:
                    rows[n % len(rows)][column] += 1 if missing > 0 else -1
                n += 7
        return [(officials, solved + self.rng.choice([0, 0, 0, 1, 1]), solved) for officials, solved in rows]

    def activity(self, item, n, plan, day, station, unit, kind, subject, questions, officials, problems, solved):
        put, cal = self.diary.put, self.cal
        head, officer = self.local.of("station_head", station), self.local.of("station_officer", station)
        county = self.local.officer(station)
        units = [unit] + ([SECOND[unit]] if unit in SECOND and n // 3 % 2 == 0 else [])
        invited = self.rng.sample(self.deputies[station], 2 if n % 3 == 0 else 1)
        place = self.local.title[station]
        by = head if n % 4 else officer
        # At a minute of its own, so that the numbers given follow the order here.
        at = self.diary.note(item, dt.datetime.combine(plan, dt.time(9, n)), by, "plan_activity", station=station, year=2024, title=subject, kind=kind, planned_on=day, place=place, departments=units, deputies_invited=invited)
        # The unit names who comes; three times late, so that the head of the department is told.
        for other in units:
            wait = 7 if n in (8, 27, 44) else self.rng.randint(1, 4)
            name, rank = self.official(other, n)
            by_office = self.rng.random() < 0.3
            sure = put(item, cal.add(plan, wait), self.people.group["gov_office"][0] if by_office else self.people.of("case_officer", other), "confirm_official",
                       f"visiting {other}", at, official=name, rank=rank)
            at = max(at, sure)
        if n == CALLED_OFF:
            put(item, cal.add(at.date(), 1), head, "cancel_activity", after=at, cancelled_because="进站部门负责人参加防汛调度，另行安排。")
            return
        at = put(item, cal.add(day, -6), officer, "announce", after=at, notice_file=f"{item}-进站公告.pdf")
        if n in (12, 38):
            later = cal.add(day, 10)
            at = put(item, cal.add(day, -5), head, "postpone", after=at, planned_on=later, reason="因连日降雨，改期举行。" if n == 12 else "与县人民代表大会会期相近，改期举行。")
            day = later
            at = put(item, cal.add(day, -6), officer, "announce", after=at, notice_file=f"{item}-进站公告（改期）.pdf")
        for question in questions[:1 + n % 2]:
            at = put(item, cal.add(day, -5), officer, "collect_question", after=at, question=question)
        # The list goes out three working days before; twice too late.
        at = put(item, cal.add(day, -1 if n in (19, 51) else -4), officer, "send_questions", after=at, questions_file=f"{item}-问题清单.docx")
        self.on_the_day(item, n, day, station, units, kind, invited, officials, at)
        # The summary is due in five working days; late once a little, once by more than ten.
        wait = {15: 8, 33: 17}.get(n, self.rng.randint(1, 4))
        given = {"summary": f"{item}-小结.docx", "problems": problems, "solved": solved} | ({"suggestions_answered": self.rng.randint(2, 5)} if kind == "suggestions" else {})
        at = put(item, cal.add(day, wait), officer, "summarise", after=dt.datetime.combine(day, dt.time(17)), **given)
        if n in (6, 30, 47):
            at = put(item, cal.add(at.date(), 2), county, "return_summary", after=at, remarks="请补充没有当场解决的问题由谁办理、何时答复。")
            at = put(item, cal.add(at.date(), 2), officer, "summarise", after=at, **given)
        put(item, cal.add(at.date(), self.rng.randint(2, 8)), county, "close_activity", after=at)
        self.visits, self.problems, self.solved = self.visits + officials, self.problems + problems, self.solved + solved

    def official(self, unit, n):
        """Mostly the head of the department; else the deputy head."""
        duty, rank = ("deputy_head", "deputy_head") if n % 3 == 2 else ("principal", "principal")
        return self.people.of(duty, unit), rank

    def on_the_day(self, item, n, day, station, units, kind, invited, officials, after):
        """Who came, in the afternoon of the day itself."""
        assert after.date() < day, item
        note, officer = self.diary.note, self.local.of("station_officer", station)
        moment = lambda minutes: dt.datetime.combine(day, dt.time(15)) + dt.timedelta(minutes=minutes)
        self.pairs += len(units) > 1
        absent = units[1] if len(units) > 1 and self.pairs in (3, 8) else None
        came = [unit for unit in units if unit != absent]
        for k, unit in enumerate(units):
            if unit == absent:
                note(item, moment(k), officer, "record_no_show", f"visiting {unit}", reason="部门负责人临时外出开会，未委派他人。")
                continue
            name, rank = self.official(unit, n)
            number = officials - officials // 3 * (len(came) - 1) if k == 0 else officials // 3
            given = {"official": name, "rank": rank, "officials": number, "staff": self.rng.randint(1, 4)}
            if unit in PARALLEL:
                given["parallel"] = f"各县（市、区）{unit.removeprefix('市')}同日在当地联络站开展"
            note(item, moment(k), officer, "record_visit", f"visiting {unit}", **given)
        for k, deputy in enumerate(invited):
            # The second of two deputies now and then cannot come.
            if k == 1 and n % 9 == 0:
                note(item, moment(5 + k), officer, "record_absent", f"attendance {deputy}", reason="因病请假。")
            else:
                note(item, moment(5 + k), officer, "record_present", f"attendance {deputy}")
        note(item, moment(10), officer, "hold_activity", kind=kind)
        self.held.append((item, day, station, units[0], invited[0]))

    # ------------------------------------------------------------------------------------------------------------ problems
    def issues(self):
        """A choice of the problems of 2024, brought in an activity or on the deputies' day; those of 2025 become suggestions."""
        brought = []
        for n, row in enumerate(ISSUES):
            way, visiting, topic = row[0], row[2], row[3]
            # The county bureaus that the directory has: 永济医保局 and 新绛能源局.
            stations = list(STATIONS) if way != "county" else ["城西站"] if topic == "social" else ["泉掌站", "横桥站"]
            if visiting:
                held = [one for one in self.held if one[3] == visiting and one[2] in stations and one[1] < dt.date(2024, 11, 1)]
                activity, day, station, _, deputy = held[n % len(held)]
            else:
                activity, station = None, stations[n % len(stations)]
                day, deputy = self.diary.spread(dt.date(2024, 4, 15), dt.date(2024, 9, 27)), self.deputies[station][n % 10]
            brought.append((day, n, station, row, (activity, visiting) if activity else None, deputy))
        for k, (day, n, station, row, activity, deputy) in enumerate(sorted(brought, key=lambda one: one[:2])):
            self.issue(f"问2024-{k + 1:04}", n, day, station, row, activity, deputy)
        for k, row in enumerate(CONVERTED):
            self.converted(f"问2025-{k + 1:04}", k, *row)

    def register(self, item, day, station, topic, title, content, activity, deputy, n):
        officer = self.local.of("station_officer", station)
        given = {"year": day.year, "title": title, "content": content, "topic": topic}
        given |= {"source": "activity", "activity": activity[0], "visiting_unit": activity[1]} if activity else {"source": ["reception", "visit", "letter"][n % 3]}
        citizen = self.rng.choice(list(texts.SURNAMES)) + "先生女士"[n % 2 * 2:][:2]
        return self.diary.note(item, dt.datetime.combine(day, dt.time(16, n % 60)), officer, "register_issue", **given, duty_deputy=deputy, citizen=citizen, citizen_phone=f"139000{n:05}")

    def issue(self, item, n, day, station, row, activity, deputy):
        put, cal = self.diary.put, self.cal
        way, _, _, topic, title, content, answer = row
        officer = self.local.of("station_officer", station)
        at = self.register(item, day, station, topic, title, content, activity, deputy, n)
        if way == "not_accepted":
            reason, refer = ("属于人民法院依法审判的案件。", "申请再审或者向检察机关申请监督") if "判决" in title else ("属于纪检监察机关受理的检举。", "县纪委监委信访室、12388举报电话")
            put(item, cal.add(day, 1), officer, "triage_issue", after=at, category=way, refused_because=reason, refer_to=refer)
            return
        if way == "on_spot":
            # Told and answered within the hour; by whoever is there.
            at = self.diary.note(item, at + dt.timedelta(minutes=2), deputy if n % 2 else officer, "triage_issue", category=way)
            by = self.people.of("principal", activity[1]) if activity and n % 3 == 1 else deputy
            at = self.diary.note(item, at + dt.timedelta(minutes=20), by, "answer_on_spot", outcome="explained", answer=answer)
            return self.fed_back(item, n, station, at, day)
        at = put(item, cal.add(day, self.rng.randint(1, 2)), officer, "triage_issue", after=at, category=way)
        at = self.assigned(item, n, station, row, at)
        self.fed_back(item, n, station, at, at.date(), row)

    def places(self, station, row):
        """Who assigns the problem, and which unit handles it."""
        way, unit = row[:2]
        if way == "township":
            return self.local.of("officer", self.local.parent[station]), self.local.parent[station]
        if way == "county":
            return self.local.officer(station), "永济医保局" if station == "城西站" else "新绛能源局"
        return self.people.group["deputies_committee"][0], unit

    def case_officer(self, unit):
        return (self.local if unit in self.local.title else self.people).of("case_officer", unit)

    def assigned(self, item, n, station, row, at):
        """Assigned, signed for, handled; one is handed back first, and two are late: by twelve working days, and by twenty-two."""
        put, cal = self.diary.put, self.cal
        assigner, unit = self.places(station, row)
        officer, handler = self.local.of("station_officer", station), self.case_officer(unit)
        day = cal.add(at.date(), self.rng.randint(1, 3))
        if n == 29:
            at = put(item, day, assigner, "assign_issue", after=at, handling_unit="市教育局")
            at = put(item, cal.add(day, 2), self.case_officer("市教育局"), "return_issue", after=at, reason="技能培训由人社部门组织，建议交市人社局办理。")
            at = put(item, cal.add(at.date(), 1), officer, "triage_issue", after=at, category="higher")
            day = cal.add(at.date(), 1)
        at = put(item, day, assigner, "assign_issue", after=at, handling_unit=unit)
        due = cal.add(at.date(), 15) if row[0] == "township" else cal.months(at.date(), 1)
        at = put(item, cal.add(at.date(), self.rng.randint(0, 2)), handler, "accept_issue", after=at)
        late = {13: 12, 23: 22}.get(n)
        done = cal.add(due, late) if late else cal.add(due, -self.rng.randint(2, 9))
        return put(item, done, handler, "handle_issue", after=at, outcome=self.outcome(n, row), answer=row[6])

    def outcome(self, n, row):
        return "planned" if "计划" in row[6] or "列入" in row[6] else "solved"

    def fed_back(self, item, n, station, at, day, row=None):
        """The citizen is told and asked; the dissatisfied are handled once more, and then by the city's committee."""
        put, cal = self.diary.put, self.cal
        officer = self.local.of("station_officer", station)
        tell = lambda at: put(item, cal.add(at.date(), self.rng.randint(1, 2)), officer, "feed_back", after=at, way=self.rng.choice(["face", "phone", "phone", "letter"]))
        rate = lambda at, rating: put(item, cal.add(at.date(), self.rng.randint(2, 7)), officer, "rate_issue", after=at, rating=rating, basis="反馈单" if n % 2 else "电话回访记录")
        at = tell(at)
        if n % 8 == 3 and n != 27:
            return                                          # the engine notes it as 未评价
        if n not in (14, 22, 27):
            rate(at, "satisfied" if self.rng.random() < 0.75 else "basically_satisfied")
            return
        at = rate(at, "dissatisfied")
        assigner, unit = self.places(station, row)
        handler = self.case_officer(unit)
        at = put(item, cal.add(at.date(), 2), assigner, "assign_issue", after=at, handling_unit=unit)
        at = put(item, cal.add(at.date(), 1), handler, "accept_issue", after=at)
        at = put(item, cal.add(at.date(), 6), handler, "handle_issue", after=at, outcome="solved" if n != 27 else "planned", answer=row[6].rstrip("。") + "，并请反映人到现场看过。")
        at = tell(at)
        if n != 27:
            rate(at, "satisfied")
            return
        at = rate(at, "dissatisfied")
        put(item, cal.add(at.date(), 8), self.people.group["deputies_committee"][0], "conclude_issue", after=at, outcome="planned", answer="经协调，加压泵站2025年汛前建成；此前由镇里安排送水，已向反映人说明。")

    def converted(self, item, k, station, day, unit, topic, title, content, suggestion_title, letter, plan):
        put, cal, people = self.diary.put, self.cal, self.people
        officer, deputy = self.local.of("station_officer", station), self.deputies[station][k + 2]
        at = self.register(item, day, station, topic, title, content, None, deputy, k)
        at = put(item, cal.add(day, 1), officer, "triage_issue", after=at, category="higher" if unit else "township")
        at = put(item, cal.add(day, 2), deputy, "convert_issue", after=at, reason="几个乡镇都有同样的问题，带有普遍性。", suggestion_title=suggestion_title, session="五届五次")
        made = f"{item}-建议"
        office = people.group["deputies_committee"]
        at = put(made, cal.add(at.date(), 2), deputy, "submit", after=at)
        if not unit:
            at = put(made, cal.add(at.date(), 2), office[0], "not_accept", after=at, not_accepted_because="empty")
            row = ("township", None, None, topic, title, content, "赶集日设单行线和临时停车场，救护通道已经划出。")
            at = self.assigned(item, k, station, row, at)
            return self.fed_back(item, k + 1, station, at, at.date(), row)
        at = put(made, cal.add(at.date(), 1), office[0], "accept", after=at)
        at = put(made, cal.add(at.date(), 1), office[1], "propose_allocation", after=at, host_unit=unit)
        at = put(made, cal.add(at.date(), 1), office[1], "assign", after=at)
        branch, case, principal = f"assignment {unit}", people.of("case_officer", unit), people.of("principal", unit)
        at = put(made, cal.add(at.date(), 2), case, "sign_in", branch, at)
        at = put(made, cal.add(at.date(), 5), case, "record_contact", branch, at, contact_way="visit", contact_by="deputy_head", note="到联络站与代表和群众见面，听取意见。")
        grounds = {"class": letter, "reply_file": f"{made}-答复函-{people.title[unit]}.pdf"}
        if letter == "B":
            grounds |= {"plan": plan, "promised_on": dt.date(2026, 3, 31) if "3月" in plan else dt.date(2026, 6, 30)}
        at = put(made, cal.add(at.date(), 25), case, "submit_draft", branch, at, **grounds)
        at = put(made, cal.add(at.date(), 2), people.reviewer(unit), "pass_draft", branch, at)
        at = put(made, cal.add(at.date(), 1), principal, "sign_and_send", branch, at, doc_number=f"运{unit.removeprefix('市').removesuffix('局')}函〔2025〕{10 + k}号")
        sure = put(made, cal.add(at.date(), 3), people.officer(unit), "confirm_class", f"commitment {unit}", at)
        at = put(made, cal.add(sure.date(), 4), deputy, "feedback_ok", after=sure, attitude="satisfied", result="satisfied" if letter == "A" else "basically_satisfied")
        if letter == "A":
            put(made, cal.add(at.date(), 12), office[0], "archive", after=at, publicity="public")
        else:
            for progress, percent in (("首批任务已经启动，正在逐县落实。", 30), ("首批任务基本完成，其余县（市、区）正在推进。", 60)):
                sure = put(made, cal.add(self.next_report(sure.date()), -3), case, "report_progress", f"commitment {unit}", sure, progress=progress, percent=percent)
        # What came of it is told to the station, which tells the citizen.
        self.fed_back(item, k * 2, station, at, at.date())
