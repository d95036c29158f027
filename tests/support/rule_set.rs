//! Rule sets from disk, as `check::load` takes them.

use indexmap::IndexMap;
use std::path::Path;

/// The files of a rule-set folder by path inside it, with the shared calendars beside it.
pub fn files_of(folder: &Path) -> IndexMap<String, String> {
    let mut files = IndexMap::new();
    collect(folder, "", &mut files);
    if let Some(shared) = folder.parent().map(|parent| parent.join("calendars")).filter(|shared| shared.is_dir()) {
        collect(&shared, "../calendars/", &mut files);
    }
    files
}

fn collect(folder: &Path, prefix: &str, files: &mut IndexMap<String, String>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("reading {}: {error}", folder.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_string_lossy());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files);
        } else if let Some("yaml" | "rhai" | "txt" | "html") = path.extension().and_then(|extension| extension.to_str()) {
            files.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
}
