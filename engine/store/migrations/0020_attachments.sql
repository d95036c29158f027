-- Files that people handed in: whose, what they are called, and when they were last needed. The fact that refers to one names its digest.
create table upload (
  jurisdiction text not null,
  digest text not null,
  person text not null,
  name text not null,
  size bigint not null,
  media text not null,
  at bigint not null,
  kept_at bigint,
  primary key (jurisdiction, digest, person, name)
);
create index upload_loose on upload (at) where kept_at is null;

-- Their content in pieces, as base64.
create table upload_part (
  jurisdiction text not null,
  digest text not null,
  part bigint not null,
  content text not null,
  primary key (jurisdiction, digest, part)
);
