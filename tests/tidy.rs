//! The map of the house, held against the sources: who may use whom, who may touch the outside, and no word of a procedure in the engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Layers from the ground up. A module uses lower layers, and of its own layer only what stands behind it.
const LAYERS: &[&[(&str, &[&str])]] = &[
    &[("kernel/time", &[]), ("kernel/model", &["kernel/time"])],
    &[
        ("kernel/words", &[]),
        ("kernel/calendar", &[]),
        ("kernel/render", &["kernel/words", "kernel/calendar"]),
        ("kernel/rules", &["kernel/calendar"]),
        ("kernel/read", &["kernel/calendar", "kernel/render", "kernel/rules"]),
        ("kernel/derive", &["kernel/rules", "kernel/calendar"]),
        ("kernel/access", &["kernel/derive", "kernel/rules"]),
        ("kernel/decide", &["kernel/derive", "kernel/access", "kernel/rules", "kernel/calendar", "kernel/render", "kernel/words"]),
        (
            "kernel/check",
            &["kernel/read", "kernel/rules", "kernel/render", "kernel/calendar", "kernel/words", "kernel/decide", "kernel/report"],
        ),
        (
            "kernel/simulate",
            &[
                "kernel/decide",
                "kernel/derive",
                "kernel/access",
                "kernel/read",
                "kernel/report",
                "kernel/rules",
                "kernel/render",
                "kernel/calendar",
                "kernel/words",
            ],
        ),
        ("kernel/explain", &["kernel/decide", "kernel/derive", "kernel/rules", "kernel/calendar", "kernel/words"]),
        ("kernel/agenda", &["kernel/explain", "kernel/rules", "kernel/words"]),
        ("kernel/similar", &[]),
        ("kernel/form", &["kernel/decide", "kernel/access", "kernel/rules", "kernel/render", "kernel/words"]),
        ("kernel/report", &["kernel/decide", "kernel/derive", "kernel/rules", "kernel/render", "kernel/words"]),
        (
            "kernel/plan",
            &[
                "kernel/decide",
                "kernel/derive",
                "kernel/explain",
                "kernel/read",
                "kernel/rules",
                "kernel/check",
                "kernel/simulate",
                "kernel/calendar",
                "kernel/words",
            ],
        ),
        ("kernel/author", &["kernel/read", "kernel/rules", "kernel/render", "kernel/calendar", "kernel/words"]),
    ],
    &[
        ("clock", &[]),
        ("attach", &["store"]),
        ("store", &[]),
        ("mail", &[]),
        ("sheet", &[]),
        ("files", &[]),
        ("observe", &[]),
        ("hook", &[]),
        ("oidc", &["hook"]),
    ],
    &[
        ("app", &[]),
        ("scheduler", &["app"]),
        ("demo", &["app"]),
        ("generate", &["app"]),
        ("api", &["app", "scheduler"]),
        ("web", &["app", "scheduler"]),
    ],
    &[("config", &[]), ("serve", &["config"]), ("cli", &["serve", "config"])],
    &[("main", &[]), ("lib", &[])],
];

/// Outside names and the modules that may write them.
const OUTSIDE: &[(&str, &[&str])] = &[
    ("rhai::", &["kernel/rules"]),
    ("minijinja::", &["kernel/render"]),
    ("serde_saphyr", &["kernel/read"]),
    ("serde_yaml::", &["kernel/read", "kernel/words", "config", "demo"]),
    ("cron::Schedule", &["kernel/calendar"]),
    ("sqlx::", &["store"]),
    ("lettre::", &["mail"]),
    ("flate2::", &["store"]),
    ("calamine::", &["sheet"]),
    ("csv::", &["sheet"]),
    ("encoding_rs::", &["sheet"]),
    ("rust_xlsxwriter::", &["sheet"]),
    ("axum::", &["api", "web", "serve"]),
    ("mail_parser", &["mail"]),
    ("utoipa", &["api"]),
    ("argon2::", &["app"]),
    ("hmac::", &["app", "hook"]),
    ("ring::signature", &["oidc"]),
    ("qrcodegen::", &["web"]),
    ("clap::", &["cli"]),
    ("indicatif::", &["cli"]),
    ("comfy_table::", &["cli"]),
    ("annotate_snippets::", &["cli"]),
    ("std::env", &["config"]),
    ("icu_normalizer", &["attach"]),
    ("zip::", &["attach", "sheet"]),
    ("std::fs", &["attach", "files", "cli", "store", "mail", "sheet", "config"]),
    ("Utc::now", &["clock"]),
    ("SystemTime::now", &["clock"]),
    ("rand::", &["app", "cli", "serve", "api", "store", "generate"]),
];

