//! The Chinese spellings of the language's phrases, as parts of patterns for editors; the reader's own stand in `read::phrase`, and a test holds both together.

pub const UNITS: &str = "days?|working days?|months?|years?|天|日|个工作日|工作日|个月|月|年";
pub const HOLDERS: &str = "item|task|input|件|任务|本办理|输入";
pub const UNTIL: &str = "至";
pub const BEFORE: &str = "前";
pub const DAYS: &str = "working days|every day|工作日|每天|每日";

/// `10月31日且至少30天后`
pub fn on_day(length: &str) -> String {
    format!(r"\d+月\d+日(且至少{length}后)?")
}

pub fn rung_at(length: &str) -> String {
    format!(r"到期当[天日]|到期前每?{length}|到期后每?{length}|到期前每年\d+月\d+日")
}
