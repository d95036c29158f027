//! A disk that is watched, and one that fails: the library that stands between a process and its files, the trace it writes, and what such
//! a disk would hold after the power was cut at some step of it.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// The smallest piece that a disk writes whole.
const SECTOR: usize = 512;

/// `disk.c`, compiled; the variable that preloads it is `LD_PRELOAD`.
pub static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(folder).expect("a folder for what tests make");
    let (done, draft) = (folder.join("libdisk.so"), folder.join(format!("libdisk-{}.so", std::process::id())));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/disk.c");
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&draft).args([source, "-ldl", "-lpthread"]).output();
    let compiled = compiled.expect("a C compiler is installed (the Debian package is called gcc)");
    assert!(compiled.status.success(), "{compiled:?}");
    std::fs::rename(&draft, &done).expect("is put in its place");
    done
});

/// One step of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Made(String),
    Written {
        file: String,
        at: usize,
        bytes: Vec<u8>,
    },
    Cut {
        file: String,
        to: usize,
    },
    /// Everything written to it before is on the disk; the folder itself has no name.
    Flushed(String),
    /// The flush failed, and the system forgot what it could not write: the process still reads it, and no later flush writes it.
    Forgotten(String),
    Removed(String),
    Renamed {
        from: String,
        to: String,
    },
    /// Somebody outside was told something.
    Told(String),
}

/// The file that a watched process and those who drive it write to.
#[derive(Clone, Debug)]
pub struct Trace(pub PathBuf);

impl Trace {
    /// Puts what somebody was told behind all that had been done before.
    pub fn tell(&self, text: &str) {
        let mut record = vec![b'a'];
        record.extend(0_u16.to_le_bytes());
        record.extend(0_u64.to_le_bytes());
        record.extend((text.len() as u32).to_le_bytes());
        record.extend(text.as_bytes());
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&self.0).expect("the trace can be written");
        file.write_all(&record).expect("the trace can be written");
    }

    pub fn steps(&self) -> Vec<Step> {
        let trace = std::fs::read(&self.0).expect("there is a trace");
        let (mut rest, mut steps) = (&trace[..], Vec::new());
        while let Some((head, after)) = rest.split_at_checked(15) {
            let number = |from: usize, to: usize| head[from..to].iter().rev().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
            // A process that was killed may have left its last record unfinished.
            let Some((name, after)) = after.split_at_checked(number(1, 3)) else { break };
            let Some((bytes, after)) = after.split_at_checked(number(11, 15)) else { break };
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("names are UTF-8");
            let (file, at) = (text(name), number(3, 11));
            steps.push(match head[0] {
                b'c' => Step::Made(file),
                b'w' => Step::Written { file, at, bytes: bytes.to_vec() },
                b't' => Step::Cut { file, to: at },
                b'f' => Step::Flushed(file),
                b'x' => Step::Forgotten(file),
                b'u' => Step::Removed(file),
                b'r' => Step::Renamed { from: file, to: text(bytes) },
                b'a' => Step::Told(text(bytes)),
                kind => panic!("a record of the kind {kind}"),
            });
            rest = after;
        }
        steps
    }
}

/// A change of a file that may or may not have reached the disk.
#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Cut(usize),
}

impl Change {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Change::Write(at, bytes) => {
                file.resize(file.len().max(at + bytes.len()), 0);
                file[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            Change::Cut(to) => file.resize(*to, 0),
        }
    }

    /// A write as its sectors.
    fn torn(&self) -> Vec<Change> {
        let Change::Write(at, bytes) = self else { return vec![self.clone()] };
        let (mut at, mut rest, mut parts) = (*at, &bytes[..], Vec::new());
        while !rest.is_empty() {
            let (part, after) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
            parts.push(Change::Write(at, part.to_vec()));
            (at, rest) = (at + part.len(), after);
        }
        parts
    }
}