/// What the kernel never knows.
const NEVER_IN_KERNEL: &[&str] = &["tokio", "async fn", "tracing::", "std::fs", "std::env", "Instant::now"];

fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("the source tree can be listed").flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                out.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("engine");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&root).expect("found under the root").to_string_lossy().replace('\\', "/");
        (name, std::fs::read_to_string(&path).expect("sources are text"))
    };
    paths.into_iter().map(read).collect()
}

/// `kernel/derive/due.rs` is in `kernel/derive`, `store/writer.rs` in `store`, `clock.rs` in `clock`.
fn module_of(file: &str) -> String {
    let parts: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    match parts.as_slice() {
        ["kernel", "mod"] => "kernel".into(),
        ["kernel", module, ..] => format!("kernel/{module}"),
        [module, ..] => module.to_string(),
        [] => String::new(),
    }
}

/// Lines of code, without comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Every module named after `crate::` in a line, also inside braces.
fn used(line: &str) -> Vec<String> {
    line.match_indices("crate::")
        .filter_map(|(at, _)| {
            let path = line[at + "crate::".len()..].split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').next()?;
            let mut names = path.split("::").filter(|name| !name.is_empty());
            match names.next()? {
                "kernel" => names.next().map(|name| format!("kernel/{name}")),
                name => Some(name.to_string()),
            }
        })
        .collect()
}

