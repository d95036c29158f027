-- By which programs ask in somebody's name: the SHA-256 of each token, what it is for, and until when.
create table token (
  jurisdiction text not null,
  id text not null,
  digest text not null,
  person text not null,
  name text not null,
  scopes text not null,
  made_at bigint not null,
  expires_at bigint,
  used_at bigint,
  revoked_at bigint,
  primary key (jurisdiction, id)
);
create unique index token_digest on token (digest);
create index token_person on token (jurisdiction, person);
