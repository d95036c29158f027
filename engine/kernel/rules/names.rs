//! The names that the language itself gives: views, built-in functions and properties, each with its Chinese spelling.

/// Views: what an expression may start from.
pub(super) const VIEWS: &[(&str, &[&str])] = &[
    ("item", &["件"]),
    ("task", &["本办理", "任务"]),
    ("input", &["输入"]),
    ("each", &["每个"]),
    ("due", &["期限"]),
    ("branches", &["分支"]),
    ("actor", &["操作人"]),
    ("today", &["今天"]),
    ("param", &["参数"]),
    ("request", &["请求"]),
];

pub(super) const FUNCTIONS: &[(&str, &[&str])] = &[
    ("days_between", &["相隔天数"]),
    ("working_days_between", &["相隔工作日"]),
    ("add", &["加上"]),
    ("add_working_days", &["加工作日"]),
    ("year_of", &["年份"]),
    ("month_of", &["月份"]),
    ("date", &["日期"]),
    ("contains", &["包含"]),
    ("starts_with", &["开头是"]),
    ("len", &["长度"]),
    ("min", &["较小"]),
    ("max", &["较大"]),
    ("is_set", &["已填"]),
    ("members", &["成员"]),
];

/// Properties and questions of the views. A declared field of the same name as a Chinese spelling wins over it.
pub(super) const PROPERTIES: &[(&str, &[&str])] = &[
    ("state", &["状态"]),
    ("id", &["编号"]),
    ("flag", &["标记"]),
    ("kind", &["类型"]),
    ("parent", &["上级"]),
    ("committee", &["联系委员会"]),
    ("len", &["长度"]),
    ("date", &["日期"]),
    ("times_extended", &["延期次数"]),
    ("days_left", &["剩余天数"]),
    ("working_days_left", &["剩余工作日"]),
    ("days_late", &["逾期天数"]),
    ("working_days_late", &["逾期工作日"]),
    ("running", &["进行中"]),
    ("was_late", &["曾逾期"]),
    ("fired", &["到过"]),
    ("any_late", &["有逾期"]),
    ("all_ended", &["全部结束"]),
    ("any", &["有"]),
    ("count", &["个数"]),
    ("count_open", &["未结个数"]),
    ("open_units", &["未结单位"]),
    ("open_persons", &["未结人员"]),
    ("units", &["全部单位"]),
    ("persons", &["全部人员"]),
    ("all_in_state", &["全部处于"]),
    ("any_in_state", &["有处于"]),
    ("count_in_state", &["处于个数"]),
    ("share_in_state", &["处于占比"]),
    ("worst", &["最差"]),
    ("sum", &["合计"]),
    ("earliest", &["最早"]),
    ("latest", &["最晚"]),
    ("person", &["人"]),
    ("roles", &["角色"]),
    ("unit", &["单位"]),
];

/// The English name behind a Chinese spelling, or the name itself.
pub(super) fn canonical<'a>(table: &[(&'a str, &[&str])], name: &'a str) -> &'a str {
    table.iter().find(|(_, others)| others.contains(&name)).map_or(name, |(name, _)| name)
}

/// Every spelling of a view or property, for those who look for it in the text of an expression.
pub fn spellings_of(name: &str) -> Vec<&'static str> {
    let known = VIEWS.iter().chain(PROPERTIES).filter(|(canonical, _)| *canonical == name);
    known.flat_map(|(canonical, others)| std::iter::once(*canonical).chain(others.iter().copied())).collect()
}

/// Whether the text of an expression reads what is entered under a name.
pub fn reads_entered(source: &str, name: &str) -> bool {
    let words = source.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    words.windows(2).any(|pair| spellings_of("input").contains(&pair[0]) && pair[1] == name)
}

/// A name and its other spellings.
pub(super) fn spellings(table: &'static [(&str, &[&str])], name: &'static str) -> impl Iterator<Item = &'static str> {
    let others = table.iter().find(|(canonical, _)| *canonical == name).map_or(&[][..], |(_, others)| others);
    std::iter::once(name).chain(others.iter().copied())
}
