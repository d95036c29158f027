-- One installation may serve many offices: every row belongs to one of them. What was there belongs to the one there was.

create table new_rule_set (
  jurisdiction text not null,
  hash text not null,
  revision bigint not null,
  files text not null,
  in_use_since bigint not null,
  primary key (jurisdiction, hash)
);
insert into new_rule_set select 'local', hash, revision, files, in_use_since from rule_set;
drop table rule_set;
alter table new_rule_set rename to rule_set;

create table new_item (
  jurisdiction text not null,
  id text not null,
  workflow text not null,
  rev bigint not null,
  head text not null,
  state text not null,
  ended_on text,
  flag text,
  due_on text,
  title text not null,
  search text not null,
  fields text not null,
  dues text not null,
  wake_at bigint,
  rules_rev bigint not null,
  quarantine text,
  retries bigint not null,
  changed_at bigint not null,
  fence bigint not null default 0,
  leased_until bigint,
  primary key (jurisdiction, id)
);
create table new_fact (
  jurisdiction text not null,
  item text not null,
  seq bigint not null,
  json text not null,
  cause_key text,
  hash text not null,
  primary key (jurisdiction, item, seq),
  foreign key (jurisdiction, item) references new_item (jurisdiction, id)
);
create table new_notice (
  jurisdiction text not null,
  key text not null,
  item text not null,
  seq bigint not null,
  workflow text not null,
  notice text not null,
  kind text not null,
  person text not null,
  not_before bigint not null,
  bundle text not null,
  status text not null,
  reason text,
  mail text,
  json text not null,
  primary key (jurisdiction, key),
  foreign key (jurisdiction, item) references new_item (jurisdiction, id)
);
create table new_unique_value (
  jurisdiction text not null,
  workflow text not null,
  field text not null,
  value text not null,
  item text not null,
  primary key (jurisdiction, workflow, field, value),
  foreign key (jurisdiction, item) references new_item (jurisdiction, id)
);
insert into new_item select 'local', id, workflow, rev, head, state, ended_on, flag, due_on, title, search, fields, dues, wake_at, rules_rev,
  quarantine, retries, changed_at, fence, leased_until from item;
insert into new_fact select 'local', item, seq, json, cause_key, hash from fact;
insert into new_notice select 'local', key, item, seq, workflow, notice, kind, person, not_before, bundle, status, reason, mail, json
  from notice;
insert into new_unique_value select 'local', workflow, field, value, item from unique_value;
drop table unique_value;
drop table notice;
drop table fact;
drop table item;
alter table new_item rename to item;
alter table new_fact rename to fact;
alter table new_notice rename to notice;
alter table new_unique_value rename to unique_value;
create index item_wake on item (jurisdiction, wake_at, id) where wake_at is not null;
create index item_state on item (jurisdiction, workflow, state);
create index item_rules on item (jurisdiction, rules_rev, wake_at);
create unique index fact_cause on fact (jurisdiction, item, cause_key) where cause_key is not null;
create index notice_ready on notice (jurisdiction, not_before, key) where status = 'ready';
create index notice_item on notice (jurisdiction, item, seq);
create index notice_mail on notice (jurisdiction, mail) where mail is not null;
create index unique_value_item on unique_value (jurisdiction, item, field);

create table new_mail (
  jurisdiction text not null,
  id text not null,
  person text not null,
  address text not null,
  bytes text not null,
  status text not null,
  attempts bigint not null,
  next_try bigint not null,
  fence bigint not null,
  leased_by text,
  reply text,
  created_at bigint not null,
  ended_at bigint,
  primary key (jurisdiction, id)
);
insert into new_mail select 'local', id, person, address, bytes, status, attempts, next_try, fence, leased_by, reply, created_at, ended_at
  from mail;
drop table mail;
alter table new_mail rename to mail;
create index mail_open on mail (jurisdiction, next_try, id) where ended_at is null;

create table new_command (
  jurisdiction text not null,
  actor text not null,
  id text not null,
  request_hash text not null,
  answer text not null,
  item text not null,
  done_at bigint not null,
  primary key (jurisdiction, actor, id)
);
insert into new_command select 'local', actor, id, request_hash, answer, item, done_at from command;
drop table command;
alter table new_command rename to command;

create table new_slot (
  jurisdiction text not null,
  sweep text not null,
  slot text not null,
  at bigint not null,
  claimed_at bigint not null,
  done_at bigint,
  primary key (jurisdiction, sweep, slot)
);
insert into new_slot select 'local', sweep, slot, at, claimed_at, done_at from slot;
drop table slot;
alter table new_slot rename to slot;
create index slot_open on slot (jurisdiction, at) where done_at is null;

create table new_counter (
  jurisdiction text not null,
  name text not null,
  value bigint not null,
  primary key (jurisdiction, name)
);
insert into new_counter select 'local', name, value from counter;
drop table counter;
alter table new_counter rename to counter;
