-- Who may sign in, who has, by which links somebody may do one thing once, and what became of all that.

-- A person's account. Before an invitation is accepted it has no password.
create table account (
  jurisdiction text not null,
  person text not null,
  login text not null,
  password text,
  disabled_at bigint,
  password_at bigint,
  created_at bigint not null,
  primary key (jurisdiction, person)
);
create unique index account_login on account (login);

-- Tries that failed one after the other, by SHA-256 of what was typed as a login: whether there is such a login must not show in how they are counted.
create table attempt (
  login text not null,
  failures bigint not null,
  locked_until bigint,
  last_at bigint not null,
  primary key (login)
);
create index attempt_last on attempt (last_at);

-- Whoever has the token of which this is the SHA-256 is this person.
create table session (
  jurisdiction text not null,
  id text not null,
  person text not null,
  started_at bigint not null,
  seen_at bigint not null,
  primary key (id)
);
create index session_person on session (jurisdiction, person);

-- Whoever has the token of which this is the SHA-256 may do one thing for this person, once.
create table link (
  jurisdiction text not null,
  id text not null,
  person text not null,
  purpose text not null,
  about text not null,
  made_at bigint not null,
  expires_at bigint not null,
  used_at bigint,
  primary key (id)
);
create index link_person on link (jurisdiction, person, purpose);

-- What happened around accounts. Nobody changes a row.
create table audit (
  jurisdiction text not null,
  id text not null,
  at bigint not null,
  person text,
  what text not null,
  about text not null,
  source text,
  primary key (jurisdiction, id)
);
