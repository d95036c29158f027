-- What came back about mails: reports of their delivery, answers of machines, answers of people.

create table incoming (
  jurisdiction text not null,
  id text not null,
  mail text not null,
  kind text not null,
  at bigint not null,
  sender text not null,
  status text,
  words text not null,
  settled_at bigint,
  settled_by text,
  primary key (jurisdiction, id)
);
create index incoming_mail on incoming (jurisdiction, mail);
create index incoming_open on incoming (jurisdiction, at) where kind = 'failed' and settled_at is null;
create index mail_id on mail (id);
