//! Wording: what templates may do, what they are refused, and what a mistake in them says.

use duban::kernel::render::{self, MAX_OUTPUT};
use duban::kernel::words::Lang;
use serde_json::json;

fn text(template: &str, values: &serde_json::Value) -> Result<String, render::RenderError> {
    render::text_in(Lang::Zh, template, values)
}

fn suggestion() -> serde_json::Value {
    json!({
        "item": { "number": "087", "title": "关于加快充电设施建设的建议", "answered_on": null, "co_signers": ["李明", "王芳"] },
        "due": { "answer": { "date": "2026-06-30", "days_left": 7 } },
        "branches": { "assignment": [ { "unit": "市住建局", "line": "host" }, { "unit": "市能源局", "line": "co" } ] },
    })
}

#[test]
fn a_line_is_filled_with_values_dates_and_lists() {
    let filled = render::line(
        "【还剩{{ due.answer.days_left }}天】第{{ item.number }}号请于{{ due.answer.date | date_short }}前答复",
        &suggestion(),
    );
    assert_eq!(filled.unwrap(), "【还剩7天】第087号请于6月30日前答复");
    assert_eq!(render::line("{{ due.answer.date | date }}", &suggestion()).unwrap(), "2026年6月30日（星期二）");
    assert_eq!(render::line("{{ due.answer.date | weekday }}", &suggestion()).unwrap(), "星期二");
    assert_eq!(render::line("{{ item.co_signers | join('、') }}", &suggestion()).unwrap(), "李明、王芳");
    assert_eq!(render::line("{{ 1234567 | number }} {{ -12 | number }} {{ 7 | pad(3) }}", &suggestion()).unwrap(), "1,234,567 -12 007");
}

#[test]
fn dates_follow_the_language_of_the_reader() {
    let mut values = suggestion();
    values["lang"] = json!("en");
    assert_eq!(render::line("{{ due.answer.date | date }}", &values).unwrap(), "Tuesday, 30 June 2026");
    assert_eq!(render::line("{{ due.answer.date | date_short }}", &values).unwrap(), "30 June");
    assert_eq!(render::line("{{ due.answer.date | date_year }}", &values).unwrap(), "30 June 2026");
}

#[test]
fn an_unknown_name_is_an_error_and_never_a_hole() {
    let error = text("第一行\n请{{ item.nubmer }}办理", &suggestion()).unwrap_err();
    assert_eq!((error.line, error.missing.as_deref()), (2, Some("item.nubmer")));
    assert!(render::line("{% if item.nubmer %}x{% endif %}", &suggestion()).is_err());
    assert_eq!(render::line("{{ itme.number }}", &suggestion()).unwrap_err().missing.as_deref(), Some("itme.number"));
    assert_eq!(render::line("{{ nothing }}", &suggestion()).unwrap_err().missing.as_deref(), Some("nothing"));
}

#[test]
fn an_empty_field_prints_nothing_and_takes_a_default() {
    assert_eq!(render::line("[{{ item.answered_on }}{{ item.answered_on | date }}]", &suggestion()).unwrap(), "[]");
    assert_eq!(render::line("{{ item.answered_on | default('未定') }}", &suggestion()).unwrap(), "未定");
    assert_eq!(render::line("{% if item.answered_on %}a{% else %}b{% endif %}", &suggestion()).unwrap(), "b");
}

#[test]
fn a_line_stays_one_line_whatever_the_values_hold() {
    let values = json!({ "item": { "title": "第一行\r\nBcc: a@b.c\n\u{2028}第三行\u{7}" } });
    assert_eq!(render::line("{{ item.title }}\n", &values).unwrap(), "第一行 Bcc: a@b.c 第三行");
}

#[test]
fn data_is_never_evaluated_again_nor_escaped_in_plain_text() {
    let values = json!({ "item": { "title": "{{ 7*7 }} ${x} <b>&" } });
    assert_eq!(render::line("{{ item.title }}", &values).unwrap(), "{{ 7*7 }} ${x} <b>&");
}

#[test]
fn what_wording_may_not_do_is_found_before_it_runs() {
    for (template, said) in [
        ("{{ 'x' * 1000000000 }}", "`*` cannot be used here"),
        ("{% include 'secret' %}", "the statement `include` cannot be used here"),
        ("a\n{%- macro f() %}{% endmacro %}", "the statement `macro` cannot be used here"),
        ("{% extends 'x' %}", "the statement `extends` cannot be used here"),
        ("{{ item.title | safe }}", "there is no filter `safe`"),
        ("{{ item.title | dtae }}", "there is no filter `dtae`"),
        ("{% if item.title is fine %}{% endif %}", "there is no test `fine`"),
        ("{% if item.title is not fine %}{% endif %}", "there is no test `fine`"),
        ("{% filter shout %}x{% endfilter %}", "there is no filter `shout`"),
    ] {
        let error = render::names_read(template).unwrap_err();
        assert!(error.what.contains(said), "{template}: {error}");
        assert!(text(template, &suggestion()).is_err(), "{template}");
    }
    assert_eq!(render::names_read("a\n{%- macro f() %}{% endmacro %}").unwrap_err().line, 2);
}

#[test]
fn strings_comments_and_raw_parts_are_not_mistaken_for_code() {
    for (template, filled) in [
        ("{{ 'a | b * c' }}", "a | b * c"),
        ("{# a | nothing * #}x", "x"),
        ("{% raw %}{{ a | nothing }}{% endraw %}", "{{ a | nothing }}"),
        ("{{ \"}}\" }}*", "}}*"),
        ("{{ item.number == '087' and 'yes' or 'no' }}", "yes"),
    ] {
        assert_eq!(text(template, &suggestion()).unwrap(), filled, "{template}");
    }
}

