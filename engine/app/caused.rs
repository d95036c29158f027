//! A mail, or a notice that is in none yet, found by what people have of it, with what caused each of its notices.

use super::{App, LoadError, contained};
use crate::kernel::explain::mail::{self, NoticeExplained};
use crate::kernel::model::decision::Notice;
use crate::kernel::rules::Rules;
use crate::store::StoreError;
use crate::store::outbox::MailStatus;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What somebody was told, and why.
pub struct Explained {
    /// Nothing for a notice that is in no mail.
    pub mail: Option<MailStatus>,
    /// Each with the rules that read it.
    pub notices: Vec<(Arc<Rules>, NoticeExplained)>,
}

impl App {
    /// By the reference in a mail's footer, its Message-ID, or the key of a notice; `None` when there is neither. A reader finds what was
    /// addressed to them and nothing else; without one everything is found.
    pub async fn told(&self, reference: &str, reader: Option<&str>) -> Result<Option<Explained>, LoadError> {
        let Some((mail, notices)) = self.find(reference.trim()).await? else { return Ok(None) };
        let addressee = mail.as_ref().map(|mail| &*mail.person).or(notices.first().map(|notice| &*notice.person));
        if reader.is_some_and(|reader| addressee != Some(reader)) {
            return Ok(None);
        }
        let items: BTreeSet<&str> = notices.iter().map(|notice| &*notice.item).collect();
        let facts = self.store.items(&items.into_iter().collect::<Vec<_>>()).await?;
        let (mut explained, nothing) = (Vec::with_capacity(notices.len()), Ok(Vec::new()));
        for notice in &notices {
            let rules = self.workflow(&notice.workflow)?;
            let facts = facts.get(&*notice.item).unwrap_or(&nothing).as_ref().map_err(StoreError::clone)?;
            let of = contained(|| mail::explain(&rules, facts, notice))??;
            explained.push((rules, of));
        }
        Ok(Some(Explained { mail, notices: explained }))
    }

    async fn find(&self, reference: &str) -> Result<Option<(Option<MailStatus>, Vec<Notice>)>, StoreError> {
        let bare = reference.trim_matches(['<', '>']);
        let whole = format!("<{bare}>");
        // A reference is a Message-ID without what stands behind the @: the next id in order begins with it.
        let begins = format!("<{}@", bare.split('@').next().unwrap_or(bare));
        let exact = self.store.mail(&whole).await?.map(|(mail, _)| mail);
        let near = self.store.mails(None, None, &begins, 1).await?.into_iter();
        if let Some(mail) = exact.or_else(|| near.into_iter().find(|mail| mail.id.starts_with(&begins))) {
            let notices = self.store.notices_in(&mail.id).await?;
            return Ok(Some((Some(mail), notices)));
        }
        Ok(self.store.notice(reference).await?.map(|notice| (None, vec![notice])))
    }
}
