-- Where several processes work one database, each takes what is due under a lease with a growing fencing number.

alter table item add column fence bigint not null default 0;
alter table item add column leased_until bigint;
