//! A report as a picture in SVG: bars by row, or, of several days, the shares of the rows one day below the other. What is drawn is told
//! apart by patterns and words as well as by colour, and said in words for those who cannot see it.

use super::{Cell, ColumnKind, Table, hundredths_of_percent};
use crate::kernel::render::escaped;
use crate::kernel::words::width::{width, wrapped};
use crate::kernel::words::{Lang, say};
use std::fmt::Write;

const STYLE: &str = include_str!("chart.css");

const WIDE: f64 = 960.0;
const MARGIN: f64 = 28.0;
const FONT: f64 = 14.0;
const SMALL: f64 = 13.0;
const TITLE: f64 = 20.0;
const LINE: f64 = 18.0;
const BAR: f64 = 22.0;
const STEP: f64 = 34.0;
/// The names of rows take no more room than this.
const NAMES: f64 = 280.0;
/// Rows that are told apart in shares; what is left is put together.
const PIECES: usize = 8;

/// `None` where there is nothing to draw: a list, or no number in any column.
pub fn draw(table: &Table, lang: Lang) -> Option<String> {
    let of = Drawn::of(table)?;
    let mut page = Page { out: String::new(), y: MARGIN };
    for line in wrapped(&table.title, TITLE, WIDE - 2.0 * MARGIN) {
        page.y += 24.0;
        page.text("title", MARGIN, page.y, &line);
    }
    page.y += 24.0;
    page.text("soft", MARGIN, page.y, &when(table, lang));
    page.y += 20.0;
    let said = if table.is_series() { page.shares(table, &of, lang) } else { page.bars(table, &of, lang) };
    let high = page.y + MARGIN;
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" width=\"{WIDE:.0}\" height=\"{high:.0}\" viewBox=\"0 0 {WIDE:.0} {high:.0}\" \
         role=\"img\" aria-labelledby=\"chart-title chart-said\">\n<title id=\"chart-title\">{title}</title>\n<desc id=\"chart-said\">{said}</desc>\n\
         <style>\n{STYLE}</style>\n{PATTERNS}<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n{body}</svg>\n",
        title = escaped(&table.title),
        said = escaped(&said),
        body = page.out,
    ))
}

/// The day, or from which to which, and whom it is of.
pub fn when(table: &Table, lang: Lang) -> String {
    let day = |day: Option<&crate::kernel::time::Date>| day.map(ToString::to_string).unwrap_or_default();
    let when = match table.is_series() {
        true => say(lang, "report.from_to", &[("from", &day(table.days.first())), ("to", &day(table.days.last()))]),
        false => say(lang, "report.as_of", &[("day", &day(table.days.last()))]),
    };
    whose(table.of.as_ref(), when)
}

/// Whom it is of, before the day.
pub fn whose(of: Option<&super::Of>, when: String) -> String {
    match of {
        Some(of) => format!("{} · {when}", of.title),
        None => when,
    }
}

/// The patterns of the pieces, each of another make; then that of a whole behind its part.
const PATTERNS: &str = r##"<defs>
<pattern id="chart-0" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="8" style="fill:var(--a)"/></pattern>
<pattern id="chart-1" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="8" style="fill:var(--b)"/><path class="mark" d="M-2 2 L2 -2 M0 8 L8 0 M6 10 L10 6"/></pattern>
<pattern id="chart-2" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="8" style="fill:var(--c)"/><path class="mark" d="M0 0 L8 8 M8 0 L0 8"/></pattern>
<pattern id="chart-3" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="8" style="fill:var(--d)"/><circle class="spot" cx="4" cy="4" r="1.5"/></pattern>
<pattern id="chart-4" width="8" height="6" patternUnits="userSpaceOnUse"><rect width="8" height="6" style="fill:var(--e)"/><path class="mark" d="M0 3 H8"/></pattern>
<pattern id="chart-5" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="8" style="fill:var(--f)"/></pattern>
<pattern id="chart-6" width="6" height="8" patternUnits="userSpaceOnUse"><rect width="6" height="8" style="fill:var(--g)"/><path class="mark" d="M3 0 V8"/></pattern>
<pattern id="chart-7" width="12" height="12" patternUnits="userSpaceOnUse"><rect width="12" height="12" style="fill:var(--h)"/><path class="mark" d="M0 12 L12 0 M-3 3 L3 -3 M9 15 L15 9"/><circle class="spot" cx="3" cy="3" r="1.5"/></pattern>
<pattern id="chart-whole" width="7" height="7" patternUnits="userSpaceOnUse"><rect class="back" width="7" height="7"/><path class="hatch" d="M-1 1 L1 -1 M0 7 L7 0 M6 8 L8 6"/></pattern>
</defs>
"##;

/// Which columns are drawn.
struct Drawn {
    whole: usize,
    /// With the column that gives its share.
    part: Option<(usize, usize)>,
}

