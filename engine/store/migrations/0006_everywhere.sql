-- One scheduler serves every jurisdiction: what is due is found across all of them, the next slot of each sweep stands in a row as the next
-- moment of an item does, and the texts of a rule set are stored once, however many use it.

drop index item_wake;
create index item_wake on item (wake_at, jurisdiction, id) where wake_at is not null;
drop index notice_ready;
create index notice_ready on notice (not_before, jurisdiction, key) where status = 'ready';
drop index mail_open;
create index mail_open on mail (next_try, jurisdiction, id) where ended_at is null;
drop index slot_open;
create index slot_open on slot (claimed_at, jurisdiction) where done_at is null;

create table jurisdiction (
  id text not null,
  revision bigint not null,
  derived bigint not null,
  primary key (id)
);
create index jurisdiction_stale on jurisdiction (id) where derived < revision;
insert into jurisdiction select jurisdiction, max(revision), 0 from rule_set group by jurisdiction;

create table rule_text (
  hash text not null,
  files text not null,
  primary key (hash)
);
insert into rule_text select hash, min(files) from rule_set group by hash;
create table new_rule_set (
  jurisdiction text not null,
  hash text not null,
  revision bigint not null,
  in_use_since bigint not null,
  primary key (jurisdiction, hash)
);
insert into new_rule_set select jurisdiction, hash, revision, in_use_since from rule_set;
drop table rule_set;
alter table new_rule_set rename to rule_set;

create table schedule (
  jurisdiction text not null,
  sweep text not null,
  next_at bigint not null,
  primary key (jurisdiction, sweep)
);
create index schedule_next on schedule (next_at, jurisdiction, sweep);
insert into schedule select distinct jurisdiction, sweep, 0 from slot;
