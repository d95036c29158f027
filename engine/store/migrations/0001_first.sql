-- Everything beside `fact` and `command` is a cache of them, or of the outside world.
-- Types are text and bigint only: instants are UTC milliseconds, civil dates are ISO text, JSON and hashes are text.

create table meta (
  name text not null primary key,
  value text not null
);

create table rule_set (
  hash text not null primary key,
  revision bigint not null,
  files text not null,
  in_use_since bigint not null
);

create table item (
  id text not null primary key,
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
  changed_at bigint not null
);
create index item_wake on item (wake_at, id) where wake_at is not null;
create index item_state on item (workflow, state);
create index item_rules on item (rules_rev, wake_at);

create table fact (
  item text not null references item (id),
  seq bigint not null,
  json text not null,
  cause_key text,
  hash text not null,
  primary key (item, seq)
);
create unique index fact_cause on fact (item, cause_key) where cause_key is not null;

create table notice (
  key text not null primary key,
  item text not null references item (id),
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
  json text not null
);
create index notice_ready on notice (not_before, key) where status = 'ready';
create index notice_item on notice (item, seq);
create index notice_mail on notice (mail) where mail is not null;

create table mail (
  id text not null primary key,
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
  ended_at bigint
);
create index mail_open on mail (next_try, id) where ended_at is null;

create table command (
  actor text not null,
  id text not null,
  request_hash text not null,
  answer text not null,
  item text not null,
  done_at bigint not null,
  primary key (actor, id)
);

create table slot (
  sweep text not null,
  slot text not null,
  at bigint not null,
  claimed_at bigint not null,
  done_at bigint,
  primary key (sweep, slot)
);
create index slot_open on slot (at) where done_at is null;

create table counter (
  name text not null primary key,
  value bigint not null
);

create table unique_value (
  workflow text not null,
  field text not null,
  value text not null,
  item text not null references item (id),
  primary key (workflow, field, value)
);
create index unique_value_item on unique_value (item, field);
