//! A report, or a document of several, as a workbook that an office prints and files; a report also as CSV.

use super::write::{Cell as Written, WriteError, csv_to, in_a_cell};
use crate::kernel::report::{Cell, Column, ColumnKind, Filled, Kind, Row, Table, chart};
use crate::kernel::words::width::width;
use crate::kernel::words::{Lang, say};
use rust_xlsxwriter::{Format, FormatAlign, FormatBorder, FormatPattern, Workbook, Worksheet, XlsxError};

/// A4 in the list of paper sizes.
const A4: u8 = 9;
/// Wider than this, in characters, it is laid across.
const UPRIGHT: f64 = 88.0;
/// No column is wider, in characters; longer texts are broken.
const WIDEST: f64 = 44.0;
/// What a sheet may be called, in characters.
const SHEET_NAME: usize = 31;

/// A workbook with one sheet: title, day, headings that stay and are repeated on every page, numbers as numbers, shares as percentages.
pub fn workbook(table: &Table, remarks: &[String], lang: Lang) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let when = chart::when(table, lang);
    let above = Above { title: &table.title, when: &when, lines: Vec::new() };
    let sheet = book.add_worksheet();
    sheet.set_name(sheet_name(&table.title))?;
    lay_out(sheet, table, &above, remarks, lang)?;
    book.save_to_buffer()
}

/// A sheet for each part: the title of the document, the words of the part, and its table.
pub fn document(document: &Filled, remarks: &[String], lang: Lang) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let mut names: Vec<String> = Vec::new();
    let day = say(lang, "report.as_of", &[("day", &document.day.to_string())]);
    let when = chart::whose(document.of.as_ref(), day);
    for part in &document.parts {
        let title = part.heading.as_deref().or(part.table.as_ref().map(|table| table.title.as_str())).unwrap_or(&document.title);
        let name = free(&sheet_name(title), &names);
        let sheet = book.add_worksheet();
        sheet.set_name(&name)?;
        names.push(name);
        let words: Vec<&str> = part.text.iter().flat_map(|text| text.lines()).map(str::trim).filter(|line| !line.is_empty()).collect();
        let mut above = Above { title: &document.title, when: &when, lines: words };
        above.lines.splice(..0, part.heading.as_deref());
        match &part.table {
            Some(table) => lay_out(sheet, table, &above, remarks, lang)?,
            None => {
                let forms = Forms::new(lang);
                sheet.set_column_width(0, UPRIGHT)?.set_paper_size(A4);
                let below = above.write(sheet, 0, &forms, UPRIGHT)?;
                for (row, remark) in (below..).zip(remarks) {
                    sheet.write_string_with_format(row, 0, remark, &forms.remark)?;
                }
            }
        }
    }
    book.save_to_buffer()
}

/// What stands above a table, over all its columns.
struct Above<'a> {
    title: &'a str,
    when: &'a str,
    lines: Vec<&'a str>,
}

impl Above<'_> {
    /// Gives the first row below. `room` is how wide it is, in characters.
    fn write(&self, sheet: &mut Worksheet, last: u16, forms: &Forms, room: f64) -> Result<u32, XlsxError> {
        across(sheet, 0, [0, last], self.title, &forms.title)?;
        sheet.set_row_height(0, 36)?;
        across(sheet, 1, [0, last], self.when, &forms.when)?;
        let mut at = 2;
        for line in &self.lines {
            across(sheet, at, [0, last], line, &forms.words)?;
            // A cell over several columns does not grow by itself.
            sheet.set_row_height(at, 18.0 * (width(line, 2.0) / room.max(1.0)).ceil().max(1.0))?;
            at += 1;
        }
        Ok(at)
    }
}

/// A name that no sheet has yet: whether letters are small makes no difference to a workbook.
fn free(name: &str, taken: &[String]) -> String {
    let is_free = |name: &String| taken.iter().all(|other| other.to_lowercase() != name.to_lowercase());
    let numbered = (2..).map(|number: u32| {
        let number = format!(" {number}");
        let kept: String = name.chars().take(SHEET_NAME - number.len()).collect();
        format!("{kept}{number}")
    });
    std::iter::once(name.to_string()).chain(numbered).find(is_free).unwrap_or_default()
}

