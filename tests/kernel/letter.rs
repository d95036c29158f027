//! Letters: the text and HTML parts that people read, made of wording and frames.

use duban::files::mail_frames;
use duban::kernel::render::{Block, Frames, LetterError, Wording, blocks};
use duban::kernel::words::Lang;
use serde_json::{Value, json};

const BODY: &str = "{{ to.unit }}：

你单位主办的第{{ item.number }}号建议《{{ item.title }}》，应于{{ due.this.date | date }}前书面答复。

  当前环节　{{ item.state_title }}
  还差事项　1. 市能源局协办意见
  　　　　　2. 答复稿须由单位负责人签发

请抓紧办理。如确需延期，请尽早申请：
  一、提交书面答复；
  二、提交情况说明。

查看和办理：https://duban.example.gov.cn/j/7Qm2
";

fn values(number: &str, days_left: i64) -> Value {
    json!({
        "item": { "number": number, "title": "关于<充电>设施 & 建设的建议", "state_title": "办理中" },
        "to": { "person": "zhang", "name": "张三", "unit": "市住房和城乡建设局", "role_title": "承办单位联络员" },
        "due": { "this": { "title": "书面答复期限", "date": "2026-06-30", "days_left": days_left.max(0), "days_late": (-days_left).max(0) } },
        "letter": { "sender": "示范市人大常委会代表工作委员会", "contact": "张老师", "phone": "0000-0000000", "rules_name": "《代表建议办理规则》" },
        "copy_of": [],
        "today": "2026-06-23",
    })
}

fn frames() -> Frames {
    mail_frames(None).unwrap()
}

fn reminder(values: &Value) -> Wording<'_> {
    Wording {
        subject: "【办理提醒】第{{ item.number }}号建议请于{{ due.this.date | date_short }}前答复",
        body: BODY,
        values,
        list: false,
        links: &[],
    }
}

#[test]
fn a_reminder_reads_like_a_letter_with_its_reason_and_its_contact() {
    let letter = frames().letter(Lang::Zh, &[reminder(&values("087", 7))]).unwrap();
    assert_eq!(letter.subject, "【办理提醒】第087号建议请于6月30日前答复");
    assert_eq!(
        letter.text,
        "市住房和城乡建设局：

你单位主办的第087号建议《关于<充电>设施 & 建设的建议》，应于2026年6月30日（星期二）前书面答复。

  当前环节　办理中
  还差事项　1. 市能源局协办意见
  　　　　　2. 答复稿须由单位负责人签发

请抓紧办理。如确需延期，请尽早申请：
  一、提交书面答复；
  二、提交情况说明。

查看和办理：https://duban.example.gov.cn/j/7Qm2

联系人：张老师　0000-0000000

                              示范市人大常委会代表工作委员会
                              2026年6月23日（星期二）

————
收到此信，是因为您在此事中是“承办单位联络员”。办结“书面答复期限”后不再提醒。本邮件由系统发出。
依据：《代表建议办理规则》
"
    );
}

#[test]
fn the_html_part_says_the_same_in_tables_escaped_and_without_images() {
    let html = frames().letter(Lang::Zh, &[reminder(&values("087", 7))]).unwrap().html;
    assert!(html.contains("《关于&lt;充电&gt;设施 &amp; 建设的建议》"), "{html}");
    assert!(html.contains(">当前环节</td>") && html.contains(">1. 市能源局协办意见<br>2. 答复稿须由单位负责人签发</td>"), "{html}");
    assert!(html.contains("一、提交书面答复；<br>二、提交情况说明。"), "{html}");
    assert!(html.contains("font-weight:bold\">查看和办理</a>"), "{html}");
    assert!(html.contains("联系人：张老师　0000-0000000"), "{html}");
    assert!(html.contains("overflow:hidden\">你单位主办的第087号建议"), "{html}");
    assert!(html.contains("width=\"600\"") && !html.contains("<img") && !html.contains("<script") && !html.contains("<style"));
    assert_eq!(html.matches("<table").count(), html.matches("</table>").count());
    assert_eq!(html.matches("<td").count(), html.matches("</td>").count());
}

#[test]
fn several_notices_become_one_mail_with_the_worst_first() {
    let (early, late) = (values("064", 2), values("102", -5));
    let letter = frames().letter(Lang::Zh, &[reminder(&early), reminder(&late)]).unwrap();
    assert_eq!(letter.subject, "【今日汇总】您有2件事项，其中1件已超期");
    let places: Vec<_> = ["1. 已超期5天　【办理提醒】第102号", "2. 还剩2天　【办理提醒】第064号", "———— 1 ————", "———— 2 ————"]
        .map(|text| letter.text.find(text).unwrap_or_else(|| panic!("`{text}` is missing in {}", letter.text)))
        .to_vec();
    assert!(places.is_sorted(), "{places:?}");
    assert!(letter.html.contains("已超期5天") && letter.html.contains("第064号建议《关于&lt;充电&gt;"));
}

#[test]
fn a_long_digest_is_the_list_of_its_subjects() {
    let many: Vec<_> = (1..=6).map(|number| values(&format!("{number:03}"), number)).collect();
    let letter = |count: usize| frames().letter(Lang::Zh, &many[..count].iter().map(reminder).collect::<Vec<_>>()).unwrap();
    let (five, six) = (letter(5), letter(6));
    assert_eq!((five.text.matches("当前环节").count(), five.html.matches("当前环节").count()), (5, 5));
    assert_eq!((six.text.matches("当前环节").count(), six.html.matches("当前环节").count()), (0, 0));
    assert!((1..=6).all(|number| six.text.contains(&format!("{number}. 还剩{number}天　【办理提醒】第00{number}号"))), "{}", six.text);
    assert_eq!(six.html.matches("还剩").count(), 6);
}

