-- A list of notices is read a page at a time: each has a place that never moves, when it was recorded. What is here already takes the moment
-- from which it could be mailed.

alter table notice add column recorded_at bigint not null default 0;
update notice set recorded_at = not_before;
create index notice_recorded on notice (jurisdiction, recorded_at, key);
