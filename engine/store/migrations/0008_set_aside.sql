-- Since when an item has been set aside. Of those that are now, nobody noted it: it was not before they were last derived.

alter table item add column set_aside_at bigint;
update item set set_aside_at = changed_at where quarantine is not null;
