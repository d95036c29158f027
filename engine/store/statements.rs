//! Every statement of the store, in one place and one text for all databases.
//!
//! Every row belongs to a jurisdiction, `$j`, which is bound last: whoever forgets it finds and writes nothing. Batches come as one JSON array of rows (`$1`), each row an array. PostgreSQL names `json_each` differently and locks rows where a
//! comment says so; its dialect swaps these words.

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub(super) const $name: &str = $text;)*
        /// All of them by name, for the test that prepares each.
        pub const ALL: &[(&str, &str)] = &[$((stringify!($name), $text)),*];
    };
}

/// A statement with the jurisdiction as its last numbered parameter.
pub fn numbered(statement: &str) -> String {
    let highest = (1..20).rev().find(|number| statement.contains(&format!("${number}"))).unwrap_or(0);
    statement.replace("$j", &format!("${}", highest + 1))
}

statements! {
    SCHEMA_TABLE = "create table if not exists schema_version (version bigint not null primary key, applied_at bigint not null)";
    SCHEMA_VERSION = "select coalesce(max(version), 0) from schema_version";
    SCHEMA_APPLIED = "insert into schema_version (version, applied_at) values ($1, $2)";

    META = "select value from meta where name = $1";
    META_SET = "insert into meta (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value";
    /// The clock's high-water mark only rises.
    META_RISE = "insert into meta (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value
        where cast(meta.value as bigint) < cast(excluded.value as bigint)";
    META_ADD = "insert into meta (name, value) values ($1, $2) on conflict (name) do nothing";

    // What a group of decisions is checked against: which question it is, and five texts. `cross join` leads from the batch to the table, row by
    // row: SQLite keeps its order, and PostgreSQL is told so, in the order of the keys, so that nobody locks crosswise.
    SAVE_ITEMS = "select 'item', i.id, cast(i.rev as text), i.head, cast(i.fence as text), i.hands from json_each($1) j cross join item i
        where i.jurisdiction = $j and i.id = j.value ->> 0 /*for update*/";
    SAVE_COMMANDS = "select 'command', c.actor, c.id, c.request_hash, c.answer, '' from json_each($1) j cross join command c
        where c.jurisdiction = $j and c.actor = j.value ->> 0 and c.id = j.value ->> 1";
    SAVE_CAUSES = "select 'cause', f.item, f.cause_key, '', '', '' from json_each($1) j cross join fact f
        where f.jurisdiction = $j and f.item = j.value ->> 0 and f.cause_key = j.value ->> 1";
    SAVE_NOTICES = "select 'notice', n.key, '', '', '', '' from json_each($1) j cross join notice n
        where n.jurisdiction = $j and n.key = j.value ->> 0";
    SAVE_COUNTERS = "select 'counter', c.name, cast(c.value as text), '', '', '' from json_each($1) j cross join counter c
        where c.jurisdiction = $j and c.name = j.value ->> 0 /*for update*/";
    /// Where others may give numbers too, a counter needs a row that can be locked.
    COUNTER_BEGIN = "insert into counter (jurisdiction, name, value) select $j, value ->> 0, 0 from json_each($1) where true order by 2
        on conflict (jurisdiction, name) do nothing";
    SAVE_UNIQUE = "select 'unique', u.workflow, u.field, u.value, u.item, '' from json_each($1) j cross join unique_value u
        where u.jurisdiction = $j and u.workflow = j.value ->> 0 and u.field = j.value ->> 1 and u.value = j.value ->> 2";

    // What it writes.
    ITEM_PUT = "insert into item (jurisdiction, id, workflow, rev, state, ended_on, flag, due_on, title, search, fields, dues, wake_at, rules_rev, changed_at, hands, head,
            quarantine, retries)
        select $j, value ->> 0, value ->> 1, cast(value ->> 2 as bigint), value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
            value ->> 8, value ->> 9, value ->> 10, cast(value ->> 11 as bigint), cast(value ->> 12 as bigint),
            cast(value ->> 13 as bigint), value ->> 14, value ->> 15, null, 0
        from json_each($1) where true
        on conflict (jurisdiction, id) do update set rev = excluded.rev, head = excluded.head, state = excluded.state, ended_on = excluded.ended_on,
            flag = excluded.flag, due_on = excluded.due_on, title = excluded.title, search = excluded.search, fields = excluded.fields,
            dues = excluded.dues, wake_at = excluded.wake_at, rules_rev = excluded.rules_rev, quarantine = null, set_aside_at = null, retries = 0,
            leased_until = null, changed_at = excluded.changed_at, hands = excluded.hands";
    FACT_PUT = "insert into fact (jurisdiction, item, seq, json, cause_key, hash)
        select $j, value ->> 0, cast(value ->> 1 as bigint), value ->> 2, value ->> 3, value ->> 4 from json_each($1)";
    NOTICE_PUT = "insert into notice (jurisdiction, key, item, seq, workflow, notice, kind, person, not_before, bundle, status, reason, json, recorded_at)
        select $j, value ->> 0, value ->> 1, cast(value ->> 2 as bigint), value ->> 3, value ->> 4, value ->> 5, value ->> 6,
            cast(value ->> 7 as bigint), value ->> 8, case when held is null then value ->> 9 else 'parked' end,
            case when held is null or value ->> 9 <> 'ready' then value ->> 10 else held end, value ->> 11,
            cast(value ->> 12 as bigint)
        from json_each($1) left join (select reason as held from hold where jurisdiction in ('*', $j) order by jurisdiction <> '*' limit 1) holds on true";
    COMMAND_PUT = "insert into command (jurisdiction, actor, id, request_hash, answer, item, done_at)
        select $j, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, cast(value ->> 5 as bigint) from json_each($1)";
    HAND_DROP = "delete from hand where jurisdiction = $j and item in (select value ->> 0 from json_each($1))";
    HAND_PUT = "insert into hand (jurisdiction, item, key, due_on) select $j, value ->> 0, value ->> 1, value ->> 2 from json_each($1)";
    COUNTER_PUT = "insert into counter (jurisdiction, name, value) select $j, value ->> 0, cast(value ->> 1 as bigint) from json_each($1) where true
        on conflict (jurisdiction, name) do update set value = excluded.value";
    UNIQUE_DROP = "delete from unique_value where jurisdiction = $j and exists (select 1 from json_each($1) j
        where unique_value.item = j.value ->> 0 and unique_value.field = j.value ->> 1)
        and item in (select value ->> 0 from json_each($1))";
    UNIQUE_PUT = "insert into unique_value (jurisdiction, workflow, field, value, item)
        select $j, value ->> 0, value ->> 1, value ->> 2, value ->> 3 from json_each($1)";

    // Items.
    ITEM_LOAD = "select workflow, rev, head, quarantine, retries from item where jurisdiction = $j and id = $1";
    FACTS_OF = "select seq, json, cause_key, hash from fact where jurisdiction = $j and item = $1 order by seq";
    /// One row for each item: a row costs more than what stands in it.
    FACTS_OF_MANY = "select j.value ->> 0, (select string_agg(f.json, ',') from fact f where f.jurisdiction = $j and f.item = j.value ->> 0)
        from json_each($1) j";
    ITEM_ROW = "select id, workflow, rev, state, title, ended_on, flag, due_on, fields, dues, wake_at, quarantine, changed_at, rules_rev from item where jurisdiction = $j and id = $1";
    // A page of neighbours with all that is recorded of them.
    RECORD_HEADS = "select id, rev, head from item where jurisdiction = $j and id > $1 order by id limit $2";
    RECORD_ROWS = "select id, workflow, rev, state, title, ended_on, flag, due_on, fields, dues, wake_at, quarantine, changed_at, rules_rev from item
        where jurisdiction = $j and id > $1 and id <= $2 order by id";
    RECORD_FACTS = "select item, seq, json, cause_key, hash from fact where jurisdiction = $j and item > $1 and item <= $2 order by item, seq";
    RECORD_HANDS = "select i.id, i.hands, h.key, h.due_on from item i left join hand h on h.jurisdiction = $j and h.item = i.id
        where i.jurisdiction = $j and i.id >= $1 and i.id <= $2 order by i.id, h.key";
    RECORD_NOTICES = "select item, seq, notice from notice where jurisdiction = $j and item > $1 and item <= $2 order by item, seq";
    ITEM_LIST = "select id, workflow, rev, state, title, ended_on, flag, due_on, fields, dues, wake_at, quarantine, changed_at, rules_rev from item
        where jurisdiction = $j and (cast($1 as text) is null or workflow = $1) and (cast($2 as text) is null or state = $2) and ($3 = 0 or ended_on is null)
            and (cast($4 as text) is null or search like $4 escape '\\') and id > $5
            and (cast($7 as text) is null or coalesce(flag, 'none') = $7) and (cast($8 as text) is null or due_on < $8)
            and (cast($9 as text) is null or fields like $9 escape '\\') and (cast($10 as text) is null or dues like $10 escape '\\')
        order by id limit $6";
    // How many are open, late on a day, and due from it to another.
    ITEM_STANDING = "select count(*), coalesce(sum(case when due_on < $1 then 1 else 0 end), 0),
            coalesce(sum(case when due_on >= $1 and due_on <= $2 then 1 else 0 end), 0)
        from item where jurisdiction = $j and ended_on is null";
    // What somebody has in hand, by a field that names it, and how much of it is late.
    ITEM_IN_HAND = "select fields ->> cast($2 as text), count(*), coalesce(sum(case when due_on < $3 then 1 else 0 end), 0)
        from item where jurisdiction = $j and workflow = $1 and ended_on is null group by 1 order by 2 desc, 1";
    ITEM_WAKING = "select id from item where jurisdiction = $j and workflow = $1 and wake_at is not null and wake_at < $2 order by wake_at, id limit $3";
    FILTER_LIST = "select name, query from saved_filter where jurisdiction = $j and person = $1 order by name";
    FILTER_PUT = "insert into saved_filter (jurisdiction, person, name, query) values ($1, $2, $3, $4)
        on conflict (jurisdiction, person, name) do update set query = excluded.query";
    FILTER_DROP = "delete from saved_filter where jurisdiction = $j and person = $1 and name = $2";
    ITEM_ROWS = "select i.id, i.workflow, i.rev, i.state, i.title, i.ended_on, i.flag, i.due_on, i.fields, i.dues, i.wake_at, i.quarantine, i.changed_at, i.rules_rev
        from json_each($1) j cross join item i where i.jurisdiction = $j and i.id = j.value ->> 0";
    // What may be in somebody's hands: the first ones by date, and how many there are.
    HAND_ITEMS = "select item from hand where jurisdiction = $j and key in (select value ->> 0 from json_each($1))
        group by item order by min(due_on) is null, min(due_on), item limit $2 offset $3";
    HAND_COUNT = "select count(distinct item) from hand where jurisdiction = $j and key in (select value ->> 0 from json_each($1))";
    ITEM_REVS = "select i.id, i.rev from json_each($1) j cross join item i where i.jurisdiction = $j and i.id = j.value ->> 0";
    ITEM_COUNT = "select workflow, state, count(*) from item where jurisdiction = $j group by workflow, state order by workflow, state";
    ITEM_IDS = "select id from item where jurisdiction = $j and (cast($1 as text) is null or workflow = $1) and ($2 = 0 or ended_on is null) and id > $3 order by id limit $4";
    ITEM_OPEN = "select count(*) from item where jurisdiction = $j and ended_on is null";
    ITEM_QUARANTINED = "select id, workflow, quarantine, retries, wake_at, set_aside_at from item where jurisdiction = $j and quarantine is not null order by id limit $1";
    WAKE_DUE = "select jurisdiction, id, workflow, wake_at, retries from item where wake_at is not null and wake_at <= $1
        and jurisdiction not in (select value ->> 0 from json_each($3)) order by wake_at, jurisdiction, id limit $2";
    WAKE_TAKE = "with free as materialized (select jurisdiction, id from item where wake_at is not null and wake_at <= $1
            and (leased_until is null or leased_until <= $1) and jurisdiction not in (select value ->> 0 from json_each($4))
            order by wake_at, jurisdiction, id limit $3 /*for update skip locked*/)
        update item set leased_until = $2, fence = fence + 1 from free where item.jurisdiction = free.jurisdiction and item.id = free.id
        returning item.jurisdiction, item.id, item.workflow, item.wake_at, item.retries, item.fence";
    // The earliest item, notice, mail, slot to begin and slot to take up again, and a jurisdiction that is to be derived again: each the first
    // entry of its index.
    NEXT_MOMENTS = "with other as materialized (select value ->> 0 as id from json_each($2))
        select (select min(wake_at) from item where wake_at is not null and (leased_until is null or leased_until <= $1)
                and jurisdiction not in (select id from other)),
            (select min(not_before) from notice where status = 'ready' and jurisdiction not in (select id from other)),
            (select min(next_try) from mail where ended_at is null),
            (select min(next_at) from schedule where jurisdiction not in (select id from other)),
            (select min(claimed_at) from slot where done_at is null and jurisdiction not in (select id from other)),
            (select min(id) from jurisdiction where derived < revision and id not in (select id from other))";
    WAKE_STALE = "select id, workflow from item where jurisdiction = $j and rules_rev < $1 and ended_on is null order by wake_at nulls first, id limit $2";
    WAKE_NOW = "update item set wake_at = $2, rules_rev = $3, leased_until = null where jurisdiction = $j and id = $1";
    ITEM_DERIVED = "update item set state = $3, ended_on = $4, flag = $5, due_on = $6, title = $7, search = $8, fields = $9, dues = $10,
        wake_at = case when quarantine is null then cast($11 as bigint) else $13 end, rules_rev = $12, changed_at = $13, leased_until = null,
        hands = $14
        where jurisdiction = $j and id = $1 and rev = $2";
    QUARANTINE = "update item set quarantine = $3, set_aside_at = coalesce(set_aside_at, $6), retries = retries + 1, wake_at = $4, leased_until = null
        where jurisdiction = $j and id = $1 and (cast($2 as bigint) is null or rev = $2) and (cast($5 as bigint) is null or fence = $5)";
    ITEM_STALE = "select count(*) from item where jurisdiction = $j and rules_rev < $1 and ended_on is null";
    // A restored database holds, for every jurisdiction, everything until a person lets it go; a mail that is held has no next try.
    RESTORED_NOTICES = "update notice set status = 'parked', reason = 'restored' where status = 'ready'";
    RESTORED_MAILS = "update mail set status = 'held', next_try = $1, leased_by = null where ended_at is null";
    RESTORED_SINCE = "select since from hold where jurisdiction = '*'";
    RESTORED_HOLD = "insert into hold (jurisdiction, reason, since) values ('*', 'restored', $1)
        on conflict (jurisdiction) do update set since = excluded.since";
    RESTORED_GONE = "delete from hold where jurisdiction = '*'";
    RESTORED_NOTICES_GO = "update notice set
            status = case when $1 = 'ready' and exists (select 1 from hold where hold.jurisdiction = notice.jurisdiction) then 'parked' else $1 end,
            reason = case when $1 = 'ready' then coalesce((select hold.reason from hold where hold.jurisdiction = notice.jurisdiction), 'released')
                else reason end
        where status = 'parked' and reason = 'restored'";
    RESTORED_MAILS_GO = "update mail set status = $1, next_try = $2, ended_at = cast($3 as bigint), reply = case when cast($3 as bigint) is null then reply else 'restored' end
        where status = 'held'";
    // What holds a jurisdiction's notices, everybody's hold first; and the mails of its hours.
    HOLD = "select jurisdiction, reason, since from hold where jurisdiction in ('*', $j) order by jurisdiction <> '*' limit 1";
    HOLDS = "select jurisdiction, reason, since from hold where jurisdiction <> '*' order by since, jurisdiction limit $1";
    HOLD_PUT = "insert into hold (jurisdiction, reason, since) values ($j, $1, $2) on conflict (jurisdiction) do nothing";
    HOLD_DROP = "delete from hold where jurisdiction = $j";
    HOLD_NOTICES = "update notice set status = 'parked', reason = $1 where jurisdiction = $j and status = 'ready' and coalesce(reason, '') <> 'released'";
    /// The mails that other notices make that may leave now, so that the first of a batch do not leave before the last are counted: at most `$3`.
    /// SQLite is kept from going over all that the office has ever told: what is ready is little.
    VOLUME_BEHIND = "select count(*) from (select distinct person, case bundle when '' then key else bundle end as mail from notice
        where (jurisdiction = $j) is true and status = 'ready' and not_before <= $1 and coalesce(reason, '') <> 'released'
            and key not in (select value ->> 0 from json_each($2)) limit $3) behind";
    HOLD_THESE = "update notice set status = 'parked', reason = $2 where jurisdiction = $j and status = 'ready' and coalesce(reason, '') <> 'released'
        and key in (select value ->> 0 from json_each($1))";
    HOLD_NOTICES_GO = "update notice set status = $1, reason = $2
        where jurisdiction = $j and status = 'parked' and substr(reason, 1, length(cast($3 as text))) = cast($3 as text)";
    VOLUME_COUNT = "update volume set mails = mails + $2, released = released + $3 where jurisdiction = $j and hour = $1 returning mails, usual";
    VOLUME_BEGIN = "insert into volume (jurisdiction, hour, mails, released, usual) values ($j, $1, $2, 0, $3)
        on conflict (jurisdiction, hour) do update set mails = volume.mails + excluded.mails returning mails, usual";
    VOLUME_PAST = "select mails + released from volume where jurisdiction = $j and hour >= $1 and hour < $2";
    VOLUME_DROP = "delete from volume where jurisdiction = $j and hour < $1";
    /// What waits (in one jurisdiction, or in all), how much, and the first of it.
    HEALTH = "select 'due', count(*), min(wake_at) from item where (cast($2 as text) is null or jurisdiction = $2) and wake_at is not null and wake_at <= $1
        union all select 'ready', count(*), min(not_before) from notice where (cast($2 as text) is null or jurisdiction = $2) and status = 'ready' and not_before <= $1
        union all select 'parked', count(*), min(not_before) from notice where (cast($2 as text) is null or jurisdiction = $2) and status = 'parked'
        union all select 'restored', count(*), min(not_before) from notice where (cast($2 as text) is null or jurisdiction = $2) and status = 'parked' and reason = 'restored'
        union all select 'set aside', count(*), min(set_aside_at) from item where (cast($2 as text) is null or jurisdiction = $2) and quarantine is not null
        union all select 'mail ' || status, count(*), min(created_at) from mail where (cast($2 as text) is null or jurisdiction = $2) and ended_at is null group by status
        union all select 'held', count(*), min(since) from hold where jurisdiction <> '*' and (cast($2 as text) is null or jurisdiction = $2)
        union all select 'backup', 1, cast(value as bigint) from meta where name = 'backup'";
    /// Which jurisdictions have waited longest for each.
    HEALTH_WORST = "select * from (select 'due', jurisdiction, count(*), min(wake_at) from item where wake_at is not null and wake_at <= $1
            group by jurisdiction order by 4, 2 limit $2) due
        union all select * from (select 'parked', jurisdiction, count(*), min(not_before) from notice where status = 'parked'
            group by jurisdiction order by 4, 2 limit $2) parked
        union all select * from (select 'set aside', jurisdiction, count(*), min(set_aside_at) from item where quarantine is not null
            group by jurisdiction order by 4, 2 limit $2) aside
        union all select * from (select 'unsent', jurisdiction, cast(sum(waiting) as bigint), min(since) from (
                select jurisdiction, count(*) as waiting, min(not_before) as since from notice where status = 'ready' and not_before <= $1 group by jurisdiction
                union all select jurisdiction, count(*), min(created_at) from mail where ended_at is null group by jurisdiction) both_of
            group by jurisdiction order by 4, 2 limit $2) unsent";
    COMMAND_GET = "select request_hash, answer from command where jurisdiction = $j and actor = $1 and id = $2";
    COUNTER_GET = "select value from counter where jurisdiction = $j and name = $1";

    // Notices and mails.
    NOTICE_DUE = "select jurisdiction, key, json from notice where status = 'ready' and not_before <= $1
        and jurisdiction not in (select value ->> 0 from json_each($3)) order by not_before, jurisdiction, key limit $2";
    NOTICE_WAITING = "select key, json from notice where jurisdiction = $j and status = 'ready' order by not_before, key limit $1";
    NOTICE_OF_ITEM = "select n.item, n.key, n.seq, n.notice, n.kind, n.person, n.not_before, n.status, n.reason, n.mail, m.status, m.ended_at, m.reply, n.recorded_at
        from notice n left join mail m on m.jurisdiction = n.jurisdiction and m.id = n.mail where n.jurisdiction = $j and n.item = $1 order by n.seq, n.key";
    /// The latest first; the place from which a page goes on never moves.
    NOTICE_LIST = "select n.item, n.key, n.seq, n.notice, n.kind, n.person, n.not_before, n.status, n.reason, n.mail, m.status, m.ended_at, m.reply, n.recorded_at
        from notice n left join mail m on m.jurisdiction = n.jurisdiction and m.id = n.mail
        where n.jurisdiction = $j and (cast($1 as text) is null or coalesce(m.status, n.status) = $1) and (cast($2 as text) is null or n.person = $2) and (cast($3 as text) is null or n.item = $3)
            and (n.recorded_at, n.key) < ($5, $6)
        order by n.recorded_at desc, n.key desc limit $4";
    NOTICE_GET = "select json from notice where jurisdiction = $j and key = $1";
    NOTICE_OF_MAIL = "select key, json from notice where jurisdiction = $j and mail = $1 order by key";
    NOTICE_READY = "select key, coalesce(reason, '') from notice where jurisdiction = $j and status = 'ready' and key in (select value ->> 0 from json_each($1))
        order by key /*for update*/";
    // An update takes its rows from the batch to the table by the key: SQLite would rather go over all that a jurisdiction holds, unless the
    // jurisdiction itself seems to come out of the batch.
    NOTICE_MAILED = "update notice set status = 'mailed', mail = j.value ->> 1 from json_each($1) j
        where notice.jurisdiction = $j || substr(j.value ->> 0, 1, 0) and notice.key = j.value ->> 0";
    NOTICE_END = "update notice set status = $2, reason = $3 where jurisdiction = $j and status in ('ready', 'parked')
        and key in (select value ->> 0 from json_each($1))";
    NOTICE_RELEASE = "update notice set status = 'ready', reason = 'released' where jurisdiction = $j and status = 'parked'
        and key in (select value ->> 0 from json_each($1))";
    NOTICE_LATER = "update notice set not_before = $2 where jurisdiction = $j and status = 'ready' and key in (select value ->> 0 from json_each($1))";
    NOTICE_COUNT = "select n.kind, n.notice, n.status, coalesce(m.status, ''), count(*) from notice n left join mail m on m.jurisdiction = n.jurisdiction and m.id = n.mail
        where n.jurisdiction = $j group by n.kind, n.notice, n.status, coalesce(m.status, '') order by 1, 2, 3, 4";
    NOTICE_ESCALATIONS = "select person, count(*) from notice where jurisdiction = $j and kind = 'escalation' and status = 'mailed' group by person order by person";
    MAIL_PUT = "insert into mail (jurisdiction, id, person, address, bytes, status, attempts, next_try, fence, created_at)
        select $j, value ->> 0, value ->> 1, value ->> 2, value ->> 3, 'ready', 0, cast(value ->> 4 as bigint), 0, cast(value ->> 4 as bigint)
        from json_each($1)";
    MAIL_KNOWN = "select id from mail where jurisdiction = $j and id in (select value ->> 0 from json_each($1))";
    MAIL_TAKE_BACK = "update mail set status = 'unknown', next_try = $1, leased_by = null where status = 'claimed' and ended_at is null";
    MAIL_CLAIM = "with free as materialized (select jurisdiction, id from mail where ended_at is null and next_try <= $1
            order by next_try, jurisdiction, id limit $4 /*for update skip locked*/)
        update mail set status = 'claimed', fence = fence + 1, attempts = attempts + 1, next_try = $2, leased_by = $3,
            first_try = coalesce(first_try, $1)
        from free where mail.jurisdiction = free.jurisdiction and mail.id = free.id
        returning mail.jurisdiction, mail.id, mail.person, mail.address, mail.bytes, mail.attempts, mail.fence, mail.created_at, mail.first_try";
    MAIL_FINISH = "update mail set status = j.value ->> 3, reply = j.value ->> 4, next_try = cast(j.value ->> 5 as bigint),
            ended_at = cast(j.value ->> 6 as bigint), leased_by = null
        from json_each($1) j where mail.jurisdiction = j.value ->> 0 and mail.id = j.value ->> 1
            and mail.fence = cast(j.value ->> 2 as bigint) and mail.status = 'claimed'
        returning mail.jurisdiction, mail.id, mail.fence";
    MAIL_RENEW = "update mail set next_try = $2 from json_each($1) j where mail.jurisdiction = j.value ->> 0 and mail.id = j.value ->> 1
            and mail.fence = cast(j.value ->> 2 as bigint) and mail.status = 'claimed'
        returning mail.jurisdiction, mail.id, mail.fence";
    MAIL_RETRY = "update mail set next_try = $2 where jurisdiction = $j and ended_at is null and status <> 'claimed' and id in (select value ->> 0 from json_each($1))";
    MAIL_CANCEL = "update mail set status = 'cancelled', reply = $3, ended_at = $2
        where jurisdiction = $j and ended_at is null and status <> 'claimed' and id in (select value ->> 0 from json_each($1))";
    MAIL_GET = "select id, person, address, bytes, status, attempts, next_try, reply, created_at, ended_at from mail where jurisdiction = $j and id = $1";
    MAIL_LIST = "select id, person, address, status, attempts, next_try, reply, created_at, ended_at from mail
        where jurisdiction = $j and (cast($1 as text) is null or status = $1) and (cast($2 as text) is null or person = $2) and id > $3 order by id limit $4";
    MAIL_COUNT = "select status, count(*) from mail where jurisdiction = $j group by status order by status";

    // Sweeps.
    SLOT_CLAIM = "insert into slot (jurisdiction, sweep, slot, at, claimed_at) values ($j, $1, $2, $3, $4) on conflict (jurisdiction, sweep, slot) do nothing";
    SLOT_DONE = "update slot set done_at = $3 where jurisdiction = $j and sweep = $1 and slot = $2";
    SLOT_LAST = "select slot, at, done_at from slot where jurisdiction = $j and sweep = $1 order by slot desc limit 1";
    SLOT_RENEW = "update slot set claimed_at = $3 where jurisdiction = $j and sweep = $1 and slot = $2 and done_at is null";
    SLOT_TAKE = "with free as materialized (select jurisdiction, sweep, slot from slot where done_at is null and claimed_at <= $1
            and jurisdiction not in (select value ->> 0 from json_each($4)) order by claimed_at, jurisdiction limit $3 /*for update skip locked*/)
        update slot set claimed_at = $2 from free where slot.jurisdiction = free.jurisdiction and slot.sweep = free.sweep and slot.slot = free.slot
        returning slot.jurisdiction, slot.sweep, slot.slot, slot.at";
    /// Nobody else works this database: whoever had claimed these has gone.
    SLOT_TAKE_BACK = "update slot set claimed_at = 0 where done_at is null";
    SCHEDULE_ADD = "insert into schedule (jurisdiction, sweep, next_at) select $j, value ->> 0, $2 from json_each($1) where true
        on conflict (jurisdiction, sweep) do nothing";
    SCHEDULE_DROP = "delete from schedule where jurisdiction = $j and sweep not in (select value ->> 0 from json_each($1))";
    SCHEDULE_DUE = "select jurisdiction, sweep, next_at from schedule where next_at <= $1
        and jurisdiction not in (select value ->> 0 from json_each($3)) order by next_at, jurisdiction, sweep limit $2";
    /// Not by somebody who knows an earlier schedule.
    SCHEDULE_NEXT = "update schedule set next_at = $2 where jurisdiction = $j and sweep = $1
        and exists (select 1 from jurisdiction where id = $j and revision = $3)";
    /// Another rule set may have another schedule: each sweep is looked at.
    SCHEDULE_LOOK = "update schedule set next_at = $1 where jurisdiction = $j and next_at > $1";

    /// All facts in their order, with revision and head of their items.
    MOVE_CHAINS = "select f.jurisdiction, f.item, f.seq, f.json, f.hash, i.rev, i.head
        from fact f join item i on i.jurisdiction = f.jurisdiction and i.id = f.item
        where (f.jurisdiction, f.item, f.seq) > ($1, $2, $3) order by f.jurisdiction, f.item, f.seq limit $4";

    // Accounts, sessions, links, and what became of them. A login, a session and a link lead to their jurisdiction.
    ACCOUNT_ADD = "insert into account (jurisdiction, person, login, created_at) values ($j, $1, $2, $3) on conflict do nothing";
    ACCOUNT_LOGIN = "update account set login = $2 where jurisdiction = $j and person = $1
        and not exists (select 1 from account other where other.login = $2 and (other.jurisdiction <> $j or other.person <> $1))";
    ACCOUNT_LOCK = "select login, password, disabled_at from account where jurisdiction = $j and person = $1 /*for update*/";
    ACCOUNT_OF_LOGIN = "select jurisdiction, person, password, disabled_at from account where login = $1";
    ACCOUNT_PASSWORD = "update account set password = $2, password_at = $3, disabled_at = null where jurisdiction = $j and person = $1";
    ACCOUNT_DISABLE = "update account set disabled_at = $2 where jurisdiction = $j and person = $1 and disabled_at is null";
    ACCOUNTS = "select a.person, a.login, cast(case when a.password is null then 0 else 1 end as bigint), a.disabled_at, a.password_at, a.created_at,
            (select s.set_at from second_step s where s.jurisdiction = $j and s.person = a.person and s.secret is not null),
            (select max(l.expires_at) from link l where l.jurisdiction = $j and l.person = a.person and l.purpose = $1 and l.used_at is null)
        from account a where a.jurisdiction = $j order by a.person";
    ACCOUNT_GET = "select login, password, disabled_at from account where jurisdiction = $j and person = $1";
    /// A try is counted before it is known to fail, so that many at once are not more than were allowed.
    ATTEMPT = "insert into attempt (login, failures, locked_until, last_at) values ($1, 1, case when $3 <= 1 then cast($4 as bigint) end, $2)
        on conflict (login) do update set
            failures = case when attempt.locked_until is null then attempt.failures + 1 else 1 end,
            locked_until = case when attempt.locked_until is null and attempt.failures + 1 >= $3 or $3 <= 1 then cast($4 as bigint) end,
            last_at = excluded.last_at
        where attempt.locked_until is null or attempt.locked_until <= excluded.last_at
        returning failures";
    ATTEMPTS = "select login, locked_until from attempt where login in (select value ->> 0 from json_each($1))";
    ATTEMPT_DROP = "delete from attempt where login = $1";
    ATTEMPTS_FORGET = "delete from attempt where last_at <= $1";
    SESSION_PUT = "insert into session (jurisdiction, id, person, started_at, seen_at, source) values ($j, $1, $2, $3, $3, $4)";
    SESSIONS_OF = "select id, started_at, seen_at, source from session where jurisdiction = $j and person = $1 order by started_at desc, id limit 100";
    SESSION_GET = "select s.jurisdiction, s.person, s.started_at, s.seen_at, a.disabled_at from session s
        left join account a on a.jurisdiction = s.jurisdiction and a.person = s.person where s.id = $1";
    SESSION_SEEN = "update session set seen_at = $2 where id = $1 and seen_at < $2";
    SESSION_END = "delete from session where id = $1 returning jurisdiction, person";
    SESSIONS_END = "delete from session where jurisdiction = $j and person = $1 and (cast($2 as text) is null or id <> $2)";
    SESSIONS_FORGET = "delete from session where jurisdiction = $j and (started_at <= $1 or seen_at <= $2)";
    LINKS_PUT = "insert into link (jurisdiction, id, person, purpose, about, made_at, expires_at)
        select $j, value ->> 0, value ->> 1, value ->> 2, value ->> 3, cast(value ->> 4 as bigint), cast(value ->> 5 as bigint) from json_each($1)";
    LINK_KNOWN = "select jurisdiction, person, about, expires_at, used_at from link where id = $1 and purpose = $2";
    LINK_GET = "select jurisdiction, person, about, expires_at from link where id = $1 and purpose = $2 and used_at is null and expires_at > $3";
    LINK_OPEN = "select jurisdiction, id from link where id = $1 and purpose = $2 and used_at is null and expires_at > $3";
    LINK_USE = "update link set used_at = $3 where id = $1 and purpose = $2 and used_at is null and expires_at > $3
        returning jurisdiction, person, about, expires_at";
    LINKS_DROP = "delete from link where jurisdiction = $j and person = $1 and (cast($2 as text) is null or purpose = $2) and used_at is null";
    LINKS_FORGET = "delete from link where jurisdiction = $j and expires_at <= $1";
    // What came back about mails.
    MAIL_OF_ANY = "select jurisdiction, id from mail where id in (select value ->> 0 from json_each($1)) order by jurisdiction, id limit 1";
    INCOMING_PUT = "insert into incoming (jurisdiction, id, mail, kind, at, sender, status, words) values ($j, $1, $2, $3, $4, $5, $6, $7)
        on conflict (jurisdiction, id) do nothing";
    INCOMING_OF = "select id, mail, kind, at, sender, status, words, settled_at, settled_by from incoming
        where jurisdiction = $j and mail in (select value ->> 0 from json_each($1)) order by at, id";
    INCOMING_OPEN = "select i.mail, m.person, m.address, i.at, i.status, i.words from incoming i
        join mail m on m.jurisdiction = $j and m.id = i.mail
        where i.jurisdiction = $j and i.kind = 'failed' and i.settled_at is null order by i.at, i.id limit $1";
    INCOMING_SETTLE = "update incoming set settled_at = $2, settled_by = $3 where jurisdiction = $j and kind = 'failed' and settled_at is null
        and mail in (select id from mail where jurisdiction = $j and address = $1)";
    SECOND_GET = "select s.secret, s.pending, s.last_step, s.set_at,
            (select count(*) from recovery_code c where c.jurisdiction = $j and c.person = $1 and c.used_at is null)
        from second_step s where s.jurisdiction = $j and s.person = $1";
    SECOND_PROPOSE = "insert into second_step (jurisdiction, person, pending, last_step) values ($j, $1, $2, 0)
        on conflict (jurisdiction, person) do update set pending = excluded.pending";
    /// What was shown before is shown again.
    SECOND_WAIT = "insert into second_step (jurisdiction, person, pending, last_step) values ($j, $1, $2, 0)
        on conflict (jurisdiction, person) do update set pending = coalesce(second_step.pending, excluded.pending)";
    SECOND_SET = "update second_step set secret = pending, pending = null, last_step = $3, set_at = $4
        where jurisdiction = $j and person = $1 and pending = $2";
    SECOND_STEP = "update second_step set last_step = $2 where jurisdiction = $j and person = $1 and secret is not null and last_step < $2";
    SECOND_DROP = "delete from second_step where jurisdiction = $j and person = $1";
    RECOVERY_PUT = "insert into recovery_code (jurisdiction, id, person) values ($j, $1, $2)";
    RECOVERY_USE = "update recovery_code set used_at = $3 where jurisdiction = $j and id = $1 and person = $2 and used_at is null";
    RECOVERY_DROP = "delete from recovery_code where jurisdiction = $j and person = $1";
    AUDIT_PUT = "insert into audit (jurisdiction, id, at, person, what, about, source, seq, hash) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    AUDIT_BEGIN = "insert into audit_head (jurisdiction, seq, hash) values ($1, 0, '') on conflict (jurisdiction) do nothing";
    AUDIT_LOCK = "select seq, hash from audit_head where jurisdiction = $j /*for update*/";
    AUDIT_HEAD = "select seq, hash from audit_head where jurisdiction = $j";
    AUDIT_GOES_ON = "update audit_head set seq = $1, hash = $2 where jurisdiction = $j";
    AUDIT_CHAIN = "select seq, hash, id, at, person, what, about, source from audit where jurisdiction = $j and seq > $1 order by seq limit $2";
    AUDIT_OUTSIDE = "select count(*) from audit where jurisdiction = $j and seq is null";
    /// Rows from before there was a chain.
    AUDIT_LOOSE = "select jurisdiction, id, at, person, what, about, source from audit where seq is null order by jurisdiction, id limit $1";
    AUDIT_TAKE_IN = "update audit set seq = $2, hash = $3 where id = $1 and jurisdiction = $j";
    /// The latest first.
    AUDIT_LIST = "select id, at, person, what, about, source from audit where jurisdiction = $j and (cast($1 as text) is null or id < $1)
        order by id desc limit $2";
    TOKEN_PUT = "insert into token (jurisdiction, id, digest, person, name, scopes, made_at, expires_at) values ($j, $1, $2, $3, $4, $5, $6, $7)";
    TOKENS = "select id, person, name, scopes, made_at, expires_at, used_at, revoked_at from token
        where jurisdiction = $j and (cast($1 as text) is null or person = $1) order by made_at desc, id desc";
    TOKEN_SHOWN = "select t.jurisdiction, t.id, t.person, t.name, t.scopes, t.made_at, t.expires_at, t.used_at, t.revoked_at, a.disabled_at
        from token t left join account a on a.jurisdiction = t.jurisdiction and a.person = t.person where t.digest = $1";
    TOKEN_USED = "update token set used_at = $2 where digest = $1 and coalesce(used_at, 0) < $2";
    TOKEN_REVOKE = "update token set revoked_at = $3 where jurisdiction = $j and id = $1 and (cast($2 as text) is null or person = $2)
        and revoked_at is null returning person";
    TOKENS_END = "update token set revoked_at = $2 where jurisdiction = $j and person = $1 and revoked_at is null";

    // Files that people handed in.
    UPLOAD_PUT = "insert into upload (jurisdiction, digest, person, name, size, media, at) values ($j, $1, $2, $3, $4, $5, $6)
        on conflict (jurisdiction, digest, person, name) do update set at = excluded.at";
    UPLOAD_PART_PUT = "insert into upload_part (jurisdiction, digest, part, content) values ($j, $1, $2, $3)
        on conflict (jurisdiction, digest, part) do nothing";
    UPLOAD_NEEDED = "update upload set at = $6 where jurisdiction = $j and digest = $1 and person = $2 and name = $3 and size = $4 and media = $5
        returning digest";
    UPLOAD_PART = "select content from upload_part where jurisdiction = $j and digest = $1 and part = $2";
    UPLOADS_KEEP = "update upload set kept_at = $2 where kept_at is null and at < $1 and exists (select 1 from fact f
        where f.jurisdiction = upload.jurisdiction and f.json like ('%sha256:' || upload.digest || '%'))";
    UPLOADS_FORGET = "delete from upload where kept_at is null and at < $1";
    UPLOAD_PARTS_FORGET = "delete from upload_part where not exists (select 1 from upload u
        where u.jurisdiction = upload_part.jurisdiction and u.digest = upload_part.digest)";

    // Other programs, and what they are told.
    WEBHOOK_PUT = "insert into webhook (jurisdiction, id, url, secret, made_by, made_at) values ($j, $1, $2, $3, $4, $5)
        on conflict (jurisdiction, id) do update set url = excluded.url, secret = excluded.secret";
    WEBHOOK_EVENTS_DROP = "delete from webhook_event where jurisdiction = $j and webhook = $1";
    WEBHOOK_EVENTS_PUT = "insert into webhook_event (jurisdiction, webhook, event) select $j, $2, value ->> 0 from json_each($1) where true
        on conflict (jurisdiction, webhook, event) do nothing";
    WEBHOOKS = "select id, url, secret, made_by, made_at, stopped_at from webhook where jurisdiction = $j order by made_at, id";
    WEBHOOK_EVENTS = "select webhook, event from webhook_event where jurisdiction = $j order by webhook, event";
    WEBHOOK_STOP = "update webhook set stopped_at = $2 where jurisdiction = $j and id = $1 and stopped_at is null";
    WEBHOOK_START = "update webhook set stopped_at = null where jurisdiction = $j and id = $1 and stopped_at is not null";
    WEBHOOK_DROP = "delete from webhook where jurisdiction = $j and id = $1";
    DELIVERY_PUT = "insert into delivery (jurisdiction, webhook, item, seq, kind, event, status, attempts, next_try, fence, created_at)
        select distinct $j, e.webhook, j.value ->> 0, cast(j.value ->> 1 as bigint), j.value ->> 2, j.value ->> 3, 'ready', cast(0 as bigint),
            cast(j.value ->> 4 as bigint), cast(0 as bigint), cast(j.value ->> 4 as bigint)
        from webhook_event e join webhook w on w.jurisdiction = e.jurisdiction and w.id = e.webhook cross join json_each($1) j
        where e.jurisdiction = $j and w.stopped_at is null and e.event in ('*', j.value ->> 5, j.value ->> 6)";
    DELIVERY_CLAIM = "with free as materialized (select jurisdiction, webhook, item, seq, kind from delivery where next_try is not null and next_try <= $1
            order by next_try, jurisdiction, webhook, item, seq, kind limit $3 /*for update skip locked*/)
        update delivery set status = 'claimed', fence = fence + 1, attempts = attempts + 1, next_try = $2
        from free where delivery.jurisdiction = free.jurisdiction and delivery.webhook = free.webhook and delivery.item = free.item
            and delivery.seq = free.seq and delivery.kind = free.kind
        returning delivery.jurisdiction, delivery.webhook, delivery.item, delivery.seq, delivery.kind, delivery.event, delivery.attempts, delivery.fence,
            delivery.created_at";
    DELIVERY_FINISH = "update delivery set status = $5, reply = $6, next_try = cast($7 as bigint), ended_at = cast($8 as bigint)
        where jurisdiction = $j and webhook = $1 and item = $2 and seq = $3 and kind = $4 and fence = $9 and status = 'claimed'";
    /// What else waits for an address that does not answer waits with it.
    DELIVERY_PUT_OFF = "update delivery set next_try = $2 where jurisdiction = $j and webhook = $1 and status = 'ready' and next_try is not null and next_try < $2";
    DELIVERY_PARK = "update delivery set status = 'parked', next_try = null, reply = $2 where jurisdiction = $j and webhook = $1 and next_try is not null";
    DELIVERY_RELEASE = "update delivery set status = 'ready', attempts = 0, next_try = $4
        where jurisdiction = $j and webhook = $1 and (cast($2 as text) is null or item = $2 and seq = $3 and kind = $5) and status = 'parked'
            and exists (select 1 from webhook w where w.jurisdiction = $j and w.id = $1 and w.stopped_at is null)";
    DELIVERY_CANCEL = "update delivery set status = 'cancelled', next_try = null, ended_at = $4
        where jurisdiction = $j and webhook = $1 and (cast($2 as text) is null or item = $2 and seq = $3 and kind = $5) and ended_at is null and status <> 'claimed'";
    /// The latest first.
    DELIVERIES = "select webhook, item, seq, kind, event, status, attempts, next_try, reply, created_at, ended_at from delivery
        where jurisdiction = $j and (cast($1 as text) is null or status = $1) order by created_at desc, item desc, seq desc, kind, webhook limit $2";
    DELIVERY_COUNT = "select webhook, status, count(*) from delivery where jurisdiction = $j group by webhook, status order by webhook, status";
    /// Of one jurisdiction, or of all.
    DELIVERY_PARKED = "select count(*), min(created_at) from delivery where status = 'parked' and (cast($1 as text) is null or jurisdiction = $1)";
    DELIVERY_NEXT = "select min(next_try) from delivery where next_try is not null";
    DELIVERIES_FORGET = "delete from delivery where ended_at is not null and ended_at < $1";
    DELIVERIES_TAKE_BACK = "update delivery set status = 'ready', next_try = $1 where status = 'claimed' and next_try is not null";
    /// A restored database calls nobody before a person has looked.
    RESTORED_WEBHOOKS = "update webhook set stopped_at = $1 where stopped_at is null";
    RESTORED_DELIVERIES = "update delivery set status = 'parked', next_try = null, reply = 'restored' where next_try is not null";
    RESTORED_TOKENS = "update token set revoked_at = $1 where revoked_at is null";
    /// Whoever was signed out since, or could no longer sign in, stays outside.
    RESTORED_SESSIONS = "delete from session";
    RESTORED_LINKS = "delete from link";

    // Jurisdictions and their rule sets.
    RULES_TEXT = "insert into rule_text (hash, files) values ($1, $2) on conflict (hash) do nothing";
    RULES_PUT = "insert into rule_set (jurisdiction, hash, revision, in_use_since) values ($j, $1, $2, $3)
        on conflict (jurisdiction, hash) do update set revision = excluded.revision, in_use_since = excluded.in_use_since";
    /// One change of the rules in use at a time.
    RULES_LOCK = "select value from meta where name = 'instance' /*for update*/";
    RULES_HASH = "select hash, revision from rule_set where jurisdiction = $j order by revision desc limit 1";
    RULES_IN_USE = "select r.hash, r.revision, t.files, r.in_use_since from rule_set r join rule_text t on t.hash = r.hash
        where r.jurisdiction = $j order by r.revision desc limit 1";
    RULES_GET = "select r.hash, r.revision, t.files, r.in_use_since from rule_set r join rule_text t on t.hash = r.hash
        where r.jurisdiction = $j and r.hash = $1";
    /// Whose row it is decides who made the office.
    JURISDICTION_ADD = "insert into jurisdiction (id, revision, derived) values ($j, $1, $1) on conflict (id) do nothing";
    /// What came into use; the record is the app's.
    PUBLISH_PUT = "insert into publish (jurisdiction, revision, hash, at, record) values ($j, $1, $2, $3, $4)";
    PUBLISHED = "select revision, hash, at, record from publish where jurisdiction = $j order by revision";
    PROPOSAL_PUT = "insert into proposal (jurisdiction, plan, at, record) values ($j, $1, $2, $3) on conflict (jurisdiction, plan) do nothing";
    PROPOSAL = "select at, record from proposal where jurisdiction = $j and plan = $1";
    PROPOSALS = "select plan, at, record from proposal where jurisdiction = $j order by at, plan";
    /// What was proposed for the rules before came to nothing when others came into use.
    PROPOSALS_DROP = "delete from proposal where jurisdiction = $j";
    /// Open items with the revisions at which they stand, behind one of them.
    OPEN_ITEMS = "select id, workflow, rev, rules_rev from item where jurisdiction = $j and ended_on is null and id > $1 order by id limit $2";
    OPEN_REVISIONS = "select id, rev from item where jurisdiction = $j and ended_on is null order by id";
    /// Before there is anything to derive, all of it is derived.
    JURISDICTION_PUT = "insert into jurisdiction (id, revision, derived) values ($j, $1, $1)
        on conflict (id) do update set revision = excluded.revision";
    JURISDICTIONS = "select j.id, j.revision, r.hash, r.in_use_since from jurisdiction j
        join rule_set r on r.jurisdiction = j.id and r.revision = j.revision where j.id > $1 order by j.id limit $2";
    JURISDICTION_REVISIONS = "select id, revision from jurisdiction where id in (select value ->> 0 from json_each($1))";
    JURISDICTION_STALE = "select id from jurisdiction where derived < revision and id not in (select value ->> 0 from json_each($1)) order by id limit $2";
    /// Somebody may have written under an earlier revision until now.
    JURISDICTION_DOUBTED = "update jurisdiction set derived = $1 - 1 where id = $j and derived = $1";
    /// What was decided under an earlier revision came after all were derived.
    JURISDICTION_BEHIND = "update jurisdiction set derived = (select min(cast(value ->> 0 as bigint)) from json_each($1))
        where id = $j and derived > (select min(cast(value ->> 0 as bigint)) from json_each($1))";
    JURISDICTION_DERIVED = "update jurisdiction set derived = $1 where id = $j and derived < $1 and revision = $1";
}
