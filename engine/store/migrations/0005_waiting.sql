-- How many notices are held and how many items are set aside is asked again and again, and must not cost what is stored.

create index notice_parked on notice (jurisdiction, not_before) where status = 'parked';
create index item_set_aside on item (jurisdiction, id) where quarantine is not null;
