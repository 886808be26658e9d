//! The layers of `docs/architecture.md`: a module imports only from the layers
//! above its own.

use std::collections::BTreeSet;

use super::{code_of, modules};

/// The layers, lowest first. A module may import from the layers before its
/// own. Tests inside `src` are exempt.
const LAYERS: [&[&str]; 18] = [
    &[
        "descriptors",
        "drain",
        "error_chain",
        "executor",
        "lazy_timer",
        "negotiation",
        "permits",
        "secret",
        "tls",
        "wall_clock",
        "wire",
    ],
    &["dialect", "request_body"],
    &["config"],
    &["telemetry"],
    &["shared_limit", "store"],
    &["catalog"],
    &["access", "limits", "routing"],
    &["ledger", "store_sync", "upstream"],
    &["metering"],
    &["error_response"],
    &["proxy"],
    &["snapshot"],
    &["routes"],
    &["server"],
    &["admin", "demo"],
    &["app"],
    &["cli", "internals"],
    &["main"],
];

/// Modules that may import only these.
const RESTRICTED: [(&str, &[&str]); 3] = [
    ("demo", &["secret", "wall_clock", "wire"]),
    ("dialect", &["wire"]),
    ("telemetry", &["config", "tls", "wall_clock", "wire"]),
];

/// What a module may import; none when it is in no layer.
fn allowed(module: &str) -> Option<Vec<&'static str>> {
    let layer = LAYERS.iter().position(|layer| layer.contains(&module))?;
    let restricted = RESTRICTED.iter().find(|(name, _)| *name == module);
    Some(restricted.map_or_else(|| LAYERS[..layer].concat(), |(_, names)| names.to_vec()))
}

/// Every violation in one file: its module is in no layer, or it imports upward.
fn violations(module: &[&str], source: &str) -> Vec<String> {
    let own = module[0];
    let Some(allowed) = allowed(own) else {
        return vec![format!("`{own}` is in no layer")];
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
    // `super` leads out of a module only when it is repeated as often as the
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

#[test]
fn modules_import_only_from_the_layers_below() {
    let mut found = Vec::new();
    for (module, source) in modules() {
        let module: Vec<&str> = module.iter().map(String::as_str).collect();
        found.extend(violations(&module, &source));
    }
    assert_eq!(found, Vec::<String>::new());
}

/// Where a source reads the time of day, which jumps (`src/wall_clock.rs`).
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
fn the_wall_clock_is_read_in_one_module() {
    let mut readers = Vec::new();
    for (module, source) in modules() {
        if reads_the_time_of_day(&source) {
            readers.push(module.join("::"));
        }
    }
    assert_eq!(readers, ["wall_clock"]);
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
            violations(&["config", "load"], source),
            ["`config::load` imports `proxy`"],
            "{source}"
        );
    }
    assert_eq!(
        violations(&["telemetry"], "use crate::catalog::Model;").len(),
        1
    );
    assert_eq!(
        violations(&["routing"], "use crate::downstream::access::Key;").len(),
        1
    );
    assert_eq!(violations(&["dialect"], "use crate::executor::x;").len(), 1);
    assert_eq!(
        violations(&["wire", "scan"], "use crate::request_body::RequestBody;").len(),
        1
    );
    assert_eq!(violations(&["helpers"], "").len(), 1);
}

#[test]
fn what_is_allowed_is_not_found() {
    for source in [
        "use crate::secret::Secret;",
        "use crate::{secret::Secret, wire};",
        "use crate::config::raw;",
        "use super::raw;",
        "//! See [`crate::proxy`].",
        "let a = 1; // crate::proxy",
        "use other_crate::proxy;",
        "use http::proxy;",
        "#[cfg(test)]\nmod tests {\n    use crate::proxy;\n}",
        "#[cfg(test)]\nuse crate::proxy;",
    ] {
        assert_eq!(
            violations(&["config", "load"], source),
            Vec::<String>::new(),
            "{source}"
        );
    }
    assert_eq!(
        violations(&["server", "conn"], "use crate::snapshot::build;"),
        Vec::<String>::new()
    );
}
