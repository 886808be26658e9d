//! What a rule holds for. One that holds for nothing is an error: it would be taken for
//! a limit.

use wildmatch::WildMatch;

use super::RuleCheck;
use super::names::{LimitScope, ModelNames, NameSource};
use crate::config::check::{Checker, key_models};
use crate::config::error::{KeyPath, nearest};
use crate::config::{LimitBy, ProviderConfig};

const NO_CLIENTS: &str = "no client key and no certificate is configured, so it never holds; add \
                          one (trunkline keygen), or remove this";

/// False after an error.
pub fn check(checker: &mut Checker<'_>, check: &RuleCheck<'_>, scope: &LimitScope<'_>) -> bool {
    let before = checker.errors.iter().count();
    let has_errors = |checker: &Checker<'_>| checker.errors.iter().count() > before;
    check_clients(checker, check, scope);
    check_models(checker, check, scope);
    check_providers(checker, check, scope);
    // What has an error of its own may be what it holds for.
    if has_errors(checker) || checker.is_pruned(&check.path) || has_faulty_clients(checker, scope) {
        return false;
    }
    check_combination(checker, check, scope);
    if !has_errors(checker) {
        check_per(checker, check, scope);
        warn_of_other_names(checker, check, scope);
    }
    !has_errors(checker)
}

fn has_faulty_clients(checker: &Checker<'_>, scope: &LimitScope<'_>) -> bool {
    let (written, access) = (&scope.raw.access, &scope.config.access);
    checker.is_pruned(&KeyPath::new(["access"]))
        || written.keys.len() != access.keys.len()
        || written.certificates.len() != access.certificates.len()
}

fn check_clients(checker: &mut Checker<'_>, check: &RuleCheck<'_>, scope: &LimitScope<'_>) {
    let RuleCheck { path, raw, .. } = check;
    // As written: a key with an error of its own is a client all the same.
    let access = &scope.raw.access;
    let names = access.keys.keys().chain(access.certificates.keys());
    let names: Vec<&str> = names.map(String::as_str).collect();
    if names.is_empty() {
        if !checker.is_pruned(&KeyPath::new(["access"])) {
            check_open_access(checker, check);
        }
        return;
    }
    let teams = access.keys.values().filter_map(|it| it.team.as_deref());
    let certificates = access.certificates.values();
    let teams = teams.chain(certificates.filter_map(|it| it.team.as_deref()));
    let teams: Vec<&str> = teams.collect();
    let of_keys = raw.keys.as_deref();
    check_globs(
        checker,
        &path.key("keys"),
        "key or certificate",
        of_keys,
        &names,
    );
    check_globs(
        checker,
        &path.key("teams"),
        "team of a key",
        raw.teams.as_deref(),
        &teams,
    );
}

fn check_open_access(checker: &mut Checker<'_>, check: &RuleCheck<'_>) {
    let RuleCheck { path, raw, .. } = check;
    let by_client = [LimitBy::Key, LimitBy::Team, LimitBy::User];
    let needs_clients = [
        ("keys", raw.keys.is_some()),
        ("teams", raw.teams.is_some()),
        ("per", raw.per.iter().any(|it| by_client.contains(it))),
    ];
    for (key, _) in needs_clients.into_iter().filter(|(_, is_used)| *is_used) {
        checker.error(&path.key(key), NO_CLIENTS);
    }
}

fn check_globs(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    kind: &str,
    globs: Option<&[String]>,
    names: &[&str],
) {
    check_not_empty(checker, path, globs);
    for (index, glob) in globs.unwrap_or_default().iter().enumerate() {
        let matcher = WildMatch::new(glob);
        if !names.iter().any(|name| matcher.matches(name)) {
            let meant = nearest(glob, names.iter().copied());
            checker.error(&path.index(index), no_match(glob, kind, meant));
        }
    }
}

fn check_not_empty(checker: &mut Checker<'_>, path: &KeyPath, globs: Option<&[String]>) {
    if globs.is_some_and(<[String]>::is_empty) {
        checker.error(path, "empty, so it never holds; remove it to match all");
    }
}

fn no_match(glob: &str, kind: &str, meant: Option<&str>) -> String {
    match meant {
        Some(meant) => format!("{glob:?} matches no {kind}; did you mean {meant:?}?"),
        None => format!("{glob:?} matches no {kind}"),
    }
}