#[test]
fn modules_use_only_what_is_below_them() {
    let mut place = BTreeMap::new();
    for (layer, modules) in LAYERS.iter().enumerate() {
        for (module, beside) in *modules {
            place.insert(*module, (layer, *beside));
        }
    }
    let mut faults = Vec::new();
    for (file, text) in sources() {
        let module = module_of(&file);
        if module == "kernel" || module == "lib" || module == "main" {
            continue;
        }
        let Some((layer, beside)) = place.get(module.as_str()) else {
            faults.push(format!("`{module}` ({file}) is not on the map"));
            continue;
        };
        for (line, source) in code(&text) {
            for used in used(source).into_iter().filter(|used| *used != module) {
                match place.get(used.as_str()) {
                    None => faults.push(format!("{file}:{line}: `{used}` is not on the map")),
                    Some((below, _)) if below < layer => {}
                    Some((same, _)) if same == layer && beside.contains(&used.as_str()) => {}
                    Some(_) => faults.push(format!("{file}:{line}: `{module}` uses `{used}`, which is not below it")),
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn only_those_named_touch_the_outside() {
    let mut faults = Vec::new();
    for (file, text) in sources() {
        let module = module_of(&file);
        for (line, source) in code(&text) {
            for (outside, allowed) in OUTSIDE {
                if source.contains(outside) && !allowed.contains(&module.as_str()) {
                    faults.push(format!("{file}:{line}: `{module}` touches `{outside}`"));
                }
            }
            if module.starts_with("kernel") {
                for never in NEVER_IN_KERNEL.iter().filter(|never| source.contains(**never)) {
                    faults.push(format!("{file}:{line}: the kernel knows `{never}`"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What the databases are held against must not be made of what it measures.
#[test]
fn the_model_of_the_store_knows_no_sql() {
    let model: Vec<_> = sources().into_iter().filter(|(file, _)| file.starts_with("store/model/")).collect();
    assert!(model.len() > 3, "the model has moved");
    let mut faults = Vec::new();
    for (file, text) in &model {
        for (line, source) in code(text) {
            let never = ["sqlx", "statements", "dialect", "writer::", "save::write", "Prepared"];
            faults.extend(never.iter().filter(|never| source.contains(**never)).map(|never| format!("{file}:{line}: `{never}`")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Nobody asks when, where or by whom it is built. One thing of it goes in all the same: `ahash`, which Rhai brings, takes random numbers
/// while it is compiled, unless `CONST_RANDOM_SEED` names them.
#[test]
fn nothing_of_its_building_goes_into_the_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).expect("has a manifest");
    assert!(!root.join("build.rs").exists() && !manifest.contains("build-dependencies"), "nothing runs while it is built");
    assert!(!manifest.lines().any(|line| line.trim_start().starts_with("build ")), "nothing runs while it is built");
    let tell = ["compile-time", "build-time", "built", "vergen", "shadow-rs", "git-version", "chrono-build", "buildinfo"];
    let lock = std::fs::read_to_string(root.join("Cargo.lock")).expect("has a lock file");
    let packages = lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    let telling: Vec<&str> =
        packages.filter(|name| tell.iter().any(|tell| *name == *tell || name.starts_with(&format!("{tell}-")))).collect();
    assert!(telling.is_empty(), "{telling:?}");
    let mut faults = Vec::new();
    for (file, text) in sources() {
        for (line, source) in code(&text) {
            // `option_env!` ends so as well.
            for (at, macro_of) in source.match_indices("env!(") {
                let name = source[at + macro_of.len()..].split('"').nth(1).unwrap_or_default();
                if !name.starts_with("CARGO_PKG_") {
                    faults.push(format!("{file}:{line}: `{name}` is asked while it is built"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Chinese stands in the catalogue, in the spellings of the language and of written dates, and nowhere else in the engine.
#[test]
fn no_word_of_a_procedure_in_the_engine() {
    let is_chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    let language = [
        "kernel/words/",
        "kernel/read/phrase.rs",
        "kernel/time.rs",
        "kernel/rules/names.rs",
        "kernel/read/characters.rs",
        "kernel/read/values.rs",
        "sheet/value.rs",
    ];
    let mut faults = Vec::new();
    for (file, text) in sources() {
        if language.iter().any(|allowed| file.starts_with(allowed)) {
            continue;
        }
        for (line, source) in code(&text) {
            if let Some(word) = source.split(|c| !is_chinese(c)).find(|word| word.chars().count() >= 2) {
                faults.push(format!("{file}:{line}: `{word}`"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//!") && !text.starts_with("#![doc")).map(|(file, _)| file).collect();
    assert!(silent.is_empty(), "without a first sentence: {}", silent.join(", "));
}

#[test]
fn both_catalogues_have_the_same_keys_and_values() {
    use duban::kernel::words::{Lang, catalogue};
    let names = |text: &str| {
        let mut names: Vec<String> =
            text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name.to_string()).collect();
        names.sort();
        names.dedup();
        names
    };
    let (zh, en) = (catalogue(Lang::Zh), catalogue(Lang::En));
    let mut faults = Vec::new();
    for (key, text) in zh {
        match en.get(key) {
            None => faults.push(format!("`{key}` is missing in English")),
            // A month has a name in one language and a number in the other.
            Some(_) if key.starts_with("render.") => {}
            Some(english) if names(english).iter().any(|name| !names(text).contains(name) && !text.is_empty()) => {
                faults.push(format!("`{key}` speaks of {:?} in English and of {:?} in Chinese", names(english), names(text)));
            }
            Some(_) => {}
        }
    }
    faults.extend(en.keys().filter(|key| !zh.contains_key(*key)).map(|key| format!("`{key}` is missing in Chinese")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