#[test]
fn the_entries_of_a_list_share_one_subject_and_one_frame() {
    let (first, second) = (values("064", 2), values("102", 9));
    let entry =
        |values| Wording {
            subject: "本周清单", body: "  第{{ item.number }}号　{{ due.this.date }}\n", values, list: true, links: &[]
        };
    let letter = frames().letter(Lang::Zh, &[entry(&first), entry(&second)]).unwrap();
    assert_eq!(letter.subject, "本周清单");
    assert!(letter.text.starts_with("  第064号　2026-06-30\n  第102号　2026-06-30\n"), "{}", letter.text);
    assert_eq!(letter.html.matches(">第064号</td>").count(), 1);
}

#[test]
fn a_letter_needs_no_deadline_no_contact_and_no_role() {
    let values = json!({ "item": { "number": "087" }, "today": "2026-06-23" });
    let wording = Wording { subject: "第{{ item.number }}号", body: "已办结。", values: &values, list: false, links: &[] };
    let letter = frames().letter(Lang::Zh, &[wording]).unwrap();
    assert_eq!(letter.text, "已办结。\n\n                              2026年6月23日（星期二）\n\n————\n本邮件由系统发出。\n");
}

#[test]
fn the_frame_speaks_the_readers_language_and_names_the_main_addressee_of_a_copy() {
    let mut values = values("087", 7);
    values["copy_of"] = json!(["Li", "Wang"]);
    values["letter"]["reply_to"] = json!("office@example.org");
    let wording = Wording {
        subject: "No. {{ item.number }}",
        body: "Please reply by {{ due.this.date | date }}.",
        values: &values,
        list: false,
        links: &[],
    };
    let text = frames().letter(Lang::En, &[wording]).unwrap().text;
    assert!(text.contains("A copy for you; the addressee is Li, Wang."), "{text}");
    assert!(text.contains("A reply to this mail reaches"), "{text}");
    assert!(text.contains("Please reply by Tuesday, 30 June 2026."), "{text}");
}

#[test]
fn a_hole_in_the_wording_is_an_error_that_says_which_notice() {
    let (good, mut bad) = (values("087", 7), values("088", 7));
    bad["item"].as_object_mut().unwrap().remove("title");
    let error = frames().letter(Lang::Zh, &[reminder(&good), reminder(&bad)]).unwrap_err();
    let LetterError::Body(1, error) = error else { panic!("{error}") };
    assert_eq!((error.missing.as_deref(), error.line), (Some("item.title"), 3));
}

#[test]
fn a_folder_replaces_single_frames_and_a_broken_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("mail")).unwrap();
    std::fs::write(folder.path().join("mail/notice.txt"), "{{ body }}\n-- 本市 --").unwrap();
    let frames = mail_frames(Some(folder.path())).unwrap();
    let values = values("087", 7);
    let letter = frames.letter(Lang::Zh, &[reminder(&values)]).unwrap();
    assert!(letter.text.ends_with("-- 本市 --\n") && letter.html.contains("<table"));
    std::fs::write(folder.path().join("mail/notice.txt"), "{{ body }}\n{% if %}").unwrap();
    let error = mail_frames(Some(folder.path())).unwrap_err();
    assert!(format!("{:#}", anyhow::Error::new(error)).contains("frame `notice.txt`, line 2"));
}

#[test]
fn plain_text_is_read_as_paragraphs_facts_lists_signature_and_links() {
    let read = blocks("  当前环节　办理中\n\n见 https://a.example/x。\n两行\n                        某办公室\n");
    assert!(matches!(&read[0], Block::Facts { rows } if rows.len() == 1 && rows[0].label == "当前环节"));
    let Block::Paragraph { lines, indented: false } = &read[1] else { panic!("{read:?}") };
    assert_eq!(lines.len(), 2);
    assert_eq!(
        lines[0].iter().map(|run| (run.text.as_str(), run.link)).collect::<Vec<_>>(),
        [("见 ", false), ("https://a.example/x", true), ("。", false)]
    );
    assert!(matches!(&read[2], Block::Signature { .. }));
    assert!(blocks("").is_empty() && blocks("\n \n").is_empty());
    let Block::Paragraph { lines, indented: false } = &blocks("　　首行缩进的段落")[0] else { panic!() };
    assert_eq!(lines[0][0].text, "　　首行缩进的段落", "full-width indents are the author's");
    assert!(blocks("javascript:alert(1)").iter().all(|block| !matches!(block, Block::Link { .. })));
}

#[test]
fn facts_may_be_indented_by_full_width_space_and_spaced_out() {
    let read = blocks(
        "　　当前环节　　办理中\n　　类　　别　B类（正在解决）\n　　已发提醒　5月13日\n　　　　　　　5月28日\n　　一、提交书面答复；\n",
    );
    let Block::Facts { rows } = &read[0] else { panic!("{read:?}") };
    let rows: Vec<_> =
        rows.iter().map(|row| (row.label.as_str(), row.lines.iter().map(|line| line[0].text.as_str()).collect::<Vec<_>>())).collect();
    assert_eq!(rows, [("当前环节", vec!["办理中"]), ("类别", vec!["B类（正在解决）"]), ("已发提醒", vec!["5月13日", "5月28日"])]);
    assert!(matches!(&read[1], Block::Paragraph { .. }));
}
