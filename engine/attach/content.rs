//! Whether a content is what its name's ending says. Nothing is unpacked: of an archive only its table of contents is read.

use std::io::Cursor;
use zip::ZipArchive;

/// A kind of file.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    ending: &'static str,
    pub media: &'static str,
    looks: &'static [Looks],
}

/// How a content begins, or what has to be in it; one of several is enough.
#[derive(Clone, Copy, Debug)]
enum Looks {
    Begins(&'static [u8]),
    /// At a place behind the beginning.
    Has(usize, &'static [u8], &'static [u8]),
    /// An archive with this entry.
    Holds(&'static str),
    /// No control characters but those of lines.
    Text,
}

use Looks::{Begins, Has, Holds, Text};

/// The compound files of older office programs.
const COMPOUND: Looks = Begins(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");

const fn kind(ending: &'static str, media: &'static str, looks: &'static [Looks]) -> Kind {
    Kind { ending, media, looks }
}

const KINDS: &[Kind] = &[
    kind("pdf", "application/pdf", &[Begins(b"%PDF-")]),
    kind("ofd", "application/ofd", &[Holds("OFD.xml")]),
    kind("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", &[Holds("word/document.xml")]),
    kind("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", &[Holds("xl/workbook.xml")]),
    kind("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation", &[Holds("ppt/presentation.xml")]),
    kind("odt", "application/vnd.oasis.opendocument.text", &[Holds("content.xml")]),
    kind("ods", "application/vnd.oasis.opendocument.spreadsheet", &[Holds("content.xml")]),
    kind("doc", "application/msword", &[COMPOUND]),
    kind("xls", "application/vnd.ms-excel", &[COMPOUND]),
    kind("ppt", "application/vnd.ms-powerpoint", &[COMPOUND]),
    kind("wps", "application/vnd.ms-works", &[COMPOUND, Holds("word/document.xml")]),
    kind("et", "application/vnd.ms-excel", &[COMPOUND, Holds("xl/workbook.xml")]),
    kind("dps", "application/vnd.ms-powerpoint", &[COMPOUND, Holds("ppt/presentation.xml")]),
    kind("png", "image/png", &[Begins(b"\x89PNG\r\n\x1a\n")]),
    kind("jpg", "image/jpeg", &[Begins(b"\xff\xd8\xff")]),
    kind("jpeg", "image/jpeg", &[Begins(b"\xff\xd8\xff")]),
    kind("gif", "image/gif", &[Begins(b"GIF87a"), Begins(b"GIF89a")]),
    kind("tif", "image/tiff", &[Begins(b"II*\0"), Begins(b"MM\0*")]),
    kind("webp", "image/webp", &[Has(8, b"RIFF", b"WEBP")]),
    kind("txt", "text/plain", &[Text]),
    kind("csv", "text/csv", &[Text]),
    // Nobody sees into these; an office that wants them says so.
    kind("zip", "application/zip", &[Begins(b"PK\x03\x04")]),
    kind("7z", "application/x-7z-compressed", &[Begins(b"7z\xbc\xaf\x27\x1c")]),
    kind("rar", "application/vnd.rar", &[Begins(b"Rar!\x1a\x07")]),
];

/// What may be handed in where nobody said otherwise.
pub const USUAL: &[&str] = &[
    "pdf", "ofd", "doc", "docx", "wps", "xls", "xlsx", "et", "ppt", "pptx", "dps", "odt", "ods", "png", "jpg", "jpeg", "gif", "tif",
    "webp", "txt", "csv",
];

/// Endings of what is run by a double click, wherever in a name.
pub const RUN: &[&str] = &[
    "exe", "com", "scr", "pif", "bat", "cmd", "ps1", "msi", "vbs", "vbe", "js", "jse", "wsf", "hta", "lnk", "jar", "cpl", "dll", "reg",
    "sh", "php", "jsp", "asp", "aspx", "html", "htm", "svg",
];

/// Entries of an archive at most.
const MOST_ENTRIES: usize = 10_000;
/// What an archive becomes when it is unpacked: so many bytes are always well …
const SMALL: u64 = 64 << 20;
/// … and beyond them no more than so many times what it is, …
const TIMES: u64 = 100;
/// … nor more than this.
const LARGEST: u64 = 1 << 30;

pub fn kind_of(ending: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.ending.eq_ignore_ascii_case(ending))
}

pub fn is_like(kind: &Kind, content: &[u8]) -> bool {
    let fits = kind.looks.iter().any(|looks| match looks {
        Begins(with) => content.starts_with(with),
        Has(at, first, with) => content.starts_with(first) && content.get(*at..).is_some_and(|rest| rest.starts_with(with)),
        Holds(entry) => holds(content, entry),
        Text => !content.iter().any(|byte| (*byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c)) || *byte == 0x7f),
    });
    fits && (!content.starts_with(b"PK") || is_bearable(content))
}

/// The entries of an archive; nothing of one that cannot be read.
fn archive(content: &[u8]) -> Option<ZipArchive<Cursor<&[u8]>>> {
    if !content.starts_with(b"PK\x03\x04") {
        return None;
    }
    ZipArchive::new(Cursor::new(content)).ok()
}

/// With this entry, and without programs inside.
fn holds(content: &[u8], entry: &str) -> bool {
    let Some(archive) = archive(content) else { return false };
    // A name that cannot be read is no entry that anybody needs.
    let Ok(names) = archive.file_names().collect::<Result<Vec<_>, _>>() else { return false };
    let is_program = |name: &str| name.to_ascii_lowercase().ends_with("vbaproject.bin");
    names.iter().any(|name| *name == entry) && !names.iter().any(|name| is_program(name))
}

/// Neither a bomb nor a way out of the folder into which it is unpacked.
fn is_bearable(content: &[u8]) -> bool {
    let Some(mut archive) = archive(content) else { return false };
    if archive.len() > MOST_ENTRIES {
        return false;
    }
    let mut unpacked = 0_u64;
    for place in 0..archive.len() {
        let Ok(entry) = archive.by_index_raw(place) else { return false };
        let Ok(name) = entry.name() else { return false };
        let leads_out = name.starts_with(['/', '\\']) || name.split(['/', '\\']).any(|part| part == "..");
        if leads_out {
            return false;
        }
        unpacked = unpacked.saturating_add(entry.size());
    }
    unpacked <= SMALL || (unpacked <= LARGEST && unpacked / TIMES <= content.len() as u64)
}
