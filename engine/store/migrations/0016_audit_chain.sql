-- What happened around accounts becomes a chain, as facts are: each row has its place and the hash over it and the row before. Rows that are
-- there already are taken in when this has run, in the order of their ids.
alter table audit add column seq bigint;
alter table audit add column hash text;
create unique index audit_seq on audit (jurisdiction, seq);

-- Where the chain of an office ends. Whoever adds to it holds this row until the end of the transaction.
create table audit_head (
  jurisdiction text not null,
  seq bigint not null,
  hash text not null,
  primary key (jurisdiction)
);
