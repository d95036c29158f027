//! `duban import` and `duban export` of an office's list of 10,000 rows, as the built binary does them: Yuncheng's list of 432 taken again and
//! again under new numbers, in as a workbook, out as a workbook and as CSV, and in again with nothing new. Bars: 10 s each, and a peak of
//! 300 MB. The twin in the same run reads the workbook's cells and does nothing with them.
//!
//! `DUBAN_BENCH=short` takes 864 rows.

use calamine::{Data, Reader, Xlsx, open_workbook};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let short = std::env::var("DUBAN_BENCH").is_ok_and(|form| form == "short");
    let rows = if short { 864 } else { 10_000 };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = tempfile::tempdir()?;
    let list = place.path().join("list.xlsx");
    write_list(&root.join("rules/yuncheng/sample/2024年代表建议.xlsx"), &list, rows)?;
    let begun = Instant::now();
    let mut book: Xlsx<_> = open_workbook(&list)?;
    let cells = book.worksheet_range_at(0).ok_or("a sheet")??.used_cells().count();
    let twin = begun.elapsed().as_secs_f64();
    for (what, arguments) in [
        ("import", vec!["import", "list.xlsx", "--as", "historic"]),
        ("export as a workbook", vec!["export", "out.xlsx"]),
        ("export as CSV", vec!["export", "out.csv"]),
        ("import of what is known", vec!["import", "out.xlsx"]),
    ] {
        let (seconds, peak) = run(place.path(), &root.join("rules/yuncheng"), &arguments)?;
        let line = serde_json::json!({
            "bench": "lists", "what": what, "rows": rows, "cells": cells, "seconds": seconds, "cells_read": twin, "ratio": seconds / twin,
            "peak_mb": peak,
        });
        println!("{line}");
    }
    Ok(())
}

/// The rows of the sample's list, again and again, each under a number of its own.
fn write_list(sample: &Path, list: &Path, rows: usize) -> Result<(), Error> {
    let mut book: Xlsx<_> = open_workbook(sample)?;
    let sheet = book.worksheet_range_at(0).ok_or("a sheet")??;
    let (mut out, head) = (rust_xlsxwriter::Workbook::new(), sheet.rows().position(|row| row.iter().any(|cell| cell == "建议编号")));
    let head = head.ok_or("the headings")?;
    let day = rust_xlsxwriter::Format::new().set_num_format("yyyy-mm-dd");
    let written = out.add_worksheet().set_name("建议清单")?;
    let body: Vec<&[Data]> = sheet.rows().skip(head + 1).filter(|row| row.iter().any(|cell| *cell != Data::Empty)).collect();
    let number = sheet.rows().nth(head).and_then(|row| row.iter().position(|cell| cell == "建议编号")).ok_or("the numbers")?;
    for (column, cell) in (0..).zip(sheet.rows().nth(head).ok_or("the headings")?) {
        written.write(0, column, cell.to_string())?;
    }
    for row in 0..rows {
        for (column, cell) in body[row % body.len()].iter().enumerate() {
            let (to, at) = (u32::try_from(row)? + 1, u16::try_from(column)?);
            match cell {
                _ if column == number => drop(written.write(to, at, format!("2024-{:05}", row + 1))?),
                Data::Empty => {}
                Data::Float(value) => drop(written.write(to, at, *value)?),
                Data::Int(value) => drop(written.write(to, at, *value as f64)?),
                Data::DateTime(moment) => drop(written.write_with_format(to, at, moment.as_f64(), &day)?),
                other => drop(written.write(to, at, other.to_string())?),
            }
        }
    }
    Ok(out.save(list)?)
}

/// Seconds, and the peak of resident memory in megabytes.
fn run(folder: &Path, rules: &Path, arguments: &[&str]) -> Result<(f64, u64), Error> {
    let begun = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_duban"));
    command.args(arguments).arg("--rules").arg(rules).arg("--quiet").current_dir(folder).stdout(Stdio::null());
    let mut child = command.spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        // What is left of a process that has ended says nothing of its memory.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(peak);
        if let Some(ended) = child.try_wait()? {
            let seconds = begun.elapsed().as_secs_f64();
            return if ended.success() { Ok((seconds, peak / 1024)) } else { Err(format!("{arguments:?} ended with {ended}").into()) };
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