fn lay_out(sheet: &mut Worksheet, table: &Table, above: &Above, remarks: &[String], lang: Lang) -> Result<(), XlsxError> {
    let forms = Forms::new(lang);
    let widths = widths(table, lang);
    for (place, wide) in (0..).zip(&widths) {
        sheet.set_column_width(place, *wide)?;
    }
    let last = u16::try_from(widths.len().max(1) - 1).unwrap_or(u16::MAX);
    let head = above.write(sheet, last, &forms, widths.iter().sum())?;
    let body = forms.head(sheet, head, table, lang)?;
    let keys = u16::try_from(table.keys.len()).unwrap_or(u16::MAX);
    let mut at = body;
    for row in &table.rows {
        for (place, key) in (0..).zip(&row.keys) {
            forms.cell(sheet, at, place, &text_if_empty(&key.shown, &key.text(lang)), lang, false)?;
        }
        for (place, cell) in (keys..).zip(row.cells.iter().flatten()) {
            forms.cell(sheet, at, place, cell, lang, false)?;
        }
        at += 1;
    }
    if table.shows_total {
        let total = say(lang, "report.total", &[]);
        for place in 0..keys {
            let text = if place == 0 { Cell::Text(total.clone()) } else { Cell::Text(String::new()) };
            forms.cell(sheet, at, place, &text, lang, true)?;
        }
        for (place, cell) in (keys..).zip(totals(table)) {
            forms.cell(sheet, at, place, &cell, lang, true)?;
        }
        at += 1;
    }
    for remark in remarks {
        sheet.write_string_with_format(at, 0, remark, &forms.remark)?;
        at += 1;
    }
    sheet.set_freeze_panes(body, keys)?;
    sheet.set_paper_size(A4).set_margins(0.6, 0.6, 0.7, 0.7, 0.3, 0.3).set_print_center_horizontally(true).set_print_fit_to_pages(1, 0);
    sheet.set_repeat_rows(head, body - 1)?;
    sheet.set_footer(say(lang, "report.footer", &[]));
    if widths.iter().sum::<f64>() > UPRIGHT {
        sheet.set_landscape();
    }
    if table.kind == Kind::List && !table.rows.is_empty() {
        sheet.autofilter(body - 1, 0, at - 1 - u32::try_from(remarks.len()).unwrap_or_default(), last)?;
    }
    Ok(())
}

/// The same as CSV: headings, rows, and the total where people see it.
pub fn csv(table: &Table, lang: Lang) -> Result<Vec<u8>, WriteError> {
    let keys = table.keys.iter().map(|key| table.key_heading(key, lang));
    let columns = table.days.iter().flat_map(|day| table.columns.iter().map(move |column| (day, column)));
    let headings = columns.map(|(day, column)| {
        let heading = table.heading(column, lang);
        if table.is_series() { format!("{day} {heading}") } else { heading }
    });
    let row = |row: &Row| {
        let keys = row.keys.iter().map(|key| text_if_empty(&key.shown, &key.text(lang)));
        keys.chain(row.cells.iter().flatten().cloned()).map(|cell| written(cell, lang)).collect::<Vec<_>>()
    };
    let total = || {
        let total = Cell::Text(say(lang, "report.total", &[]));
        let keys = (0..table.keys.len()).map(|place| if place == 0 { total.clone() } else { Cell::Empty });
        keys.chain(totals(table)).map(|cell| written(cell, lang)).collect::<Vec<_>>()
    };
    let mut out = Vec::new();
    let headings: Vec<String> = keys.chain(headings).collect();
    csv_to(&mut out, &headings, table.rows.iter().map(row).chain(table.shows_total.then(total)))?;
    Ok(out)
}

fn written(cell: Cell, lang: Lang) -> Written {
    match cell {
        Cell::Empty => Written::Empty,
        Cell::Number(number) => Written::Whole(number),
        Cell::Day(day) => Written::Day(day),
        other => Written::Text(other.text(lang)),
    }
}

/// What has no value is called so among the keys.
fn text_if_empty(cell: &Cell, text: &str) -> Cell {
    if *cell == Cell::Empty { Cell::Text(text.to_string()) } else { cell.clone() }
}

/// By day and column. The share of everything in everything says nothing.
fn totals(table: &Table) -> Vec<Cell> {
    let of_day = |cells: &Vec<Cell>| {
        let cell = |(cell, column): (&Cell, &Column)| match column.kind {
            ColumnKind::Share { whole: None, .. } => Cell::Text(String::new()),
            _ => cell.clone(),
        };
        cells.iter().zip(&table.columns).map(cell).collect::<Vec<_>>()
    };
    table.totals.iter().flat_map(of_day).collect()
}

/// Some signs may not stand in the name of a sheet.
pub fn sheet_name(title: &str) -> String {
    let fits = |sign: char| !matches!(sign, '[' | ']' | ':' | '*' | '?' | '/' | '\\') && !sign.is_control();
    let name: String = title.chars().filter(|sign| fits(*sign)).take(SHEET_NAME).collect();
    let name = name.trim_matches('\'').to_string();
    if name.is_empty() { "report".to_string() } else { name }
}

