//! Files that people handed in.

use super::At;
use super::state::{State, UploadEntry};
use crate::kernel::model::attached::Attached;
use crate::kernel::time::Instant;

impl At<'_> {
    pub fn keep_upload(&mut self, file: &Attached, person: &str, pieces: Vec<String>, at: Instant) {
        let key = (file.digest.clone(), person.to_string(), file.name.clone());
        let entry = || UploadEntry { size: file.size, media: file.media.clone(), at, kept: false };
        self.uploads.entry(key).or_insert_with(entry).at = at;
        self.contents.entry(file.digest.clone()).or_insert(pieces);
    }

    pub fn need_upload(&mut self, file: &Attached, person: &str, at: Instant) -> bool {
        let row = self.uploads.get_mut(&(file.digest.clone(), person.to_string(), file.name.clone()));
        let found = row.filter(|row| row.size == file.size && row.media == file.media);
        found.map(|row| row.at = at).is_some()
    }

    pub fn piece(&self, digest: &str, part: i64) -> Option<String> {
        self.contents.get(digest)?.get(usize::try_from(part).ok()?).cloned()
    }
}

impl State {
    pub fn forget_uploads(&mut self, before: Instant) {
        for office in self.offices.values_mut() {
            let told: Vec<String> =
                office.items.values().flat_map(|row| row.facts.values()).filter_map(|fact| serde_json::to_string(&**fact).ok()).collect();
            office.uploads.retain(|(digest, ..), row| {
                if row.at < before && !row.kept {
                    row.kept = told.iter().any(|fact| fact.contains(&format!("sha256:{digest}")));
                    return row.kept;
                }
                true
            });
            let uploads = &office.uploads;
            office.contents.retain(|digest, _| uploads.keys().any(|(known, ..)| known == digest));
        }
    }
}
