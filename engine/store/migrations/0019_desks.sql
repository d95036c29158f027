-- Filters of the ledger that somebody keeps under a name, and the way to what is due by a day.
create table saved_filter (
  jurisdiction text not null,
  person text not null,
  name text not null,
  query text not null,
  primary key (jurisdiction, person, name)
);
create index item_due on item (jurisdiction, due_on) where ended_on is null;
