-- The second step of signing in: what a person's device and we count codes from, and codes for when the device is lost.

-- `secret` is in use, `pending` was shown and waits for the first code. A code of `last_step` or before it is not good (again).
create table second_step (
  jurisdiction text not null,
  person text not null,
  secret text,
  pending text,
  last_step bigint not null,
  set_at bigint,
  primary key (jurisdiction, person)
);

-- By SHA-256, each good once.
create table recovery_code (
  jurisdiction text not null,
  id text not null,
  person text not null,
  used_at bigint,
  primary key (jurisdiction, id)
);
create index recovery_code_person on recovery_code (jurisdiction, person);

-- The address from which it began.
alter table session add column source text;