/// The widths of the columns in characters, by what stands in them.
fn widths(table: &Table, lang: Lang) -> Vec<f64> {
    // Characters of a Chinese font are as wide as two others.
    let characters = |text: &str| text.lines().map(|line| width(line, 2.0)).fold(0.0, f64::max);
    let key = |place: usize| {
        let cells = table.rows.iter().filter_map(|row| row.keys.get(place)).map(|key| characters(&key.text(lang)));
        cells.fold(characters(&table.key_heading(&table.keys[place], lang)), f64::max)
    };
    let column = |day: usize, place: usize| {
        let cells = table.rows.iter().map(|row| &row.cells[day][place]).chain(table.totals[day].get(place));
        let widest = cells.map(|cell| characters(&cell.text(lang))).fold(0.0, f64::max);
        // A heading may take two lines.
        widest.max((characters(&table.heading(&table.columns[place], lang)) / 2.0).max(8.0))
    };
    let keys = (0..table.keys.len()).map(key);
    let columns = (0..table.days.len()).flat_map(|day| (0..table.columns.len()).map(move |place| (day, place)));
    keys.chain(columns.map(|(day, place)| column(day, place))).map(|wide| (wide + 2.0).min(WIDEST)).collect()
}

/// A text over several columns; one cell cannot be merged.
fn across(sheet: &mut Worksheet, row: u32, [from, to]: [u16; 2], text: &str, form: &Format) -> Result<(), XlsxError> {
    if from == to {
        sheet.write_string_with_format(row, from, text, form)?;
    } else {
        sheet.merge_range(row, from, row, to, text, form)?;
    }
    Ok(())
}

/// How cells look.
struct Forms {
    title: Format,
    when: Format,
    head: Format,
    text: [Format; 2],
    number: [Format; 2],
    share: [Format; 2],
    day: [Format; 2],
    centred: [Format; 2],
    remark: Format,
    /// Of a document.
    words: Format,
}

impl Forms {
    fn new(lang: Lang) -> Forms {
        let font = |key: &str| say(lang, &format!("report.font.{key}"), &[]);
        let plain = || Format::new().set_font_name(font("text")).set_font_size(12);
        let cell = || plain().set_border(FormatBorder::Thin).set_align(FormatAlign::VerticalCenter);
        // Of the body, and of the total below it.
        let both = |form: Format| [form.clone(), form.set_bold()];
        Forms {
            title: Format::new()
                .set_font_name(font("title"))
                .set_font_size(20)
                .set_align(FormatAlign::Center)
                .set_align(FormatAlign::VerticalCenter)
                .set_text_wrap(),
            when: plain().set_align(FormatAlign::Center),
            head: cell()
                .set_font_name(font("head"))
                .set_bold()
                .set_align(FormatAlign::Center)
                .set_text_wrap()
                .set_pattern(FormatPattern::Solid)
                .set_background_color("F0F2F5"),
            text: both(cell().set_text_wrap()),
            number: both(cell().set_num_format("0").set_align(FormatAlign::Right)),
            share: both(cell().set_num_format("0.00%").set_align(FormatAlign::Right)),
            day: both(cell().set_num_format("yyyy-mm-dd").set_align(FormatAlign::Center)),
            centred: both(cell().set_align(FormatAlign::Center)),
            remark: plain().set_font_size(10),
            words: plain().set_text_wrap().set_align(FormatAlign::Top),
        }
    }

    /// The headings: of a series the days above what is said of each. Gives the first row below.
    fn head(&self, sheet: &mut Worksheet, above: u32, table: &Table, lang: Lang) -> Result<u32, XlsxError> {
        let below = if table.is_series() { above + 1 } else { above };
        for (place, key) in (0..).zip(&table.keys) {
            let text = table.key_heading(key, lang);
            match below > above {
                true => drop(sheet.merge_range(above, place, below, place, &text, &self.head)?),
                false => drop(sheet.write_string_with_format(above, place, text, &self.head)?),
            }
        }
        let mut place = u16::try_from(table.keys.len()).unwrap_or(u16::MAX);
        for day in &table.days {
            let last = place + u16::try_from(table.columns.len().max(1) - 1).unwrap_or_default();
            if table.is_series() {
                across(sheet, above, [place, last], &day.to_string(), &self.head)?;
            }
            for column in &table.columns {
                sheet.write_string_with_format(below, place, table.heading(column, lang), &self.head)?;
                place += 1;
            }
        }
        Ok(below + 1)
    }

    fn cell(&self, sheet: &mut Worksheet, row: u32, place: u16, cell: &Cell, lang: Lang, total: bool) -> Result<(), XlsxError> {
        let of = |forms: &[Format; 2]| forms[usize::from(total)].clone();
        match cell {
            Cell::Number(number) => drop(sheet.write_number_with_format(row, place, *number as f64, &of(&self.number))?),
            Cell::Share(hundredths) => drop(sheet.write_number_with_format(row, place, *hundredths as f64 / 10_000.0, &of(&self.share))?),
            Cell::Day(day) => drop(sheet.write_datetime_with_format(row, place, *day, &of(&self.day))?),
            Cell::YesNo(_) => drop(sheet.write_string_with_format(row, place, cell.text(lang), &of(&self.centred))?),
            // Numbers of items stay the texts that they are.
            Cell::Text(_) | Cell::Several(_) => {
                sheet.write_string_with_format(row, place, in_a_cell(&cell.text(lang)), &of(&self.text))?;
            }
            Cell::Empty => drop(sheet.write_blank(row, place, &of(&self.text))?),
        }
        Ok(())
    }
}
