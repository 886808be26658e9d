//! The layers of the design: a module imports only from the lines above it.
//! Imports alone are held; sizes are not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The lines of the table in reading order. A module may import what stands in
/// the lines above its own. Tests inside `src` are exempt.
const LINES: [&[&str]; 13] = [
    &["secret", "executor", "places", "clock", "alarm", "wire"],
    &["body", "dialect"],
    &["config"],
    &["telemetry"],
    &["catalog"],
    &["routing", "access"],
    &["upstream"],
    &["metering"],
    &["proxy"],
    &["gateway"],
    &["server"],
    &["cli"],
    &["main"],
];

/// Modules that stand aside and may import less than their place allows.
const ASIDE: [(&str, &[&str]); 2] = [("telemetry", &["clock", "config"]), ("dialect", &["wire"])];

/// What a module may import; none when it has no line.
fn allowed(module: &str) -> Option<Vec<&'static str>> {
    let line = LINES.iter().position(|line| line.contains(&module))?;
    let aside = ASIDE.iter().find(|(name, _)| *name == module);
    Some(aside.map_or_else(|| LINES[..line].concat(), |(_, names)| names.to_vec()))
}

/// Every fault of one file: its module is unknown, or it imports upward.
fn faults(module: &[&str], source: &str) -> Vec<String> {
    let own = module[0];
    let Some(allowed) = allowed(own) else {
        return vec![format!("`{own}` has no line in the table of layers")];
    };
    let imports = imports(module, source);
    let upward = imports
        .iter()
        .filter(|name| *name != own && !allowed.contains(&name.as_str()));
    upward
        .map(|name| format!("`{}` imports `{name}`", module.join("::")))
        .collect()
}

/// The modules of this crate that a file names: in `use`, and in full paths.
fn imports(module: &[&str], source: &str) -> BTreeSet<String> {
    let code = code_of(source);
    let mut found = BTreeSet::new();
    for root in ["crate::", "trunkline::"] {
        let after = code
            .match_indices(root)
            .filter(|(at, _)| !follows_a_name(&code, *at));
        after.for_each(|(at, _)| found.extend(heads(&code[at + root.len()..])));
    }
    // `super` leads out of a module only when it is said as often as the
    // module is deep.
    let out = "super::".repeat(module.len());
    for (at, _) in code.match_indices(&out) {
        let more = code[..at].ends_with("super::") || code[at + out.len()..].starts_with("super::");
        if !more {
            found.extend(heads(&code[at + out.len()..]));
        }
    }
    found
}

fn follows_a_name(code: &str, at: usize) -> bool {
    code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':')
}

/// The first names of a path, or of each path in a group.
fn heads(path: &str) -> Vec<String> {
    let name = |path: &str| -> String {
        path.trim()
            .chars()
            .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
            .collect()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let mut depth = 0;
    let end = group.find(|letter| match letter {
        '{' => {
            depth += 1;
            false
        }
        '}' if depth == 0 => true,
        '}' => {
            depth -= 1;
            false
        }
        _ => false,
    });
    let group = &group[..end.unwrap_or(group.len())];
    let mut depth = 0;
    let paths = group.split(move |letter| {
        depth += match letter {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        letter == ',' && depth == 0
    });
    paths.map(name).filter(|name| !name.is_empty()).collect()
}

/// The file without comments, without lines for tests alone, and without the
/// tests at its end.
fn code_of(source: &str) -> String {
    let mut code = Vec::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let next = lines.next().unwrap_or_default();
            if next.contains("mod ") && next.ends_with('{') {
                break;
            }
            continue;
        }
        code.push(line.split_once("//").map_or(line, |(code, _)| code));
    }
    code.join("\n")
}

/// All Rust files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// `src/wire/scan.rs` is the module `wire::scan`, `src/wire/mod.rs` is `wire`.
fn module_of(relative: &Path) -> Vec<String> {
    let without = relative.with_extension("");
    let names = without.iter().map(|name| name.to_str().unwrap().to_owned());
    names.filter(|name| name != "mod").collect()
}

/// Every module and its source, but for the crate's root, which names its
/// modules, and for files of tests, which may do what they like.
fn sources() -> Vec<(Vec<String>, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = files(&root).into_iter().map(|file| {
        let module = module_of(file.strip_prefix(&root).unwrap());
        (module, std::fs::read_to_string(file).unwrap())
    });
    let found: Vec<_> = files
        .filter(|(module, _)| module[..] != ["lib"] && !module.iter().any(|part| part == "tests"))
        .collect();
    assert!(found.len() > 2, "no sources were found");
    found
}

#[test]
fn modules_import_only_from_the_lines_above_them() {
    let mut found = Vec::new();
    for (module, source) in sources() {
        let module: Vec<&str> = module.iter().map(String::as_str).collect();
        found.extend(faults(&module, &source));
    }
    assert_eq!(found, Vec::<String>::new());
}

/// Where a source reads the time of day, which jumps (`src/clock.rs`).
fn reads_the_time_of_day(source: &str) -> bool {
    let code = code_of(source);
    [
        "SystemTime::now",
        "Timestamp::now",
        "Zoned::now",
        "Utc::now",
    ]
    .iter()
    .any(|call| code.contains(call))
}

#[test]
fn the_time_of_day_is_read_in_one_place() {
    let mut readers = Vec::new();
    for (module, source) in sources() {
        if reads_the_time_of_day(&source) {
            readers.push(module.join("::"));
        }
    }
    assert_eq!(readers, ["clock"]);
    assert!(reads_the_time_of_day(
        "let now = std::time::SystemTime::now();"
    ));
}

#[test]
fn an_upward_import_is_found_in_every_spelling() {
    for source in [
        "use crate::proxy;",
        "use crate::proxy::reply::Error;",
        "use crate::{secret::Secret, proxy::reply};",
        "use crate::{\n    secret::{Secret, proxy2},\n    proxy,\n};",
        "fn f() -> crate::proxy::Error {}",
        "use super::super::proxy;",
        "use trunkline::proxy;",
        "#[cfg(test)]\nmod tests;\nuse crate::proxy;",
    ] {
        assert_eq!(
            faults(&["config", "load"], source),
            ["`config::load` imports `proxy`"],
            "{source}"
        );
    }
    assert_eq!(
        faults(&["telemetry"], "use crate::catalog::Model;").len(),
        1
    );
    assert_eq!(
        faults(&["routing"], "use crate::downstream::access::Key;").len(),
        1
    );
    assert_eq!(faults(&["dialect"], "use crate::executor::x;").len(), 1);
    assert_eq!(
        faults(&["wire", "scan"], "use crate::body::Outgoing;").len(),
        1
    );
    assert_eq!(faults(&["helpers"], "").len(), 1);
}

#[test]
fn what_is_allowed_is_not_found() {
    for source in [
        "use crate::secret::Secret;",
        "use crate::{secret::Secret, wire};",
        "use crate::config::raw;",
        "use crate::raw;",
        "//! See [`crate::proxy`].",
        "let a = 1; // crate::proxy",
        "use other_crate::proxy;",
        "use http::proxy;",
        "#[cfg(test)]\nmod tests {\n    use crate::proxy;\n}",
        "#[cfg(test)]\nuse crate::proxy;",
    ] {
        assert_eq!(
            faults(&["config", "load"], source),
            Vec::<String>::new(),
            "{source}"
        );
    }
    assert_eq!(
        faults(
            &["server", "conn"],
            "use crate::support::gateway::Snapshot;"
        ),
        Vec::<String>::new()
    );
}
