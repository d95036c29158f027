//! What came back about mails.

use super::At;
use super::state::State;
use crate::kernel::time::Instant;
use crate::store::incoming::{FAILED, Incoming, Undelivered};
use std::sync::Arc;

impl State {
    pub fn mail_of_any(&self, ids: &[String]) -> Option<(Arc<str>, String)> {
        let of = |here: &Arc<str>, mails: Vec<&String>| mails.into_iter().next().map(|id| (here.clone(), id.clone()));
        self.offices.iter().find_map(|(here, office)| of(here, office.mails.keys().filter(|id| ids.contains(id)).collect()))
    }
}

impl At<'_> {
    pub fn put_incoming(&mut self, message: Incoming) -> bool {
        if self.incoming.contains_key(&message.id) {
            return false;
        }
        self.incoming.insert(message.id.clone(), message);
        true
    }

    pub fn incoming_of(&self, mails: &[String]) -> Vec<Incoming> {
        let mut found: Vec<Incoming> = self.incoming.values().filter(|message| mails.contains(&message.mail)).cloned().collect();
        found.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        found
    }

    pub fn undelivered(&self, limit: u32) -> Vec<Undelivered> {
        let mut open: Vec<&Incoming> =
            self.incoming.values().filter(|message| message.kind == FAILED && message.settled_at.is_none()).collect();
        open.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        let told = |message: &Incoming| {
            let mail = self.mails.get(&message.mail)?;
            let Incoming { mail: id, at, status, words, .. } = message.clone();
            Some(Undelivered { mail: id, person: mail.person.clone(), address: mail.address.clone(), at, status, words })
        };
        open.into_iter().filter_map(told).take(limit as usize).collect()
    }

    pub fn settle_undelivered(&mut self, address: &str, at: Instant, by: &str) -> u64 {
        let of: Vec<String> = self.mails.iter().filter(|(_, mail)| mail.address == address).map(|(id, _)| id.clone()).collect();
        let mut settled = 0;
        let open = |message: &&mut Incoming| message.kind == FAILED && message.settled_at.is_none() && of.contains(&message.mail);
        for message in self.incoming.values_mut().filter(open) {
            (message.settled_at, message.settled_by) = (Some(at), Some(by.to_string()));
            settled += 1;
        }
        settled
    }
}
