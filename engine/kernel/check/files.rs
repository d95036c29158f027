//! The files of a rule set by what they are, and the hash that names them. What stands in them is left to `read`.

use crate::kernel::model::Name;
use crate::kernel::model::definition::Form;
use indexmap::IndexMap;
use sha2::{Digest, Sha256};
use std::fmt::Write;

pub struct Files<'f> {
    /// Everything that is read, but the shared calendars.
    pub own: IndexMap<&'f str, &'f str>,
    /// Name of the folder, or path of the single file → its YAML files.
    pub workflows: IndexMap<&'f str, Vec<&'f str>>,
    all: &'f IndexMap<String, String>,
}

impl<'f> Files<'f> {
    pub fn sort(all: &'f IndexMap<String, String>) -> Files<'f> {
        let mut files = Files { own: IndexMap::new(), workflows: IndexMap::new(), all };
        let mut paths: Vec<&'f str> = all.keys().map(String::as_str).collect();
        paths.sort_unstable();
        for path in paths {
            let (folder, name) = path.split_once('/').unwrap_or(("", path));
            let is_yaml = is_yaml(name);
            let read = match folder {
                ".." | "tests" | "sample" | "lang" => false,
                "templates" => name.ends_with(".txt") || Form::stem(name).is_some(),
                "calendars" => is_yaml,
                "directory" => is_yaml && !name.contains('/'),
                _ => !name.contains('/') && (is_yaml || name.ends_with(".rhai")),
            };
            if !read {
                continue;
            }
            files.own.insert(path, &all[path]);
            if is_yaml && folder != "calendars" && !is_directory(path) {
                let group = if folder.is_empty() { path } else { folder };
                files.workflows.entry(group).or_default().push(path);
            }
        }
        files
    }

    /// `directory.yaml`, then `directory/*.yaml`.
    pub fn directory(&self) -> impl Iterator<Item = (&'f str, &'f str)> {
        self.own.iter().filter(|(path, _)| is_directory(path)).map(|(path, text)| (*path, *text))
    }

    /// Of notices, stem of the file → text; those of forms are called as [`Form::file`] says.
    pub fn templates(&self) -> IndexMap<Name, String> {
        let name = |path: &'f str| {
            let inside = path.strip_prefix("templates/")?;
            if Form::stem(inside).is_some() { Some(inside) } else { inside.strip_suffix(".txt") }
        };
        let texts = self.own.iter().filter_map(|(path, text)| Some((name(path)?, text)));
        texts.map(|(name, text)| (name.into(), text.to_string())).collect()
    }

    /// Function files beside the YAML files of a workflow: path → text.
    pub fn functions(&self, group: &str) -> IndexMap<String, String> {
        let folder = if is_yaml(group) { "" } else { group };
        let beside = |path: &str| path.ends_with(".rhai") && path.rsplit_once('/').map_or("", |(folder, _)| folder) == folder;
        self.own.iter().filter(|(path, _)| beside(path)).map(|(path, text)| (path.to_string(), text.to_string())).collect()
    }

    /// Name → path and text of every calendar; one of the rule set's own comes before a shared one of the same name.
    pub fn calendars(&self) -> IndexMap<&'f str, (&'f str, &'f str)> {
        let mut found = IndexMap::new();
        for folder in ["calendars/", "../calendars/"] {
            for (path, text) in self.all {
                let name = path.strip_prefix(folder).and_then(|name| name.strip_suffix(".yaml"));
                if let Some(name) = name {
                    found.entry(name).or_insert((path.as_str(), text.as_str()));
                }
            }
        }
        found
    }
}

fn is_directory(path: &str) -> bool {
    path == "directory.yaml" || path.starts_with("directory/")
}

fn is_yaml(path: &str) -> bool {
    path.ends_with(".yaml") || path.ends_with(".yml")
}

/// The name of a rule set: SHA-256 over its files, sorted by path, each with its length.
pub fn hash(files: &IndexMap<String, String>) -> Name {
    let mut sorted: Vec<_> = files.iter().collect();
    sorted.sort();
    let mut digest = Sha256::new();
    for (path, text) in sorted {
        for part in [path, text] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
    }
    let mut hex = String::with_capacity(64);
    for byte in digest.finalize() {
        // Writing into a text cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex.into()
}
