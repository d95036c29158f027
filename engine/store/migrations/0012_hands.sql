-- In whose hands an item may be, by keys that lead to persons through the directory, with its earliest date. The item says the same in one
-- text, so that a decision that leaves it where it is writes nothing here. Rows come when items are derived again.
alter table item add column hands text not null default '';
create table hand (
  jurisdiction text not null,
  item text not null,
  key text not null,
  due_on text,
  primary key (jurisdiction, item, key)
);
create index hand_key on hand (jurisdiction, key, due_on, item);
update item set rules_rev = 0 where ended_on is null and rules_rev < 9223372036854775807;
update jurisdiction set derived = 0;
