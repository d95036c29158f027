-- Addresses of other programs that want to hear of what happens, each with the secret by which it knows that it was we who called.
create table webhook (
  jurisdiction text not null,
  id text not null,
  url text not null,
  secret text not null,
  made_by text,
  made_at bigint not null,
  stopped_at bigint,
  primary key (jurisdiction, id)
);

-- What each wants to hear of.
create table webhook_event (
  jurisdiction text not null,
  webhook text not null,
  event text not null,
  primary key (jurisdiction, webhook, event)
);

-- What one of them is to be told: written with the fact that it tells of. Whatever is not to be tried has no next try.
create table delivery (
  jurisdiction text not null,
  webhook text not null,
  item text not null,
  seq bigint not null,
  kind text not null,
  event text not null,
  status text not null,
  attempts bigint not null,
  next_try bigint,
  fence bigint not null,
  reply text,
  created_at bigint not null,
  ended_at bigint,
  primary key (jurisdiction, webhook, item, seq, kind)
);
create index delivery_next on delivery (next_try, jurisdiction, webhook, item, seq, kind) where next_try is not null;
create index delivery_recorded on delivery (jurisdiction, created_at, item, seq);
create index delivery_parked on delivery (jurisdiction, created_at) where status = 'parked';
create index delivery_ended on delivery (ended_at) where ended_at is not null;
