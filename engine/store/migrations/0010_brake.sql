-- What is held until a person lets it go: of every jurisdiction ('*'), as the database is a restored one, or of one, as more mails were about to
-- leave than is usual. The mails of the last weeks say what is usual.

create table hold (
  jurisdiction text not null,
  reason text not null,
  since bigint not null,
  primary key (jurisdiction)
);
insert into hold select '*', 'restored', cast(value as bigint) from meta where name = 'restored' and value <> '';
delete from meta where name = 'restored';

-- One row an hour with mails, counted in hours since 1970. `released` had been let go by a person, and is not counted against the brake.
create table volume (
  jurisdiction text not null,
  hour bigint not null,
  mails bigint not null,
  released bigint not null,
  usual bigint not null,
  primary key (jurisdiction, hour)
);

-- A publication that waits for a second person: the plan, and who proposed it.
create table proposal (
  jurisdiction text not null,
  plan text not null,
  at bigint not null,
  record text not null,
  primary key (jurisdiction, plan)
);