fn check_models(checker: &mut Checker<'_>, check: &RuleCheck<'_>, scope: &LimitScope<'_>) {
    let path = check.path.key("models");
    check_not_empty(checker, &path, check.raw.models.as_deref());
    for (index, glob) in check.raw.models.iter().flatten().enumerate() {
        if !key_models::allows_something(scope.config, glob) {
            let meant = nearest(glob, scope.config.models.keys().map(String::as_str));
            checker.error(&path.index(index), no_match(glob, "model", meant));
        }
    }
}

fn check_providers(checker: &mut Checker<'_>, check: &RuleCheck<'_>, scope: &LimitScope<'_>) {
    let path = check.path.key("providers");
    let globs = check.raw.providers.as_deref();
    let providers = &scope.config.providers;
    let names: Vec<&str> = providers.keys().map(String::as_str).collect();
    check_globs(checker, &path, "provider", globs, &names);
    for (index, glob) in globs.unwrap_or_default().iter().enumerate() {
        let matcher = WildMatch::new(glob);
        let matching = providers.values().filter(|it| matcher.matches(&it.name));
        let matching: Vec<&ProviderConfig> = matching.collect();
        // One that is configured has a warning of its own.
        let has_none = matching.is_empty();
        if has_none || matching.iter().any(|it| it.configured || it.is_ready()) {
            continue;
        }
        let path = path.index(index);
        let missing = matching.iter().find_map(|it| it.missing());
        let cure = match missing {
            Some(variable) => format!("set {variable}"),
            None => format!("write [providers.{glob}]"),
        };
        let text = format!("no provider that {glob:?} matches is ready; {cure}");
        checker.warn(checker.layers.location(&path), &path, text);
    }
}

/// Each matcher matches something, but all of them together may match nothing.
fn check_combination(checker: &mut Checker<'_>, check: &RuleCheck<'_>, scope: &LimitScope<'_>) {
    let RuleCheck { path, raw, rule } = check;
    if scope.clients_of(rule).next().is_none() {
        let text = "never holds: no key or certificate that `keys` matches is in one of `teams`";
        checker.error(path, text);
        return;
    }
    let names = scope.names_of(&[rule]);
    if names.is_empty() {
        let text = "never holds: no client that it is for may use a model that it is for; \
                    correct `models` of the limit, or those of the key";
        checker.error(path, text);
        return;
    }
    let reaches = |names: &&ModelNames<'_>| names.reaches(rule, scope.config);
    if raw.providers.is_some() && !names.iter().any(reaches) {
        let text = "never holds: no model that it is for has a target at one of `providers`";
        checker.error(path, text);
    }
}

/// What has amounts of its own must tell requests apart.
fn check_per(checker: &mut Checker<'_>, check: &RuleCheck<'_>, scope: &LimitScope<'_>) {
    let path = check.path.key("per");
    let mut clients = scope.clients_of(check.rule);
    if check.rule.per.contains(&LimitBy::Team) && clients.all(|client| client.team.is_none()) {
        let text = "no client that it holds for has a team, so that all would share one amount; \
                    set `team` of the keys, or remove \"team\"";
        checker.error(&path, text);
    }
    let mut clients = scope.clients_of(check.rule);
    if check.rule.per.contains(&LimitBy::User) && !clients.any(|client| client.may_name_users) {
        let text = "no client that it holds for may name users, so that all would share one \
                    amount; set may_name_users = true of a key whose users can be believed, or \
                    remove \"user\"";
        checker.error(&path, text);
    }
}

/// A client may pass by a limit of an alias by its target's own name.
fn warn_of_other_names(checker: &mut Checker<'_>, check: &RuleCheck<'_>, scope: &LimitScope<'_>) {
    let RuleCheck { path, rule, .. } = check;
    if rule.models.is_none() || rule.replaces.is_some() || scope.config.strict_models {
        return;
    }
    let names = scope.names_of(&[rule]);
    let aliases = names.iter().filter_map(|names| match names.source {
        NameSource::Alias(model) if !names.is_pattern() => Some(model),
        _ => None,
    });
    let targets = aliases.flat_map(|model| &model.targets);
    let mut others = targets.filter_map(|target| {
        let is_ready = scope.config.providers.get(&target.provider)?.is_ready();
        let name = format!("{}/{}", target.provider, target.upstream_model);
        let is_open = is_ready && !target.named_by_client && !rule.matches_model(&name);
        let mut clients = scope.clients_of(rule);
        (is_open && clients.any(|client| client.may_use(&name))).then_some(name)
    });
    if let Some(name) = others.next() {
        let path = path.key("models");
        let text = format!(
            "clients may request {name:?} as well, for which this limit does not hold; add it \
             here, or set strict_models = true"
        );
        checker.warn(checker.layers.location(&path), &path, text);
    }
}