impl Drawn {
    /// The first share of two columns; else the first number.
    fn of(table: &Table) -> Option<Drawn> {
        let shares = table.columns.iter().enumerate().find_map(|(place, column)| match column.kind {
            ColumnKind::Share { part, whole: Some(whole) } => Some(Drawn { whole, part: Some((part, place)) }),
            _ => None,
        });
        let number = || table.columns.iter().position(|column| matches!(column.kind, ColumnKind::Count | ColumnKind::Sum));
        let drawn = shares.filter(|_| !table.is_series()).or_else(|| Some(Drawn { whole: number()?, part: None }))?;
        (!table.rows.is_empty()).then_some(drawn)
    }
}

struct Page {
    out: String,
    y: f64,
}

impl Page {
    fn push(&mut self, text: std::fmt::Arguments) {
        // Writing into a text cannot fail.
        let _ = self.out.write_fmt(text);
    }

    fn text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        self.push(format_args!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>\n", escaped(text)));
    }

    fn text_to(&mut self, class: &str, x: f64, y: f64, text: &str) {
        self.push(format_args!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{}</text>\n", escaped(text)));
    }

    fn bar(&mut self, class: &str, [x, y, wide, high]: [f64; 4], said: &str) {
        let fill = class.strip_prefix("piece ").map(|pattern| format!(" fill=\"url(#chart-{pattern})\"")).unwrap_or_default();
        let class = class.split(' ').next().unwrap_or_default();
        self.push(format_args!(
            "<rect class=\"{class}\"{fill} x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{high:.1}\"><title>{}</title></rect>\n",
            escaped(said)
        ));
    }

    /// What each pattern stands for.
    fn legend(&mut self, entries: &[(String, String)]) {
        let mut x = MARGIN;
        for (class, text) in entries {
            let room = 26.0 + width(text, SMALL) + 22.0;
            if x > MARGIN && x + room > WIDE - MARGIN {
                x = MARGIN;
                self.y += LINE + 4.0;
            }
            self.bar(class, [x, self.y - 12.0, 18.0, 14.0], text);
            self.text("soft", x + 26.0, self.y, text);
            x += room;
        }
        self.y += 18.0;
    }

    /// The names of rows to the left, each in as many lines as it takes; gives where bars begin.
    fn names(rows: &[String]) -> (f64, Vec<Vec<String>>) {
        let lines: Vec<Vec<String>> = rows.iter().map(|name| wrapped(name, FONT, NAMES)).collect();
        let widest = lines.iter().flatten().map(|line| width(line, FONT)).fold(40.0, f64::max);
        (MARGIN + widest.min(NAMES) + 12.0, lines)
    }

    fn name(&mut self, lines: &[String], x: f64, high: f64) {
        let first = self.y + high / 2.0 + 5.0 - LINE * (lines.len() as f64 - 1.0) / 2.0;
        for (line, text) in lines.iter().enumerate() {
            self.text_to("name", x - 12.0, first + LINE * line as f64, text);
        }
    }

    fn bars(&mut self, table: &Table, of: &Drawn, lang: Lang) -> String {
        let heading = |place: usize| table.columns.get(place).map(|column| table.heading(column, lang)).unwrap_or_default();
        self.y += 8.0;
        match of.part {
            Some((part, _)) => self.legend(&[("part".into(), heading(part)), ("whole".into(), heading(of.whole))]),
            None => self.y -= 8.0,
        }
        let names: Vec<String> = table.rows.iter().map(|row| table.name_of(row, lang)).collect();
        let values: Vec<Value> = table.rows.iter().map(|row| Value::of(row.cells.last(), of, lang)).collect();
        let (left, lines) = Page::names(&names);
        let behind = values.iter().map(|value| width(&value.text, FONT)).fold(0.0, f64::max) + 10.0;
        let most = values.iter().map(|value| value.whole).fold(0.0, f64::max).max(1.0);
        let room = (WIDE - MARGIN - left - behind).max(60.0);
        let top = self.y;
        for (lines, (name, value)) in lines.iter().zip(names.iter().zip(&values)) {
            let high = (LINE * lines.len() as f64 + 8.0).max(STEP);
            let y = self.y + (high - BAR) / 2.0;
            self.name(lines, left, high);
            let said = format!("{name}: {}", value.text);
            if value.whole > 0.0 {
                self.bar(if of.part.is_some() { "whole" } else { "part" }, [left, y, room * value.whole / most, BAR], &said);
            }
            if value.part > 0.0 {
                self.bar("part", [left, y, room * (value.part / most).min(1.0), BAR], &said);
            }
            self.text("number", left + room * value.whole / most + 10.0, y + BAR / 2.0 + 5.0, &value.text);
            self.y += high;
        }
        let bottom = self.y;
        self.push(format_args!("<path class=\"axis\" d=\"M{left:.1} {top:.1} V{bottom:.1}\"/>\n"));
        names.iter().zip(&values).map(|(name, value)| format!("{name} {}", value.text)).collect::<Vec<_>>().join("; ")
    }

    fn shares(&mut self, table: &Table, of: &Drawn, lang: Lang) -> String {
        let pieces = pieces(table, of.whole, lang);
        self.y += 8.0;
        let legend: Vec<(String, String)> =
            pieces.iter().enumerate().map(|(pattern, piece)| (format!("piece {pattern}"), piece.name.clone())).collect();
        self.legend(&legend);
        let days: Vec<String> = table.days.iter().map(ToString::to_string).collect();
        let (left, _) = Page::names(&days);
        let totals: Vec<u64> = (0..days.len()).map(|day| pieces.iter().map(|piece| piece.counts[day]).sum()).collect();
        let behind = totals.iter().map(|total| width(&total.to_string(), FONT)).fold(0.0, f64::max) + 10.0;
        let room = WIDE - MARGIN - left - behind;
        let mut said = Vec::new();
        for (day, (name, total)) in days.iter().zip(&totals).enumerate() {
            let y = self.y + (STEP - BAR) / 2.0;
            let base = y + BAR / 2.0 + 5.0;
            self.name(std::slice::from_ref(name), left, STEP);
            self.text("number", left + room + 10.0, base, &total.to_string());
            let (mut x, mut words) = (left, Vec::new());
            for (pattern, piece) in pieces.iter().enumerate().filter(|(_, piece)| piece.counts[day] > 0) {
                let wide = room * piece.counts[day] as f64 / *total as f64;
                let share = Cell::Share(hundredths_of_percent(piece.counts[day], *total)).text(lang);
                let text = format!("{} {} ({share})", piece.name, piece.counts[day]);
                self.bar(&format!("piece {pattern}"), [x, y, wide, BAR], &format!("{name}: {text}"));
                let label = [format!("{} {share}", piece.name), share].into_iter().find(|label| width(label, SMALL) + 10.0 < wide);
                if let Some(label) = label {
                    let middle = x + wide / 2.0;
                    self.push(format_args!(
                        "<text class=\"soft halo\" x=\"{middle:.1}\" y=\"{base:.1}\" text-anchor=\"middle\">{}</text>\n",
                        escaped(&label)
                    ));
                }
                x += wide;
                words.push(text);
            }
            said.push(format!("{name}: {}", if words.is_empty() { "0".to_string() } else { words.join(", ") }));
            self.y += STEP;
        }
        said.join("; ")
    }
}

/// What stands beside a bar, and how long it is.
struct Value {
    whole: f64,
    part: f64,
    text: String,
}

impl Value {
    fn of(cells: Option<&Vec<Cell>>, of: &Drawn, lang: Lang) -> Value {
        let cell = |place: usize| cells.and_then(|cells| cells.get(place)).cloned().unwrap_or_default();
        let number = |place: usize| cell(place).number().unwrap_or_default().max(0);
        let whole = number(of.whole);
        match of.part {
            Some((part, share)) => Value {
                whole: whole as f64,
                part: number(part) as f64,
                text: format!("{}/{whole}{}", number(part), in_brackets(&cell(share), lang)),
            },
            None => {
                let share = cells.into_iter().flatten().find(|cell| matches!(cell, Cell::Share(_)));
                let share = share.map(|share| in_brackets(share, lang)).unwrap_or_default();
                Value { whole: whole as f64, part: 0.0, text: format!("{}{share}", cell(of.whole).text(lang)) }
            }
        }
    }
}

/// A share behind its number; nothing where there is none.
fn in_brackets(share: &Cell, lang: Lang) -> String {
    if *share == Cell::Empty { String::new() } else { format!(" ({})", share.text(lang)) }
}

/// A row through all days.
struct Piece {
    name: String,
    counts: Vec<u64>,
}

/// The largest rows in their order, and what is left together.
fn pieces(table: &Table, column: usize, lang: Lang) -> Vec<Piece> {
    let count =
        |cells: &Vec<Cell>| cells.get(column).and_then(Cell::number).and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
    let piece = |row: &super::Row| Piece { name: table.name_of(row, lang), counts: row.cells.iter().map(count).collect() };
    let mut pieces: Vec<Piece> = table.rows.iter().map(piece).filter(|piece| piece.counts.iter().any(|count| *count > 0)).collect();
    if pieces.len() <= PIECES {
        return pieces;
    }
    let mut sums: Vec<u64> = pieces.iter().map(|piece| piece.counts.iter().sum()).collect();
    sums.sort_unstable_by(|one, other| other.cmp(one));
    let (least, mut left) = (sums[PIECES - 2], Piece { name: say(lang, "report.others", &[]), counts: vec![0; table.days.len()] });
    let mut kept: Vec<Piece> = Vec::with_capacity(PIECES);
    for piece in pieces.drain(..) {
        if piece.counts.iter().sum::<u64>() >= least && kept.len() + 1 < PIECES {
            kept.push(piece);
        } else {
            left.counts.iter_mut().zip(piece.counts).for_each(|(sum, count)| *sum += count);
        }
    }
    kept.push(left);
    kept
}
