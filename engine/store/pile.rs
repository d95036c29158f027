//! Decisions of a long list on their way to the store. They wait until all of them are there, and what each will write is much like what
//! the others will: packed, a twentieth is left of it.

use super::save::{About, Save, Unit};
use super::{Behind, Store, StoreError};
use crate::kernel::model::decision::Accepted;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// So many facts and notices, some half a megabyte of texts, are packed together.
const PACK: usize = 128;
/// So many packs are made at a time: what is not packed yet is ten times as large.
const AT_WORK: usize = 2;

/// Of the levels of deflate the one that leaves least for its time: notices of one workflow become a twentieth, at 600 MB/s.
const LEVEL: u32 = 3;

/// Decisions that stand or fall together, gathered one after the other.
#[derive(Debug)]
pub struct Pile {
    /// In their order: those that are packed, lots that are being packed, and those that are not.
    saves: Unit,
    at_work: VecDeque<JoinHandle<Result<Unit, StoreError>>>,
    loose: Vec<(About, Accepted)>,
    /// Facts and notices of what is loose.
    size: usize,
    /// A model takes decisions as they are.
    packs: bool,
}

impl Store {
    /// Begins to gather decisions for one commit.
    pub fn pile(&self) -> Pile {
        let packs = matches!(self.behind, Behind::Database(_));
        Pile { saves: Vec::new(), at_work: VecDeque::new(), loose: Vec::new(), size: 0, packs }
    }
}

impl Pile {
    pub fn is_empty(&self) -> bool {
        self.saves.is_empty() && self.at_work.is_empty() && self.loose.is_empty()
    }

    /// Adds a decision. Its rows are made beside whoever decides the next one.
    pub async fn push(&mut self, about: About, accepted: Accepted) -> Result<(), StoreError> {
        self.size += accepted.facts.len() + accepted.notices.len();
        self.loose.push((about, accepted));
        if self.size >= PACK && self.packs {
            let lot = std::mem::take(&mut self.loose);
            self.size = 0;
            self.at_work.push_back(tokio::task::spawn_blocking(|| packed(saves(lot)?)));
            while self.at_work.len() > AT_WORK {
                self.take_packed().await?;
            }
        }
        Ok(())
    }

    /// As `begin_save` takes them.
    pub async fn into_unit(mut self) -> Result<Unit, StoreError> {
        while !self.at_work.is_empty() {
            self.take_packed().await?;
        }
        self.saves.extend(saves(self.loose)?);
        Ok(self.saves)
    }

    async fn take_packed(&mut self) -> Result<(), StoreError> {
        let Some(lot) = self.at_work.pop_front() else { return Ok(()) };
        let lot = lot.await.map_err(|error| StoreError::NotDone(format!("the decisions were not packed: {error}")))?;
        self.saves.append(&mut lot?);
        Ok(())
    }
}

fn saves(decided: Vec<(About, Accepted)>) -> Result<Unit, StoreError> {
    decided.into_iter().map(|(about, accepted)| Save::new(about, accepted)).collect()
}

fn packed(mut lot: Unit) -> Result<Unit, StoreError> {
    let pack = Arc::new(Pack::of(lot.iter().flat_map(|save| save.texts().plain())));
    let mut from = 0;
    for save in &mut lot {
        let count = save.texts().plain().len();
        save.packed(Texts::Packed { pack: pack.clone(), from, count });
        from += count;
    }
    Ok(lot)
}

/// What one decision writes, as JSON: texts without a line break.
#[derive(Clone, Debug)]
pub(super) enum Texts {
    Plain(Vec<String>),
    /// So many lines of a pack, the first of them counted from 0.
    Packed {
        pack: Arc<Pack>,
        from: usize,
        count: usize,
    },
}

impl Texts {
    pub fn is_packed(&self) -> bool {
        matches!(self, Texts::Packed { .. })
    }

    fn plain(&self) -> &[String] {
        match self {
            Texts::Plain(texts) => texts,
            Texts::Packed { .. } => &[],
        }
    }
}

/// Texts of several decisions, a line each, deflated.
#[derive(Debug)]
pub(super) struct Pack(Box<[u8]>);

impl Pack {
    fn of<'a>(mut texts: impl Iterator<Item = &'a String>) -> Pack {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(LEVEL));
        let written = texts.try_for_each(|text| encoder.write_all(text.as_bytes()).and_then(|()| encoder.write_all(b"\n")));
        let bytes = written.and_then(|()| encoder.finish()).expect("writing into memory does not fail");
        Pack(bytes.into())
    }

    fn text(&self) -> String {
        let mut text = String::new();
        DeflateDecoder::new(&*self.0).read_to_string(&mut text).expect("it was packed here");
        text
    }
}

/// Reads texts, best in the order in which they were packed: the last pack stays open.
#[derive(Default)]
pub(super) struct Reader {
    pack: Option<Arc<Pack>>,
    text: String,
    /// Where each line of it ends.
    ends: Vec<usize>,
}

impl Reader {
    /// The texts of one decision, in their order.
    pub fn read<'a>(&'a mut self, texts: &'a Texts) -> Vec<&'a str> {
        match texts {
            Texts::Plain(texts) => texts.iter().map(String::as_str).collect(),
            Texts::Packed { pack, from, count } => {
                if !self.pack.as_ref().is_some_and(|open| Arc::ptr_eq(open, pack)) {
                    self.text = pack.text();
                    self.ends = self.text.match_indices('\n').map(|(at, _)| at).collect();
                    self.pack = Some(pack.clone());
                }
                let begin = |line: usize| line.checked_sub(1).map_or(0, |before| self.ends[before] + 1);
                (*from..from + count).map(|line| &self.text[begin(line)..self.ends[line]]).collect()
            }
        }
    }
}