#[test]
fn the_debug_function_and_unbounded_ranges_do_not_exist() {
    assert_eq!(names("{{ debug() }}"), ["debug"]);
    assert!(text("{{ debug() }}", &suggestion()).is_err());
    assert!(text("{% for i in range(10) %}{% endfor %}", &suggestion()).is_err());
}

#[test]
fn names_are_read_with_their_dots_and_without_the_templates_own() {
    let template = "{% set n = item.number %}{{ n }} {% for a in branches.assignment %}{{ loop.index }}{{ a.unit }}{% endfor %}
        {% if due.answer.days_left < 3 and input.reason is defined %}{{ item.co_signers | join('、') }}{% endif %}";
    let read =
        ["branches.assignment", "branches.assignment[].unit", "due.answer.days_left", "input.reason", "item.co_signers", "item.number"];
    assert_eq!(names(template), read);
}

fn names(template: &str) -> Vec<String> {
    let mut names: Vec<String> = render::names_read(template).unwrap().into_iter().map(|read| read.name).collect();
    names.dedup();
    names
}

#[test]
fn names_are_followed_through_loops_filters_and_names_of_the_templates_own() {
    for (template, read) in [
        ("{% for t in branches.a %}{{ t.unit | date }}{% endfor %}", "branches.a branches.a[].unit"),
        (
            "{% for t in branches.a | sort(attribute='no') | reverse %}{{ t['unit'] }}{% endfor %}",
            "branches.a branches.a[].no branches.a[].unit",
        ),
        ("{% for t in branches.a if t.open %}{{ loop.index }}{% else %}{{ t.unit }}{% endfor %}", "branches.a branches.a[].open t.unit"),
        (
            "{% set all = branches.a %}{% for t in all %}{% for u in t.units %}{{ u }}{% endfor %}{% endfor %}",
            "branches.a branches.a[].units branches.a[].units[]",
        ),
        ("{{ (branches.a | first).unit }}{{ branches.a[0].no }}", "branches.a branches.a[].no branches.a[].unit"),
        ("{{ branches.a | map(attribute='unit') | join('、') }}", "branches.a branches.a[].unit"),
        ("{{ branches.a | selectattr('late') | length }}", "branches.a branches.a[].late"),
        (
            "{% for unit, rows in branches.a | groupby('unit') %}{{ rows[0].no }}{% endfor %}",
            "branches.a branches.a[].no branches.a[].unit",
        ),
        (
            "{% for group in branches.a | groupby('unit') %}{{ group.grouper }}{{ (group.list | last).no }}{% endfor %}",
            "branches.a branches.a[].no branches.a[].unit",
        ),
        ("{% if x %}{% set one = item %}{% else %}{% set one = task %}{% endif %}{{ one.unit }}", "item item.unit task task.unit x"),
        ("{% with one = item %}{{ one.unit }}{% endwith %}{{ one }}", "item item.unit one"),
        ("{{ (task.unit or item.unit) | default(item.host) }}", "item.host item.unit task.unit"),
        ("{% for unit in item.units[1:] %}{{ unit }}{% endfor %}", "item.units item.units[]"),
    ] {
        assert_eq!(names(template).join(" "), read, "{template}");
    }
    let whole = |template: &str| render::names_read(template).unwrap().into_iter().any(|read| read.whole && read.name == "item");
    for template in
        ["{{ item }}", "{{ item | tojson }}", "{% for k, v in item | items %}{% endfor %}", "{{ item ~ '' }}", "{% set i = item %}{{ i }}"]
    {
        assert!(whole(template), "{template}");
    }
    for template in ["{{ item.a }}", "{% set i = item %}{{ i.a }}", "{% if item %}{% endif %}", "{{ item | length }}"] {
        assert!(!whole(template), "{template}");
    }
}

#[test]
fn a_template_that_cannot_be_read_says_where() {
    let error = render::names_read("一\n二 {{ item. }}").unwrap_err();
    assert_eq!((error.line, error.missing), (2, None));
    assert!(render::names_read("{% if x %}").is_err());
    assert!(render::names_read("{{ x").is_err());
    assert!(render::names_read("{% raw %}x").is_err());
}

#[test]
fn growth_and_endless_work_are_stopped() {
    let many: Vec<u32> = (0..2_000).collect();
    let values = json!({ "many": many, "long": "长".repeat(10_000) });
    let nested = "{% for a in many %}{% for b in many %}{% for c in many %}.{% endfor %}{% endfor %}{% endfor %}";
    let doubling = format!("{{% set a = long %}}{}{{{{ a }}}}", "{% set a = a ~ a %}".repeat(30));
    let long = "{% for a in many %}{{ long }}{% endfor %}";
    let wide = "{{ '%1000000000d' | format(1) }}";
    for template in [nested, &doubling, long, wide] {
        assert!(text(template, &values).is_err());
    }
    let just_fits = text("{{ long }}", &json!({ "long": "a".repeat(MAX_OUTPUT) })).unwrap();
    assert_eq!(just_fits.len(), MAX_OUTPUT);
    let error = text("{{ long }}!", &json!({ "long": "a".repeat(MAX_OUTPUT) })).unwrap_err();
    assert!(error.what.contains("longer than"), "{error}");
}
