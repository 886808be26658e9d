//! Which limits hold for which clients and models.

use wildmatch::WildMatch;

use super::{Access, LimitRule};

/// What limits know of a client.
#[derive(Debug, Clone, Copy)]
pub struct LimitClient<'c> {
    /// None for anyone, while access is open.
    pub name: Option<&'c str>,
    pub team: Option<&'c str>,
    /// Names that it may use; none for all.
    pub models: Option<&'c [WildMatch]>,
    pub may_name_users: bool,
}

// === impl LimitClient ===

impl<'c> LimitClient<'c> {
    /// The keys and certificates, or anyone while there are none.
    #[must_use]
    pub fn all(access: &'c Access) -> Vec<Self> {
        let keys = access.keys.iter().map(|it| Self {
            name: Some(&it.name),
            team: it.team.as_deref(),
            models: it.models.as_deref(),
            may_name_users: it.may_name_users,
        });
        let certificates = access.certificates.iter().map(|it| Self {
            name: Some(&it.name),
            team: it.team.as_deref(),
            models: it.models.as_deref(),
            may_name_users: it.may_name_users,
        });
        let mut clients: Vec<Self> = keys.chain(certificates).collect();
        if clients.is_empty() {
            clients.push(Self {
                name: None,
                team: None,
                models: None,
                may_name_users: false,
            });
        }
        clients
    }

    #[must_use]
    pub fn may_use(&self, model: &str) -> bool {
        self.models.is_none_or(|globs| any_matches(globs, model))
    }

    /// The limits for its requests for a model, without those that others replace.
    #[must_use]
    pub fn limits<'r>(&self, rules: &'r [LimitRule], model: &str) -> Vec<&'r LimitRule> {
        let rules = rules.iter();
        let matching = rules.filter(|rule| rule.holds_for(self) && rule.matches_model(model));
        let mut matching: Vec<&LimitRule> = matching.collect();
        let replaced = matching.iter().filter_map(|rule| rule.replaces.as_deref());
        let replaced: Vec<&str> = replaced.collect();
        matching.retain(|rule| !replaced.contains(&&*rule.name));
        matching
    }
}

// === impl LimitRule ===

impl LimitRule {
    /// Whether it holds for some requests of the client.
    #[must_use]
    pub fn holds_for(&self, client: &LimitClient<'_>) -> bool {
        let matches = |globs: Option<&Vec<WildMatch>>, name: Option<&str>| {
            globs.is_none_or(|globs| name.is_some_and(|name| any_matches(globs, name)))
        };
        matches(self.keys.as_ref(), client.name) && matches(self.teams.as_ref(), client.team)
    }

    #[must_use]
    pub fn matches_model(&self, model: &str) -> bool {
        let globs = self.models.as_ref();
        globs.is_none_or(|globs| any_matches(globs, model))
    }

    #[must_use]
    pub fn matches_provider(&self, provider: &str) -> bool {
        let globs = self.providers.as_ref();
        globs.is_none_or(|globs| any_matches(globs, provider))
    }
}

fn any_matches(globs: &[WildMatch], name: &str) -> bool {
    globs.iter().any(|glob| glob.matches(name))
}
