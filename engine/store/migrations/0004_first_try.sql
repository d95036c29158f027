-- A mail is given up so long after it was first tried, however long it waited for a way out before. What was tried already counts from
-- when it was composed.

alter table mail add column first_try bigint;
update mail set first_try = created_at where attempts > 0;