/// A change of the folder that may or may not have reached the disk.
#[derive(Clone)]
enum Entry {
    Link(String, usize),
    Unlink(String),
}

#[derive(Clone, Default)]
struct File {
    /// As the process sees it.
    seen: Vec<u8>,
    /// As it is on the disk, and what has changed since.
    safe: Vec<u8>,
    open: Vec<Change>,
}

/// What is on the disk, and what is only on its way there.
#[derive(Default)]
pub struct Disk {
    files: Vec<File>,
    /// As the process sees the folder.
    seen: BTreeMap<String, usize>,
    /// As it is on the disk, and what has changed since.
    safe: BTreeMap<String, usize>,
    open: Vec<Entry>,
}

impl Disk {
    pub fn step(&mut self, step: &Step) {
        match step {
            Step::Made(name) => {
                self.files.push(File::default());
                self.change(Entry::Link(name.clone(), self.files.len() - 1));
            }
            Step::Written { file, at, bytes } => self.file(file).change(Change::Write(*at, bytes.clone())),
            Step::Cut { file, to } => self.file(file).change(Change::Cut(*to)),
            Step::Forgotten(name) => self.file(name).open.clear(),
            Step::Flushed(name) if name.is_empty() => {
                for entry in std::mem::take(&mut self.open) {
                    entry.apply(&mut self.safe);
                }
            }
            Step::Flushed(name) => {
                let file = self.file(name);
                for change in std::mem::take(&mut file.open) {
                    change.apply(&mut file.safe);
                }
            }
            Step::Removed(name) => self.change(Entry::Unlink(name.clone())),
            Step::Renamed { from, to } => {
                let file = self.seen[from];
                self.change(Entry::Unlink(from.clone()));
                self.change(Entry::Link(to.clone(), file));
            }
            Step::Told(_) => {}
        }
    }

    fn change(&mut self, entry: Entry) {
        entry.apply(&mut self.seen);
        self.open.push(entry);
    }

    fn file(&mut self, name: &str) -> &mut File {
        let place = *self.seen.get(name).unwrap_or_else(|| panic!("{name} is written and was never made"));
        &mut self.files[place]
    }

    /// Every file as the process sees it.
    pub fn as_seen(&self) -> BTreeMap<String, Vec<u8>> {
        self.seen.iter().map(|(name, place)| (name.clone(), self.files[*place].seen.clone())).collect()
    }

    /// What may be there once the power is back. Of the folder's changes the first so many have reached the disk; of each file's changes
    /// none, all, a random half, or a random half of their sectors.
    pub fn after_a_cut(&self, chance: &mut StdRng) -> BTreeMap<String, Vec<u8>> {
        let mut folder = self.safe.clone();
        for entry in &self.open[..chance.random_range(0..=self.open.len())] {
            entry.apply(&mut folder);
        }
        let some = |changes: Vec<Change>, chance: &mut StdRng| -> Vec<Change> {
            changes.into_iter().filter(|_| chance.next_u32().is_multiple_of(2)).collect()
        };
        folder
            .into_iter()
            .map(|(name, place)| {
                let file = &self.files[place];
                let changes = match [0, 1, 2, 3].choose(chance).expect("four ways") {
                    0 => Vec::new(),
                    1 => file.open.clone(),
                    2 => some(file.open.clone(), chance),
                    _ => some(file.open.iter().flat_map(Change::torn).collect(), chance),
                };
                (name, kept(file, &changes))
            })
            .collect()
    }
}

impl File {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.open.push(change);
    }
}

fn kept(file: &File, changes: &[Change]) -> Vec<u8> {
    let mut bytes = file.safe.clone();
    changes.iter().for_each(|change| change.apply(&mut bytes));
    bytes
}

impl Entry {
    fn apply(&self, folder: &mut BTreeMap<String, usize>) {
        match self {
            Entry::Link(name, file) => drop(folder.insert(name.clone(), *file)),
            Entry::Unlink(name) => drop(folder.remove(name)),
        }
    }
}
