//! A copy of production mails nobody: real people are reached only from the environment that the database belongs to.

use super::Address;

/// Who may be mailed from here.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// The identity written into the settings of the production machine; none anywhere else.
    pub production: Option<String>,
    /// Addresses (`a@b.cn`) and domains (`b.cn`, `@b.cn`) that may be mailed from anywhere.
    pub allow: Vec<String>,
}

impl Guard {
    /// `instance` is the identity that the database carries. The answer says why not.
    pub fn allows(&self, to: &Address, instance: &str) -> Result<(), String> {
        if self.is_production(instance) || self.allow.iter().any(|allowed| fits(allowed, to)) {
            return Ok(());
        }
        Err(match &self.production {
            None => format!("not in production, and `{to}` is not on the list of those who may be mailed"),
            Some(configured) => format!(
                "the database is `{instance}` and the settings are those of `{configured}`, and `{to}` is not on the list of those who may be mailed"
            ),
        })
    }

    pub fn is_production(&self, instance: &str) -> bool {
        !instance.is_empty() && self.production.as_deref() == Some(instance)
    }
}

fn fits(allowed: &str, to: &Address) -> bool {
    let allowed = allowed.trim();
    match allowed.rsplit_once('@') {
        Some(("", domain)) => to.domain().eq_ignore_ascii_case(domain),
        Some(_) => to.as_str().eq_ignore_ascii_case(allowed),
        None => !allowed.is_empty() && to.domain().eq_ignore_ascii_case(allowed),
    }
}
