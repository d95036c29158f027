-- Which rule set came into use when, by whom, and what was chosen for the open items: also for those that come into use again.

create table publish (
  jurisdiction text not null,
  revision bigint not null,
  hash text not null,
  at bigint not null,
  record text not null,
  primary key (jurisdiction, revision)
);
insert into publish select jurisdiction, revision, hash, in_use_since, '{}' from rule_set;
